// Talk to some only, as a pure function of what is wished and what the meeting says: who talks to
// whom privately, and where the microphone goes meanwhile. Between the floor and private talk it goes
// nowhere, until the meeting has answered: not a syllable is heard by others.

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
  /** In force, or not known whether it is, and wished by nobody: to be ended. */
  | "adrift";

/** My own talk. */
export interface OwnTalk {
  readonly phase: TalkPhase;
  /** To whom; empty on the floor. */
  readonly targetIds: readonly number[];
  /** Goes on without being held. */
  readonly latched: boolean;
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
  /** A `talkTo` was sent under this id; no targets: back to the floor. */
  | { kind: "wished"; targetIds: readonly number[]; latched: boolean; operationId: string }
  /** What is under way goes on without being held. */
  | { kind: "latched" };

const ON_THE_FLOOR: OwnTalk = { phase: "floor", targetIds: [], latched: false, operationId: "" };

export const NO_TALKS: Talks = { own: ON_THE_FLOOR, incoming: new Map() };

export function reduceTalks(talks: Talks, action: TalkAction): Talks {
  const { own } = talks;
  if (action.kind === "latched") {
    const talking = own.phase === "asking" || own.phase === "private";
    return talking ? { ...talks, own: { ...own, latched: true } } : talks;
  }
  const { targetIds, latched, operationId } = action;
  const phase = targetIds.length === 0 ? "ending" : "asking";
  return { ...talks, own: { phase, targetIds, latched, operationId } };
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
  if (targetIds.length === 0) return ON_THE_FLOOR;
  if (own.phase === "private") return { ...own, targetIds };
  return { phase: "adrift", targetIds, latched: false, operationId: "" };
}

function inForce(own: OwnTalk, targetIds: readonly number[]): OwnTalk {
  return targetIds.length === 0 ? ON_THE_FLOOR : { ...own, phase: "private", targetIds };
}

/** An earlier talk may still be in force; but what can't be ended is over with its meeting or session. */
function refused(own: OwnTalk): OwnTalk {
  if (own.phase === "ending") return ON_THE_FLOOR;
  return { phase: "adrift", targetIds: own.targetIds, latched: false, operationId: "" };
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
