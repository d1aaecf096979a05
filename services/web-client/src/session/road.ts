// The way to the meetings: over a relay in this terminal's own network, if there is one that answers;
// else straight over the core's connection. Whatever says who somebody is goes to the core in any case.

import type { Beat } from "../app/beat";
import { Connection } from "./connection";
import type { Dialer } from "./dialer";
import { ConnectionLost, Refused } from "./refusal";
import { isForsaken, seekCore } from "./retreat";
import type { Channel } from "./transport";
import { STRAIGHT } from "./way";
import type { Missed, Relay, Way } from "./way";

/** From the introduction to the relay's welcome, in ms. */
const INTRODUCTION_MAX_MS = 5000;
/** The same for a relay that has answered before: it is near, or it is gone. */
const AGAIN_MAX_MS = 3000;
/** All introductions that go before one connection, in ms. */
const SEARCH_MAX_MS = 8000;
/** More suggestions than this are not tried. */
const TRIED_MAX = 3;
/** A connection that has lived so long has not been lost for anything wrong with the way, in ms. */
const STEADY_AFTER_MS = 10_000;
/** A relay that was given up is not asked for again before, in ms. */
const REST_MS = 60_000;
/** So often in a row a relay that was connected may fail. */
const FAILURES_MAX = 2;

/** What is known of a relay from the tries to use it. */
interface Trial {
  /** As it was named last; empty if it is not known. */
  name: string;
  failures: number;
  /** It has been connected. */
  known: boolean;
  /** It was left because it was cut off from everybody else. */
  wasCutOff: boolean;
  /** Unix time in ms. */
  restsUntilMs: number;
}

/** Says on the core's connection who asks. */
type Identify = (core: Connection) => Promise<void>;

interface Surroundings {
  readonly core: Dialer;
  /** Undefined where the browser has no WebRTC. */
  readonly openChannel: (() => Channel) | undefined;
  readonly changed: (way: Way) => void;
  readonly beat: Beat | undefined;
}

export class Road {
  private connection: Connection | undefined;
  private finding: Promise<Connection> | undefined;
  private readonly trials = new Map<string, Trial>();
  /** Counts what was detached: what was begun before is not wanted any more. */
  private turn = 0;
  private deaf: () => void = () => {};
  /** Looks for the core, because the relay is cut off. */
  private retreat: AbortController | undefined;

  constructor(private readonly around: Surroundings) {}

  /**
   * The open connection, or a new one: over the relay `wanted`, or one that the core suggests, or the
   * core's; `identify` tells the core who asks to be introduced. Rejects with `ConnectionLost` or
   * `Refused`.
   */
  dial(wanted: string, identify: Identify): Promise<Connection> {
    if (this.connection?.open) return Promise.resolve(this.connection);
    if (this.finding !== undefined) return this.finding;
    const finding = this.find(wanted, identify).finally(() => {
      if (this.finding === finding) this.finding = undefined;
    });
    this.finding = finding;
    return finding;
  }

  /** The open connection, or the one that is being made, for what only makes sense where one is in. */
  async current(): Promise<Connection> {
    const { connection, finding } = this;
    if (connection?.open) return connection;
    return finding ?? Promise.reject(new ConnectionLost("closed", "in no meeting"));
  }

  /** Takes the connection off: what comes next starts on a new one. */
  detach(): Connection | undefined {
    const { connection } = this;
    this.forget();
    this.turn++;
    this.finding = undefined;
    this.connection = undefined;
    this.around.changed(STRAIGHT);
    // The core's stays for what the page asks beside meetings.
    return connection?.reach === "relay" ? connection : this.around.core.detach();
  }

  private async find(wanted: string, identify: Identify): Promise<Connection> {
    const { turn } = this;
    const core = await this.around.core.dial();
    const candidates = this.candidates(core, wanted);
    const some = candidates.some((relay) => this.mayTry(relay));
    const known = some && (await identified(core, identify));
    const untilMs = Date.now() + SEARCH_MAX_MS;
    let missed: Missed | undefined;
    for (const relay of candidates) {
      while (known && this.mayTry(relay) && Date.now() < untilMs && turn === this.turn) {
        const connection = await this.introduced(core, relay, untilMs - Date.now());
        if (connection === undefined) {
          stillThere(core);
          continue;
        }
        if (turn !== this.turn) connection.close();
        else return this.use(connection, named(relay, connection), undefined);
      }
      missed ??= this.missed(relay);
    }
    if (turn !== this.turn) throw new ConnectionLost("closed", "not wanted any more");
    return this.use(core, undefined, missed);
  }

  private candidates({ welcome }: Connection, wanted: string): Relay[] {
    if (this.around.openChannel === undefined) return [];
    const suggested = welcome.suggestedRelays.map(({ relayId, relayName }): Relay => ({
      id: relayId,
      name: relayName,
    }));
    const asked = suggested.find(({ id }) => id === wanted) ?? { id: wanted, name: "" };
    const others = suggested.filter(({ id }) => id !== wanted).slice(0, TRIED_MAX);
    const all = wanted === "" ? others : [asked, ...others];
    return all.filter(({ id }) => id !== welcome.relayId);
  }

