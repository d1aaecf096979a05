// One stay in one meeting, from the first try to join until it is over: joins, stays, and comes
// back as the same participant whenever the connection is lost, from the last event that it has.

import type { NumberedChange } from "../meeting/events";
import type { OperationMemory } from "../operations/memory";
import { backoffMs, pause } from "./backoff";
import type { Answer, Connection, Unasked } from "./connection";
import { refusedHint } from "./hints";
import type { TerminalKey } from "./key";
import { Operator } from "./operator";
import { afterFailure } from "./recovery";
import type { OverReason, Step } from "./recovery";
import { wasUnheard } from "./refusal";
import type { FailureReason, Refused, RefusalReason } from "./refusal";
import { entryAt, stayAt } from "./state";
import type { SessionAction, SessionState } from "./state";
import { selfIn } from "./stay";
import type { TabMemory } from "./tab";
import { meetingOf, timeOf } from "./wire";
import type { Identity } from "./wire";
import { numberedChangeOf, snapshotOf } from "./wire-events";

/** How often a refused identity is replaced before its owner is asked. */
const IDENTITY_RENEWALS_MAX = 3;
/**
 * The relay says so when the meeting takes this terminal for gone; if it does not, and neither tells that
 * it has come back, it is joined anew after so long, in ms.
 */
const GONE_MAX_MS = 5000;

/** What a stay needs from the session. */
export interface Surroundings {
  readonly key: () => Promise<TerminalKey>;
  readonly muted: () => boolean;
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  /**
   * The open connection to the meetings, or a new one. Before the core introduces anybody to a relay it
   * wants to know who asks: `identify` says so on the connection that it is given. Rejects with
   * `ConnectionLost` or `Refused`.
   */
  readonly dial: (identify: (core: Connection) => Promise<void>) => Promise<Connection>;
  /** The core's, which alone is told passwords and what says who somebody is. Rejects in the same way. */
  readonly core: () => Promise<Connection>;
  /** A new identity in place of one that was refused, if that needs nobody's password. */
  readonly renewIdentity: () => Promise<Identity | undefined>;
  readonly memory: TabMemory;
  readonly operations: OperationMemory;
  /** The terminal is in by this connection; `missed`: not all events since it was in before follow. */
  readonly inside: (attendance: Attendance, connection: Connection, missed: boolean) => void;
  /** The terminal waits in the lobby. */
  readonly atTheDoor: (attendance: Attendance) => void;
  /** Something has happened in the meeting; the state has it already. */
  readonly happened: (attendance: Attendance, event: NumberedChange) => void;
  /** Members, attachments or the like were changed, or may have been while nobody listened. */
  readonly detailsChanged: (meetingId: string) => void;
  /** The stay could not begin. */
  readonly notJoined: (attendance: Attendance, reason: FailureReason) => void;
  readonly over: (attendance: Attendance, reason: OverReason) => void;
}

interface HeldCredential {
  readonly joinCredential: string;
  readonly expiresAtMs: number;
  /** The connection that it was got on. */
  readonly by: Connection;
}

export class Attendance {
  readonly operator: Operator;
  /** How the relay has it. */
  cameHeld = false;
  /** A host has muted this terminal here, and its person has not unmuted here since. */
  mutedByHost = false;
  /** The connection by which the terminal was in last. */
  cameBy: Connection | undefined;
  private readonly stopped = new AbortController();
  private readonly whenStopped = new Promise<void>((resolve) =>
    this.stopped.signal.addEventListener("abort", () => resolve()),
  );
  private credential: HeldCredential | undefined;
  /** The terminal has been let in, or as far as the lobby. */
  private begun = false;
  private attempt = 0;
  private renewals = 0;
  private waiting = new AbortController();
  private missing: ReturnType<typeof setTimeout> | undefined;

  /** `held`: for events only, while the terminal is live in another meeting. */
  constructor(
    private readonly around: Surroundings,
    readonly meetingId: string,
    readonly password: string,
    public held: boolean,
  ) {
    const userId = around.state().identity?.userId ?? "";
    this.operator = new Operator(
      {
        key: around.key,
        memory: around.operations,
        clockOffsetMs: () => around.state().identity?.clockOffsetMs ?? 0,
        changed: (pending) =>
          around.dispatch({ kind: "stay", meetingId, action: { kind: "pending", pending } }),
        dropped: ({ id, act }, reason) => {
          const action = { kind: "dropped", operationId: id } as const;
          around.dispatch({ kind: "stay", meetingId, action });
          const body = refusedHint(act, reason);
          if (body !== undefined) around.dispatch({ kind: "hint", meetingId, body });
        },
      },
      meetingId,
      userId,
    );
  }

