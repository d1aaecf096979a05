// Who is in the meeting and who speaks, as a pure function of what the relay has said. Events are
// applied in the order of their numbers, each once; a snapshot replaces everything.

export interface Participant {
  readonly id: number;
  readonly userId: string;
  readonly displayName: string;
  readonly guest: boolean;
  readonly relayId: string;
  readonly relayName: string;
  readonly muted: boolean;
}

export type Change =
  | { kind: "joined"; participant: Participant }
  | { kind: "left"; participantId: number; lost: boolean }
  | { kind: "muted"; participantId: number; muted: boolean }
  | { kind: "ended" }
  /** Subject, time or the like was changed; this is the subject now. */
  | { kind: "renamed"; subject: string }
  /** Members or attachments were changed: to be read again. */
  | { kind: "detailsChanged" }
  /** Something that this client does not know; it only moves the cursor. */
  | { kind: "unknown" };

export interface NumberedChange {
  readonly number: bigint;
  readonly change: Change;
}

export interface Snapshot {
  readonly participants: readonly Participant[];
  readonly eventNumber: bigint;
}

export interface Roster {
  /** By id. */
  readonly participants: ReadonlyMap<number, Participant>;
  /** Number of the last event applied. */
  readonly cursor: bigint;
  /** Events that came before their predecessors, by number. */
  readonly waiting: readonly NumberedChange[];
  /** Loudest first. */
  readonly speakers: readonly number[];
  readonly ended: boolean;
}

export type RosterAction =
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "event"; event: NumberedChange }
  | { kind: "speakers"; ids: readonly number[] }
  /** The missing events have not come in time: go on without them. */
  | { kind: "gapGivenUp" };

/** More events than this are not held back for a missing one. */
const WAITING_MAX = 64;

export const EMPTY_ROSTER: Roster = {
  participants: new Map(),
  cursor: 0n,
  waiting: [],
  speakers: [],
  ended: false,
};

export function reduceRoster(roster: Roster, action: RosterAction): Roster {
  switch (action.kind) {
    case "snapshot":
      return ofSnapshot(roster, action.snapshot);
    case "speakers":
      return { ...roster, speakers: action.ids };
    case "gapGivenUp":
      return applyAll(roster);
    case "event":
      return take(roster, action.event);
  }
}

function ofSnapshot(roster: Roster, snapshot: Snapshot): Roster {
  const held = roster.waiting.filter((event) => event.number > snapshot.eventNumber);
  return applyContiguous({
    ...roster,
    participants: new Map(snapshot.participants.map((p) => [p.id, p])),
    cursor: snapshot.eventNumber,
    waiting: held,
  });
}

function take(roster: Roster, event: NumberedChange): Roster {
  const known = roster.waiting.some((other) => other.number === event.number);
  if (event.number <= roster.cursor || known) return roster;
  const waiting = [...roster.waiting, event].sort((a, b) => (a.number < b.number ? -1 : 1));
  const next = applyContiguous({ ...roster, waiting });
  return next.waiting.length > WAITING_MAX ? applyAll(next) : next;
}

function applyContiguous(roster: Roster): Roster {
  const [first, ...rest] = roster.waiting;
  if (first === undefined || first.number !== roster.cursor + 1n) return roster;
  return applyContiguous({ ...apply(roster, first), waiting: rest });
}

function applyAll(roster: Roster): Roster {
  return { ...roster.waiting.reduce(apply, roster), waiting: [] };
}

function apply(roster: Roster, { number, change }: NumberedChange): Roster {
  const next = { ...roster, cursor: number };
  switch (change.kind) {
    case "joined":
      return { ...next, participants: withParticipant(roster, change.participant) };
    case "left": {
      const participants = new Map(roster.participants);
      participants.delete(change.participantId);
      const speakers = roster.speakers.filter((id) => id !== change.participantId);
      return { ...next, participants, speakers };
    }
    case "muted": {
      const participant = roster.participants.get(change.participantId);
      if (participant === undefined) return next;
      const changed = { ...participant, muted: change.muted };
      return { ...next, participants: withParticipant(roster, changed) };
    }
    case "ended":
      return { ...next, ended: true };
    case "renamed":
    case "detailsChanged":
    case "unknown":
      return next;
  }
}

function withParticipant(roster: Roster, participant: Participant): Map<number, Participant> {
  return new Map(roster.participants).set(participant.id, participant);
}
