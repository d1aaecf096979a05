// Who is in the meeting, what is true of it, and who speaks, as a pure function of what the relay
// has said. A snapshot replaces everything; events that it includes change nothing.

import type { Change, NumberedChange } from "./events";
import type { Participant } from "./participant";

export type { Change, NumberedChange } from "./events";
export type { Participant, Presence } from "./participant";

/** Somebody talks to some only. */
export interface Talk {
  readonly participantId: number;
  readonly targetIds: readonly number[];
}

export interface Snapshot {
  /** Also who waits in the lobby, for hosts. */
  readonly participants: readonly Participant[];
  /** Number of the last event that it includes. */
  readonly eventNumber: bigint;
  readonly locked: boolean;
  /** Undefined: nobody. */
  readonly spotlightId: number | undefined;
  /** Those that this terminal takes part in. */
  readonly talks: readonly Talk[];
}

export interface Roster {
  /** Who is in, by id. */
  readonly participants: ReadonlyMap<number, Participant>;
  /** Who waits in the lobby, by id; empty unless this terminal is a host's. */
  readonly lobby: ReadonlyMap<number, Participant>;
  /** Number of the last event that this includes. */
  readonly includes: bigint;
  /** Nobody else is let in. */
  readonly locked: boolean;
  /** Who is shown to everybody; undefined: nobody. */
  readonly spotlightId: number | undefined;
  /** Loudest first. */
  readonly speakers: readonly number[];
  readonly ended: boolean;
}

export const EMPTY_ROSTER: Roster = {
  participants: new Map(),
  lobby: new Map(),
  includes: 0n,
  locked: false,
  spotlightId: undefined,
  speakers: [],
  ended: false,
};

export function rosterOf(roster: Roster, snapshot: Snapshot): Roster {
  const { participants, eventNumber, locked, spotlightId } = snapshot;
  const byId = (waiting: boolean) =>
    new Map(participants.filter((p) => p.waiting === waiting).map((p) => [p.id, p]));
  return {
    participants: byId(false),
    lobby: byId(true),
    includes: eventNumber,
    locked,
    spotlightId,
    speakers: roster.speakers,
    ended: roster.ended,
  };
}

export function withEvent(roster: Roster, event: NumberedChange): Roster {
  if (event.number <= roster.includes) return roster;
  const next = { ...roster, includes: event.number };
  const { change } = event;
  switch (change.kind) {
    case "joined":
      return withJoined(next, change.participant);
    case "left":
      return withoutParticipant(next, change.participantId);
    case "locked":
      return { ...next, locked: change.locked };
    case "spotlight":
      return { ...next, spotlightId: change.participantId };
    case "ended":
      return { ...next, ended: true };
    default:
      return withChanged(next, event);
  }
}

export function withSpeakers(roster: Roster, speakers: readonly number[]): Roster {
  return { ...roster, speakers };
}

/** Raised hands, the first first. */
export function handsOf({ participants }: Roster): Participant[] {
  return [...participants.values()]
    .filter(({ handRaised }) => handRaised > 0n)
    .sort((a, b) => (a.handRaised < b.handRaised ? -1 : 1));
}

function withJoined(roster: Roster, participant: Participant): Roster {
  const { id, waiting } = participant;
  const participants = new Map(roster.participants);
  const lobby = new Map(roster.lobby);
  (waiting ? lobby : participants).set(id, participant);
  (waiting ? participants : lobby).delete(id);
  return { ...roster, participants, lobby };
}

function withoutParticipant(roster: Roster, id: number): Roster {
  const participants = new Map(roster.participants);
  const lobby = new Map(roster.lobby);
  participants.delete(id);
  lobby.delete(id);
  const spotlightId = roster.spotlightId === id ? undefined : roster.spotlightId;
  const speakers = roster.speakers.filter((speaker) => speaker !== id);
  return { ...roster, participants, lobby, spotlightId, speakers };
}

function withChanged(roster: Roster, { number, atMs, change }: NumberedChange): Roster {
  if (!("participantId" in change) || change.participantId === undefined) return roster;
  const participant = roster.participants.get(change.participantId);
  const more = changeOf(change, number, atMs);
  if (participant === undefined || more === undefined) return roster;
  const changed = { ...participant, ...more };
  return { ...roster, participants: new Map(roster.participants).set(participant.id, changed) };
}

function changeOf(change: Change, number: bigint, atMs: number): Partial<Participant> | undefined {
  switch (change.kind) {
    case "muted":
      return { muted: change.muted };
    case "presence":
      return {
        presence: change.presence,
        offlineReason: change.reason,
        unreachable: change.unreachable,
      };
    case "hand":
      return { handRaised: change.raised ? number : 0n };
    case "checkedIn":
      return { checkedInAtMs: atMs };
    case "host":
      return { host: change.host };
    case "named":
      return { displayName: change.displayName };
    default:
      return undefined;
  }
}