  /** Resolves when the stay is over; how it ended is in the state. */
  async run(): Promise<void> {
    const { signal } = this.stopped;
    const { meetingId, held } = this;
    this.around.dispatch({ kind: "joining", meetingId, held });
    while (!signal.aborted) {
      const heldCredential = this.credential !== undefined;
      try {
        const key = await this.around.key();
        await this.credentialFor(key);
        const connection = await this.around.dial((core) => this.identify(core, key));
        if (signal.aborted) return;
        await this.enter(connection, key);
      } catch (failure) {
        if (signal.aborted) return;
        // The page had been left alone: nobody needs to be told that it connects again.
        if (wasUnheard(failure) && this.attempt++ === 0) continue;
        const waiting = entryAt(this.around.state(), meetingId)?.kind === "waiting";
        await this.take(afterFailure(failure, { inside: this.begun, heldCredential, waiting }));
      }
    }
  }

  /** Ends the stay here; telling the relay is the session's. */
  stop(keepOperations = false): void {
    this.stopped.abort();
    this.waiting.abort();
    this.operator.stop(keepOperations);
    clearTimeout(this.missing);
  }

  get over(): boolean {
    return this.stopped.signal.aborted;
  }

  /** The way is free, perhaps: does not wait any longer before trying again. */
  tryNow(): void {
    this.waiting.abort();
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "renew":
        this.credential = undefined;
        return this.wait(step.hindrance);
      case "retry":
        return this.wait(step.hindrance);
      case "enterAgain":
        return this.enterAgain();
      case "giveUp":
        return this.around.notJoined(this, this.why(step));
      case "over":
        return this.around.over(this, step.reason);
    }
  }

  /** Nobody is told that a password is wrong who has not typed one. */
  private why({ reason }: { reason: RefusalReason }): FailureReason {
    return reason === "wrongPassword" && this.password === "" ? "passwordNeeded" : reason;
  }

  private async wait(hindrance: "lost" | "draining" | "tryAgain" | "silent"): Promise<void> {
    const { meetingId } = this;
    this.around.dispatch({ kind: "hindered", meetingId, hindrance });
    if (this.over) return;
    this.waiting = new AbortController();
    await pause(backoffMs(this.attempt++, Math.random()), this.waiting.signal);
  }

  private async enterAgain(): Promise<void> {
    this.credential = undefined;
    const mayRenew = this.renewals++ < IDENTITY_RENEWALS_MAX;
    const identity = mayRenew ? await this.around.renewIdentity() : undefined;
    if (this.stopped.signal.aborted) return;
    if (identity !== undefined) return this.wait("tryAgain");
    this.stop();
    const problem = { during: "join", reason: "expired" } as const;
    this.around.dispatch({ kind: "identityGone", problem });
  }

  /** From a connection to its end, or the end of the stay. Rejects as the connection does. */
  private async enter(connection: Connection, key: TerminalKey): Promise<void> {
    let refused: (failure: Refused) => void = () => {};
    const expelled = new Promise<never>((_, reject) => (refused = reject));
    expelled.catch(() => {});
    const deaf = connection.listen(this.meetingId, (message) => {
      if (this.stopped.signal.aborted) return;
      if (message.case === "refusal") refused(message.value);
      else this.hear(message, connection);
    });
    const watch = connection.silent.subscribe(() => this.listenToSilence(connection));
    try {
      await this.join(connection, key);
      this.attempt = 0;
      this.renewals = 0;
      await Promise.race([connection.ended, expelled, this.whenStopped]);
    } finally {
      deaf();
      watch();
      clearTimeout(this.missing);
    }
  }

  private async join(connection: Connection, key: TerminalKey): Promise<void> {
    const { signal } = this.stopped;
    const joinCredential = await this.credentialFor(key);
    const proof = await key.prove(connection.welcome.nonce, joinCredential);
    if (signal.aborted) return;
    const cursor = stayAt(this.around.state(), this.meetingId)?.cursor ?? 0n;
    const { held } = this;
    const joined = await connection.request("join", {
      joinCredential,
      publicKey: key.publicKey,
      proof,
      muted: this.around.muted(),
      cursor,
      meetingId: this.meetingId,
      sessionId: this.operator.sessionId,
      held,
    });
    this.cameHeld = held;
    if (!signal.aborted) this.joined(connection, joined);
  }

  private joined(connection: Connection, joined: Answer<"join">): void {
    const { meetingId, operator } = this;
    const meeting = meetingOf(joined.meeting, meetingId);
    const { participantId: selfId, waiting } = joined;
    const snapshot = joined.roster && snapshotOf(joined.roster);
    const before = stayAt(this.around.state(), meetingId);
    this.begun = true;
    if (!waiting) {
      // What had its result before the roster was made does not have it again.
      if (snapshot !== undefined && before !== undefined) operator.passedOver();
      operator.joined(connection, { organisation: meeting.organisation, participantId: selfId });
    }
    const { pending } = operator;
    this.around.dispatch({ kind: "joined", meeting, selfId, snapshot, waiting, pending });
    if (waiting) return this.around.atTheDoor(this);
    const missed = before === undefined || snapshot !== undefined;
    this.around.inside(this, connection, missed);
    if (before !== undefined) this.around.detailsChanged(meetingId);
  }

  /** The held credential, or a new one. */
  private async credentialFor(key: TerminalKey): Promise<string> {
    if (this.credential !== undefined && this.credential.expiresAtMs > Date.now()) {
      return this.credential.joinCredential;
    }
    this.credential = undefined;
    this.credential = await this.newCredential(await this.around.core(), key);
    return this.credential.joinCredential;
  }

  /** A credential that was got on another connection says nothing on this one. */
  private async identify(core: Connection, key: TerminalKey): Promise<void> {
    if (this.credential?.by === core) return;
    this.credential = await this.newCredential(core, key);
  }

  private async newCredential(core: Connection, key: TerminalKey): Promise<HeldCredential> {
    const { memory, state } = this.around;
    const { joinCredential, expiresAt } = await core.request("requestJoinCredential", {
      identityToken: state().identity?.token ?? "",
      meetingId: this.meetingId,
      password: this.password,
      publicKey: key.publicKey,
      shareSecret: memory.secretOf(this.meetingId),
      previousJoinCredential: memory.credentialOf(this.meetingId),
    });
    memory.keep(this.meetingId, { credential: joinCredential });
    return { joinCredential, expiresAtMs: timeOf(expiresAt), by: core };
  }

  private hear(message: Exclude<Unasked, { case: "refusal" }>, connection: Connection): void {
    const { meetingId } = this;
    const { dispatch } = this.around;
    switch (message.case) {
      case "speakers": {
        const action = { kind: "speakers", ids: message.value.speakerIds } as const;
        return dispatch({ kind: "stay", meetingId, action });
      }
      case "roster":
        return this.hearRoster(message.value, connection);
      case "event":
        return this.hearEvent(numberedChangeOf(message.value), connection);
    }
  }

  /** Let in from the lobby, or a host now who may see more. */
  private hearRoster(message: Answer<"join">["roster"] & object, connection: Connection): void {
    const { meetingId, operator } = this;
    const entry = entryAt(this.around.state(), meetingId);
    const snapshot = snapshotOf(message);
    if (entry?.kind === "waiting") {
      const { meeting, selfId } = entry;
      operator.joined(connection, {
        organisation: meeting.organisation,
        participantId: selfId,
      });
    }
    this.around.dispatch({ kind: "roster", meetingId, snapshot, pending: operator.pending });
    if (entry?.kind === "waiting") this.around.inside(this, connection, true);
  }

  private hearEvent(event: NumberedChange, connection: Connection): void {
    const { meetingId } = this;
    const { dispatch, state } = this.around;
    const entry = entryAt(state(), meetingId);
    const { change, cause } = event;
    if (entry?.kind === "waiting") return this.hearAtTheDoor(event, entry.selfId);
    if (entry?.kind !== "inside" || event.number <= entry.stay.cursor) return;
    dispatch({ kind: "event", meetingId, event });
    if (cause?.participantId === entry.stay.selfId) this.operator.settle(cause.operationId);
    const ofSelf = "participantId" in change && change.participantId === entry.stay.selfId;
    if (change.kind === "left" && ofSelf) this.watchGone(connection);
    if (change.kind === "renamed" || change.kind === "detailsChanged") {
      this.around.detailsChanged(meetingId);
    }
    if (stayAt(state(), meetingId)?.roster.ended) return this.around.over(this, "ended");
    this.around.happened(this, event);
  }

  /** In the lobby nothing is told but what concerns oneself. */
  private hearAtTheDoor({ change }: NumberedChange, selfId: number): void {
    if (change.kind === "ended") return this.around.over(this, "ended");
    if (change.kind !== "left" || change.participantId !== selfId) return;
    this.around.over(this, change.reason === "ended" ? "ended" : "sentAway");
  }

  /** One may have been lost before one came back: among what was missed, or by now. */
  private watchGone(connection: Connection): void {
    clearTimeout(this.missing);
    this.missing = setTimeout(() => {
      const stay = stayAt(this.around.state(), this.meetingId);
      if (stay !== undefined && selfIn(stay) === undefined) connection.close();
    }, GONE_MAX_MS);
  }

  private listenToSilence(connection: Connection): void {
    const { meetingId } = this;
    const hindrance = connection.silent.get() ? "silent" : undefined;
    const entry = entryAt(this.around.state(), meetingId);
    const known = entry?.hindrance;
    if (!connection.open || (known !== undefined && known !== "silent")) return;
    if (known !== hindrance) this.around.dispatch({ kind: "hindered", meetingId, hindrance });
  }
}
