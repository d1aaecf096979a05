// What a person is told beside the state of things, as a pure function: kept until it is seen. No
// dialog: nothing of it must be answered.

import type { NumberedChange } from "../meeting/events";
import type { Act, ActKind, ActRefusal } from "../operations/act";
import type { OverReason } from "./recovery";
import type { FailureReason } from "./refusal";
import type { Stay } from "./stay";

export type HintBody =
  /** A host asks to unmute. Goes by itself when that was done. */
  | { kind: "askedToUnmute"; byName: string }
  | { kind: "mutedByHost"; byName: string }
  | { kind: "handLowered"; byName: string }
  | { kind: "madeHost" }
  | { kind: "noHostAnyMore" }
  /** The platform says something; it is in the chat too. */
  | { kind: "announcement"; text: string }
  /** Something that was done was not applied. */
  | { kind: "refused"; act: ActKind; attempted: Act; reason: ActRefusal }
  /** Let in from the lobby of a meeting, while in another: to be switched to. */
  | { kind: "letIn" }
  /** The meeting is over for this terminal, and it is live in the other one now, muted. */
  | { kind: "meetingOver"; reason: OverReason; wasLive: boolean }
  /** A second meeting could not be joined. */
  | { kind: "notJoined"; reason: FailureReason }
  /** The other meeting could not be switched to. */
  | { kind: "notSwitched"; reason: FailureReason }
  /** In two meetings already: leave one first. */
  | { kind: "twoAlready" };

export interface Hint {
  readonly id: number;
  readonly meetingId: string;
  /** Empty if it is not known. */
  readonly subject: string;
  readonly body: HintBody;
}

export interface Hints {
  readonly shown: readonly Hint[];
  readonly nextId: number;
}

/** More are not held; the oldest give way. */
const HINTS_MAX = 8;

export const NO_HINTS: Hints = { shown: [], nextId: 1 };

export function withHint(hints: Hints, meetingId: string, subject: string, body: HintBody): Hints {
  const hint = { id: hints.nextId, meetingId, subject, body };
  // Of each kind the newest is enough; what was said and refused is told one by one.
  const others = hints.shown.filter((other) => !replaces(hint, other));
  return { shown: [...others, hint].slice(-HINTS_MAX), nextId: hints.nextId + 1 };
}

export function withoutHint(hints: Hints, id: number): Hints {
  return { ...hints, shown: hints.shown.filter((hint) => hint.id !== id) };
}

/** Hints of this meeting that mean nothing after it. */
export function withoutMeeting(hints: Hints, meetingId: string): Hints {
  const shown = hints.shown.filter((hint) => hint.meetingId !== meetingId);
  return shown.length === hints.shown.length ? hints : { ...hints, shown };
}

/** What an event that has just been applied tells this person; `stay` is as it was before. */
export function hintOf(stay: Stay, { change, cause }: NumberedChange): HintBody | undefined {
  const { selfId } = stay;
  const nameOf = (id: number | undefined) =>
    stay.roster.participants.get(id ?? 0)?.displayName ?? "";
  const byOther = "byId" in change && change.byId !== undefined && change.byId !== selfId;
  const ofSelf = "participantId" in change && change.participantId === selfId;
  switch (change.kind) {
    case "askedToUnmute":
      return ofSelf ? { kind: "askedToUnmute", byName: nameOf(change.byId) } : undefined;
    case "muted":
      if (!ofSelf || !byOther || !change.muted) return undefined;
      return { kind: "mutedByHost", byName: nameOf(change.byId) };
    case "hand":
      if (!ofSelf || !byOther || change.raised) return undefined;
      return { kind: "handLowered", byName: nameOf(change.byId) };
    case "host":
      if (!ofSelf || stay.roster.participants.get(selfId)?.host === change.host) return undefined;
      return { kind: change.host ? "madeHost" : "noHostAnyMore" };
    case "announcement":
      return { kind: "announcement", text: change.text };
    case "refused": {
      const act = stay.pending.find(({ id }) => id === cause?.operationId)?.act;
      return act === undefined ? undefined : refusedHint(act, change.reason);
    }
    default:
      return undefined;
  }
}

/** What the client does by itself is nobody's business, nor what ends with the meeting. */
export function refusedHint(act: Act, reason: ActRefusal): HintBody | undefined {
  const silent = act.kind === "setPresence" || reason === "meetingEnded";
  return silent ? undefined : { kind: "refused", act: act.kind, attempted: act, reason };
}

/** True if what the host asked for was done. */
export function answersAsked(stay: Stay, { change }: NumberedChange): boolean {
  return change.kind === "muted" && change.participantId === stay.selfId && !change.muted;
}

export function withoutAsked(hints: Hints, meetingId: string): Hints {
  const shown = hints.shown.filter(
    (hint) => hint.meetingId !== meetingId || hint.body.kind !== "askedToUnmute",
  );
  return shown.length === hints.shown.length ? hints : { ...hints, shown };
}

function replaces(hint: Hint, other: Hint): boolean {
  const { kind } = hint.body;
  const each = kind === "announcement" || kind === "refused";
  return !each && other.meetingId === hint.meetingId && other.body.kind === kind;
}
