// The meetings of this terminal: live in one, and perhaps with its place kept in another, over one
// connection and one way of audio.

import type { NumberedChange } from "../meeting/events";
import type { Act } from "../operations/act";
import { lastPending } from "../operations/outbox";
import type { TalkAction } from "../talk/talk";
import { Whisper } from "../talk/whisper";
import { Attendance } from "./attendance";
import type { Surroundings as AttendanceSurroundings } from "./attendance";
import { AudioFollower } from "./audio";
import type { AudioLink } from "./audio";
import { pause } from "./backoff";
import type { Connection } from "./connection";
import { dueActs, isMutedByHost } from "./following";
import type { HintBody } from "./hints";
import type { OverReason } from "./recovery";
import { outcomeOf } from "./refusal";
import type { FailureReason, Outcome } from "./refusal";
import type { Road } from "./road";
import { entryAt, liveStay, meetingIdAt, stayAt } from "./state";

/** Leaving does not wait longer than this for the relay's word, in ms. */
const LEAVE_WAIT_MS = 1000;

export interface Surroundings extends Pick<
  AttendanceSurroundings,
  | "key"
  | "core"
  | "memory"
  | "operations"
  | "state"
  | "dispatch"
  | "renewIdentity"
  | "detailsChanged"
> {
  readonly audio: AudioLink;
  readonly road: Road;
  readonly subscribe: (listener: () => void) => void;
  /** The terminal is in a meeting, or in again without having all that was told meanwhile. */
  readonly joined: (meetingId: string, password: string) => void;
}

export class Stays {
  readonly whisper: Whisper;
  private readonly attendances = new Map<string, Attendance>();
  private readonly follower: AudioFollower;
  /** The meeting that is to be switched to as soon as the terminal is in. */
  private wanted: string | undefined;

  constructor(private readonly around: Surroundings) {
    const { audio, state } = around;
    this.whisper = new Whisper({
      own: () => liveStay(state())?.talks.own,
      talkTo: (to) => this.act({ kind: "talkTo", to }),
      dispatch: (action) => this.ownTalk(action, meetingIdAt(state().place)),
    });
    this.follower = new AudioFollower(audio, state, this.whisper);
    around.subscribe(() => this.follower.follow());
    audio.muted.subscribe(() => {
      const live = this.live();
      if (live !== undefined && !audio.muted.get()) live.mutedByHost = false;
      this.tellAll();
    });
    audio.interrupted.subscribe(() => this.tellAll());
  }

  /** Joins beside the meeting that the terminal is live in, or in place of one it has not come into. */
  join(meetingId: string, password: string): void {
    const known = this.attendances.get(meetingId);
    if (known !== undefined) return known.held ? void this.switchTo(meetingId) : undefined;
    const held = this.around.state().place.kind === "inside";
    if (held && this.attendances.size > 1) {
      return this.hint(meetingId, { kind: "twoAlready" });
    }
    if (held) this.wanted = meetingId;
    else void this.leaveAll(false);
    this.begin(meetingId, password, held);
  }

  /** Is live in the other meeting. */
  async switchTo(meetingId: string): Promise<void> {
    const { state, dispatch } = this.around;
    const to = this.attendances.get(meetingId);
    const from = this.live();
    if (to === undefined || from === to) return;
    if (stayAt(state(), meetingId) === undefined) {
      // On its way in, or in the lobby.
      this.wanted = meetingId;
      return;
    }
    // The last words that are said in one meeting are not to be the first in the other.
    const hushed = this.follower.hush();
    this.whisper.end();
    dispatch({ kind: "asked", activity: "switch" });
    const answer = await this.askToSwitch(meetingId);
    dispatch({ kind: "answered" });
    if (answer.ok) this.switched(from, to);
    else if (!to.over) this.hint(meetingId, { kind: "notSwitched", reason: answer.reason });
    hushed();
  }

  /** Leaves a meeting, or gives up joining it; who is in another one goes on there. */
  async leave(meetingId: string): Promise<void> {
    const { state, dispatch, road } = this.around;
    const attendance = this.attendances.get(meetingId);
    if (attendance === undefined) return;
    const inside = entryAt(state(), meetingId)?.kind === "inside";
    const other = [...this.attendances.keys()].find((id) => id !== meetingId);
    if (other === undefined) {
      dispatch(inside ? { kind: "over", meetingId, reason: "left" } : { kind: "outside" });
      return this.leaveAll(false);
    }
    if (!attendance.held) {
      // Nobody is to be heard in the other meeting without having wished it.
      this.around.audio.mute();
      await this.switchTo(other);
    }
    const wasLive = !attendance.held;
    this.end(attendance);
    dispatch({ kind: "over", meetingId, reason: "left" });
    if (wasLive) this.goLive();
    const connection = await road.current().catch(() => undefined);
    await connection?.request("leave", { meetingId }).catch(() => undefined);
  }

