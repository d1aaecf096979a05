// Talk to some only, as a pure function of what is wished and what the meeting says: who talks to
// whom privately, and where the microphone goes meanwhile. Between the floor and private talk it goes
// nowhere, until the meeting has answered: not a syllable is heard by others. Whoever has begun it is
// not put back on the floor but by their own doing, however it ends.

import type { NumberedChange } from "../meeting/events";
import type { Talk } from "../meeting/roster";

export type TalkPhase =
  /** On the floor. */
  | "floor"
  /** Asked for, not in force. */
  | "asking"
  /** In force: the targets hear. */
  | "private"
  /** On the way back to the floor. */
  | "ending"
  /** In force, or not known whether it is, and not to go on: to be ended. */
  | "adrift"
  /** It has ended, but not by the person: nobody hears them until they let go. */
  | "unheard";

/** My own talk. */
export interface OwnTalk {
  readonly phase: TalkPhase;
  /** To whom; empty on the floor. */
  readonly targetIds: readonly number[];
  /** Goes on without being held. */
  readonly latched: boolean;
  /** The person has begun it, and has neither let go nor stopped it since. */
  readonly begun: boolean;
  /** The operation whose result is awaited, empty if none. */
  readonly operationId: string;
}

export interface Talks {
  readonly own: OwnTalk;
  /** Who talks to me privately, with everybody whom they talk to that I may know of. */
  readonly incoming: ReadonlyMap<number, readonly number[]>;
}

/** Where what the microphone hears goes. */
export type Outlet = "floor" | "private" | "nowhere";

export type TalkAction =
  /** A `talkTo` was sent under this id. */
  | { kind: "wished"; targetIds: readonly number[]; latched: boolean; operationId: string }
  /** A `talkTo` without targets was sent under this id; it may be the end without being wished. */
  | { kind: "ending"; operationId: string }
  /** The person has let go, or stopped it. */
  | { kind: "letGo" }
  /** Begun by the person, but it can't be: there is nobody to talk to, or nothing could be sent. */
  | { kind: "failed"; latched: boolean }
  /** What is under way goes on without being held. */
  | { kind: "latched" };

const ON_THE_FLOOR: OwnTalk = {
  phase: "floor",
  targetIds: [],
  latched: false,
  begun: false,
  operationId: "",
};

export const NO_TALKS: Talks = { own: ON_THE_FLOOR, incoming: new Map() };

export function reduceTalks(talks: Talks, action: TalkAction): Talks {
  const own = reduceOwn(talks.own, action);
  return own === talks.own ? talks : { ...talks, own };
}

function reduceOwn(own: OwnTalk, action: TalkAction): OwnTalk {
  switch (action.kind) {
    case "wished": {
      const { targetIds, latched, operationId } = action;
      return { phase: "asking", targetIds, latched, begun: true, operationId };
    }
    case "ending":
      return { ...own, phase: "ending", targetIds: [], operationId: action.operationId };
    case "letGo": {
      if (!own.begun) return own;
      const free = { ...own, latched: false, begun: false };
      return own.phase === "unheard" ? ended(free) : isWished(own) ? adrift(free) : free;
    }
    case "failed": {
      const begun = { ...own, latched: action.latched, begun: true };
      if (own.phase === "floor" || own.phase === "unheard") return ended(begun);
      return own.phase === "ending" ? begun : adrift(begun);
    }
    case "latched":
      return isWished(own) ? { ...own, latched: true } : own;
  }
}

export function isWished({ phase }: OwnTalk): boolean {
  return phase === "asking" || phase === "private";
}

/**
 * Whether a key that is held is for private talk. What is meant for some who were chosen is not for
 * everybody, even if none of them is there any more.
 */
export function isForSome(chosenIds: readonly number[], own: OwnTalk): boolean {
  return chosenIds.length > 0 || own.begun;
}