  private missed(relay: Relay): Missed {
    const { name, wasCutOff } = this.trialOf(relay.id);
    const missed = { ...relay, name: relay.name || name };
    return wasCutOff ? { ...missed, wasCutOff } : missed;
  }

  private mayTry({ id }: Relay): boolean {
    const trial = this.trialOf(id);
    return Date.now() >= trial.restsUntilMs;
  }

  /** The connection to a relay; undefined if there will be none. */
  private async introduced(
    core: Connection,
    relay: Relay,
    leftMs: number,
  ): Promise<Connection | undefined> {
    const { openChannel, beat } = this.around;
    if (openChannel === undefined) return undefined;
    const trial = this.trialOf(relay.id);
    const withinMs = Math.min(leftMs, trial.known ? AGAIN_MAX_MS : INTRODUCTION_MAX_MS);
    try {
      const connection = await introduce(core, relay.id, openChannel(), withinMs, beat);
      trial.known = true;
      trial.wasCutOff = false;
      trial.name = named(relay, connection).name;
      this.watch(connection, trial);
      return connection;
    } catch (failure) {
      if (core.open) this.failed(trial, failure instanceof Refused);
      return undefined;
    }
  }

  /** A connection that is lost as soon as it is there is worth no more than none. */
  private watch(connection: Connection, trial: Trial): void {
    const sinceMs = Date.now();
    connection.ended.catch(() => {
      if (Date.now() - sinceMs >= STEADY_AFTER_MS) trial.failures = 0;
      else if (!connection.closedHere) this.failed(trial, false);
    });
  }

  private failed(trial: Trial, forSure: boolean): void {
    trial.failures++;
    if (!forSure && trial.known && trial.failures < FAILURES_MAX) return;
    giveUp(trial);
  }

  private trialOf(id: string): Trial {
    const known = this.trials.get(id);
    if (known !== undefined) return known;
    const trial: Trial = { name: "", failures: 0, known: false, wasCutOff: false, restsUntilMs: 0 };
    this.trials.set(id, trial);
    return trial;
  }

  private use(
    connection: Connection,
    relay: Relay | undefined,
    missed: Missed | undefined,
  ): Connection {
    this.forget();
    this.connection = connection;
    const follow = () => this.follow(connection, relay, missed);
    this.deaf = connection.lostUplink.subscribe(follow);
    // Nobody looks for another way than the one that is made anew in any case.
    connection.ended.catch(() => this.connection === connection && this.retreat?.abort());
    follow();
    return connection;
  }

  private forget(): void {
    this.deaf();
    this.retreat?.abort();
    this.retreat = undefined;
  }

  /** A relay that others have given up is left, if the core can be reached without it. */
  private follow(
    connection: Connection,
    relay: Relay | undefined,
    missed: Missed | undefined,
  ): void {
    const lost = connection.lostUplink.get();
    this.around.changed({ relay, missed, cutOff: lost !== undefined });
    if (relay === undefined || !isForsaken(lost)) {
      this.retreat?.abort();
      this.retreat = undefined;
    } else if (this.retreat === undefined) {
      this.retreat = new AbortController();
      void seekCore(this.around.core, this.retreat.signal, () => {
        const trial = this.trialOf(relay.id);
        trial.wasCutOff = true;
        giveUp(trial);
        connection.close();
      });
    }
  }
}

/** The relay is not asked for for a while. */
function giveUp(trial: Trial): void {
  trial.failures = 0;
  trial.known = false;
  trial.restsUntilMs = Date.now() + REST_MS;
}

/** Who is not known to the core is not introduced; why not is told to who joins there. */
async function identified(core: Connection, identify: Identify): Promise<boolean> {
  const known = await identify(core).then(
    () => true,
    () => false,
  );
  stillThere(core);
  return known;
}

/** Without the core nobody can be introduced: that says nothing about a relay. */
function stillThere(core: Connection): void {
  if (!core.open) throw new ConnectionLost("unheard", "the core, while introducing");
}

/** Opens a channel to a relay with the core's help. */
async function introduce(
  core: Connection,
  relayId: string,
  channel: Channel,
  withinMs: number,
  beat: Beat | undefined,
): Promise<Connection> {
  const opening = Connection.open(channel, beat, withinMs);
  const introducing = async () => {
    const sdp = await channel.offer();
    const answer = await core.request("introduce", { relayId, sdp });
    await channel.accept(answer.sdp);
    return opening;
  };
  try {
    return await Promise.race([opening, introducing()]);
  } catch (failure) {
    channel.close();
    throw failure;
  }
}

/** The relay says its name itself, if it has one. */
function named({ id, name }: Relay, { welcome }: Connection): Relay {
  return { id, name: (welcome.relayId === id && welcome.relayName) || name || id };
}