  /** Tells the relay and closes; what comes next starts on a new connection. */
  async leaveAll(keepOperations: boolean): Promise<void> {
    const left = [...this.attendances.values()];
    if (left.length === 0) return;
    const connection = this.around.road.detach();
    for (const attendance of left) this.end(attendance, keepOperations);
    if (connection === undefined) return;
    const leaving = left.map(({ meetingId }) => connection.request("leave", { meetingId }));
    const gone = Promise.allSettled(leaving);
    await Promise.race([gone, pause(LEAVE_WAIT_MS, new AbortController().signal)]);
    connection.close();
  }

  /** Does something in a meeting; its operation id, undefined if that is not possible. */
  act(act: Act, meetingId = meetingIdAt(this.around.state().place) ?? ""): string | undefined {
    if (stayAt(this.around.state(), meetingId) === undefined) return undefined;
    const id = this.attendances.get(meetingId)?.operator.act(act);
    // That private talk ends is tried again until it can be sent.
    if (id === undefined && !(act.kind === "talkTo" && act.to.length === 0)) {
      this.hint(meetingId, { kind: "refused", act: act.kind, attempted: act, reason: "tooMany" });
    }
    return id;
  }

  /** Tells each meeting what it does not know yet. */
  tellAll(): void {
    for (const attendance of this.attendances.values()) this.tell(attendance);
  }

  /** The network has changed, or somebody has come back to the page. */
  tryNow(): void {
    for (const attendance of this.attendances.values()) attendance.tryNow();
  }

  /** What was read has the results of operations of before a reload. */
  settle(meetingId: string, events: readonly NumberedChange[]): void {
    const selfId = stayAt(this.around.state(), meetingId)?.selfId;
    for (const { cause } of events) {
      if (cause === undefined || cause.participantId !== selfId) continue;
      this.attendances.get(meetingId)?.operator.settle(cause.operationId);
    }
  }

  private begin(meetingId: string, password: string, held: boolean): void {
    const { audio, road, memory, joined } = this.around;
    const around: AttendanceSurroundings = {
      ...this.around,
      muted: () => audio.muted.get(),
      dial: (identify) => road.dial(memory.relayOf(meetingId), identify),
      inside: (which, connection, missed) => {
        if (missed) joined(which.meetingId, which.password);
        this.inside(which, connection);
      },
      atTheDoor: (which) => {
        // Who has to wait is told when it is over, and goes in then if that is still wished.
        if (this.wanted === which.meetingId) this.wanted = undefined;
      },
      happened: (which, event) => this.happened(which, event),
      notJoined: (which, reason) => this.notJoined(which, reason),
      over: (which, reason) => this.over(which, reason),
    };
    const attendance = new Attendance(around, meetingId, password, held);
    this.attendances.set(meetingId, attendance);
    void attendance.run().finally(() => {
      if (this.attendances.get(meetingId) === attendance) this.gone(attendance);
    });
  }

  private inside(attendance: Attendance, connection: Connection): void {
    const { meetingId } = attendance;
    const again = attendance.cameBy === connection;
    attendance.cameBy = connection;
    if (!attendance.held && attendance.cameHeld) void this.moveAudio(attendance);
    else if (!attendance.held && again) this.follower.carryAnew(connection);
    else if (!attendance.held) this.follower.carry(connection);
    this.tell(attendance);
    this.clearCarried(attendance);
    if (this.wanted !== meetingId) return;
    this.wanted = undefined;
    if (attendance.held) void this.switchTo(meetingId);
  }

  private happened(attendance: Attendance, { change }: NumberedChange): void {
    const stay = stayAt(this.around.state(), attendance.meetingId);
    if (stay === undefined) return;
    const { selfId } = stay;
    if (change.kind === "joined" && change.participant.id === selfId) {
      // Coming in says what one is anew.
      return this.tell(attendance);
    }
    if (change.kind !== "muted" || change.participantId !== selfId) return;
    if (!change.muted) attendance.mutedByHost = false;
    const byHost = change.byId !== undefined && change.byId !== selfId;
    if (!change.muted || !byHost || !isMutedByHost(stay)) return;
    attendance.mutedByHost = true;
    if (!attendance.held) this.around.audio.mute();
  }

  private tell(attendance: Attendance): void {
    const { audio, state } = this.around;
    const stay = stayAt(state(), attendance.meetingId);
    if (stay === undefined) return;
    const wishes = {
      live: !attendance.held,
      muted: audio.muted.get(),
      away: state().away,
      interrupted: audio.interrupted.get(),
    };
    for (const act of dueActs(stay, wishes)) attendance.operator.act(act);
  }