/** Begun, and heard by nobody: it ends or has ended without the person, or all have left whom it is for. */
export function isUnheard(own: OwnTalk, there: { has(id: number): boolean }): boolean {
  if (own.phase === "private") return !own.targetIds.some((id) => there.has(id));
  return own.begun && own.phase !== "asking";
}

/** As another participant: nothing of before is in force. */
export function talksAnew({ own }: Talks): Talks {
  return { own: ended(own), incoming: new Map() };
}

/** What a snapshot says. A talk that this page knows nothing of is adrift. */
export function talksOf(talks: Talks, told: readonly Talk[], selfId: number): Talks {
  const incoming = new Map(
    told
      .filter(({ participantId }) => participantId !== selfId)
      .map(({ participantId, targetIds }) => [participantId, targetIds]),
  );
  const mine = told.find(({ participantId }) => participantId === selfId)?.targetIds ?? [];
  return { own: talks.own.operationId === "" ? unasked(talks.own, mine) : talks.own, incoming };
}

export function withTalkEvent(talks: Talks, event: NumberedChange, selfId: number): Talks {
  const { change, cause } = event;
  const { own } = talks;
  if (own.operationId !== "" && cause?.operationId === own.operationId) {
    return { ...talks, own: answered(own, event) };
  }
  switch (change.kind) {
    case "talk":
      if (change.participantId !== selfId) return withIncoming(talks, change, selfId);
      // What was asked since then decides.
      if (own.operationId !== "") return talks;
      return { ...talks, own: unasked(own, change.targetIds) };
    case "left":
      return withoutTalker(talks, change.participantId);
    default:
      return talks;
  }
}

/** The relay has not taken the operation: it will have no event. */
export function withTalkDropped(talks: Talks, operationId: string): Talks {
  const { own } = talks;
  if (own.operationId === "" || own.operationId !== operationId) return talks;
  return { ...talks, own: refused(own) };
}

export function outletOf({ own }: Talks): Outlet {
  switch (own.phase) {
    case "floor":
      return "floor";
    case "private":
      return "private";
    default:
      return "nowhere";
  }
}

function answered(own: OwnTalk, { change }: NumberedChange): OwnTalk {
  const settled = { ...own, operationId: "" };
  switch (change.kind) {
    case "talk":
      return inForce(settled, change.targetIds);
    case "done":
      return inForce(settled, own.targetIds);
    default:
      return refused(own);
  }
}

/** Told without having been asked for: the registry ends talks, or takes targets out who left. */
function unasked(own: OwnTalk, targetIds: readonly number[]): OwnTalk {
  if (targetIds.length === 0) return ended(own);
  if (own.phase === "private") return { ...own, targetIds };
  return adrift({ ...own, targetIds });
}

function inForce(own: OwnTalk, targetIds: readonly number[]): OwnTalk {
  return targetIds.length === 0 ? ended(own) : { ...own, phase: "private", targetIds };
}

/** An earlier talk may still be in force; but what can't be ended is over with its meeting or session. */
function refused(own: OwnTalk): OwnTalk {
  return own.phase === "ending" ? ended(own) : adrift(own);
}

function adrift(own: OwnTalk): OwnTalk {
  return { ...own, phase: "adrift", operationId: "" };
}

/** Nothing is in force any more. Only who has let go is back on the floor. */
function ended(own: OwnTalk): OwnTalk {
  return own.begun ? { ...own, phase: "unheard", targetIds: [], operationId: "" } : ON_THE_FLOOR;
}

function withIncoming(talks: Talks, { participantId, targetIds }: Talk, selfId: number): Talks {
  if (!targetIds.includes(selfId)) return withoutTalker(talks, participantId);
  return { ...talks, incoming: new Map(talks.incoming).set(participantId, targetIds) };
}

function withoutTalker(talks: Talks, id: number): Talks {
  if (!talks.incoming.has(id)) return talks;
  const incoming = new Map(talks.incoming);
  incoming.delete(id);
  return { ...talks, incoming };
}