  /**
   * The relay may have closed the microphone for what was carried over a reload, and have no event that
   * opens it again, if the registry knew it already: something new has one.
   */
  private clearCarried({ meetingId, held, operator }: Attendance): void {
    const { pending } = operator;
    const carried = (kind: "talkTo" | "setMuted") =>
      pending.findLast(({ act }) => act.kind === kind)?.carried === true;
    if (carried("talkTo")) {
      const operationId = operator.act({ kind: "talkTo", to: [] });
      if (operationId !== undefined) this.ownTalk({ kind: "ending", operationId }, meetingId);
    }
    if (!carried("setMuted")) return;
    const told = lastPending(pending, "setMuted")?.muted;
    const muted = held && told !== undefined ? told : this.around.audio.muted.get();
    operator.act({ kind: "setMuted", muted });
  }

  private async askToSwitch(meetingId: string): Promise<Outcome<unknown>> {
    const { state, road } = this.around;
    const { place, way } = state();
    const hindered = place.kind === "inside" && place.hindrance !== undefined;
    // Nobody at a relay that is cut off can answer it, and until then one would be hushed.
    if (hindered || way.cutOff) return { ok: false, reason: "unreachable" };
    return outcomeOf(async () => (await road.current()).request("switchMeeting", { meetingId }));
  }

  /** The relay has made `to` the live meeting. */
  private switched(from: Attendance | undefined, to: Attendance): void {
    const { state, dispatch } = this.around;
    if (to.over) {
      // Left meanwhile: where the terminal has been all the time, the relay has it held now.
      if (from === undefined || from.over) return;
      from.cameHeld = true;
      return void this.moveAudio(from);
    }
    const own = stayAt(state(), from?.meetingId ?? "")?.talks.own;
    to.held = to.cameHeld = false;
    if (from !== undefined) from.held = from.cameHeld = true;
    if (to.mutedByHost) this.around.audio.mute();
    dispatch({ kind: "switched", meetingId: to.meetingId });
    // What is held to talk to some is not held to talk to others.
    if (own?.begun === true && !own.latched) {
      this.ownTalk({ kind: "failed", latched: false }, to.meetingId);
    }
    this.ownTalk({ kind: "letGo" }, from?.meetingId);
    this.tellAll();
  }

  private notJoined(attendance: Attendance, reason: FailureReason): void {
    const { dispatch } = this.around;
    const { meetingId } = attendance;
    const beside = meetingIdAt(this.around.state().place) !== meetingId;
    if (beside) dispatch({ kind: "notJoined", meetingId, reason });
    else dispatch({ kind: "failed", problem: { during: "join", reason } });
    this.gone(attendance);
  }

  private over(attendance: Attendance, reason: OverReason): void {
    const { meetingId, held } = attendance;
    const alone = this.attendances.size === 1;
    // Nobody is to be heard in the other meeting without having wished it.
    if (!held && !alone) this.around.audio.mute();
    this.gone(attendance);
    this.around.dispatch({ kind: "over", meetingId, reason });
    if (!held && !alone) this.goLive();
  }

  /** The only meeting that is left is the live one. */
  private goLive(): void {
    const [attendance] = this.attendances.values();
    if (attendance === undefined) return;
    attendance.held = false;
    if (stayAt(this.around.state(), attendance.meetingId) === undefined) {
      return this.follower.forget();
    }
    this.tell(attendance);
    void this.moveAudio(attendance);
  }

  /** Joined as the held one, to be live now. */
  private async moveAudio(attendance: Attendance): Promise<void> {
    const { meetingId } = attendance;
    const connection = await this.around.road.current().catch(() => undefined);
    if (connection === undefined) return;
    const moved = await outcomeOf(() => connection.request("switchMeeting", { meetingId }));
    if (attendance.over || attendance.held) return;
    // Joined anew it is live from the beginning.
    if (!moved.ok) return connection.close();
    attendance.cameHeld = false;
    this.follower.carryAnew(connection);
  }

  private live(): Attendance | undefined {
    return [...this.attendances.values()].find(({ held }) => !held);
  }

  private gone(attendance: Attendance): void {
    this.end(attendance);
    if (this.around.state().identity === undefined) void this.leaveAll(false);
    if (this.attendances.size === 0) this.around.road.detach()?.close();
  }

  private end(attendance: Attendance, keepOperations = false): void {
    const { meetingId } = attendance;
    attendance.stop(keepOperations);
    if (this.attendances.get(meetingId) === attendance) this.attendances.delete(meetingId);
    if (this.wanted === meetingId) this.wanted = undefined;
    if (this.attendances.size === 0) this.follower.stop();
  }

  private ownTalk(action: TalkAction, meetingId: string | undefined): void {
    if (meetingId === undefined) return;
    this.around.dispatch({ kind: "stay", meetingId, action: { kind: "talk", action } });
  }

  private hint(meetingId: string, body: HintBody): void {
    this.around.dispatch({ kind: "hint", meetingId, body });
  }
}
