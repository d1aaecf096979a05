// Meetings and people for tests of what is pure.

import type { Change, NumberedChange } from "../src/meeting/events";
import type { Participant } from "../src/meeting/participant";
import type { Snapshot } from "../src/meeting/roster";
import { beginStay, reduceStay } from "../src/session/stay";
import type { Stay } from "../src/session/stay";
import type { Meeting } from "../src/session/wire";

export const meeting: Meeting = {
  id: "42",
  organisation: "acme",
  subject: "Plans",
  organiserUserId: "u",
  organiserName: "",
  hasPassword: false,
  lobby: false,
  startsAtMs: undefined,
  endedAtMs: undefined,
};

export function participant(id: number, relay = "a", more: Partial<Participant> = {}): Participant {
  return {
    id,
    userId: `user-${id}`,
    displayName: `Person ${id}`,
    guest: false,
    relayId: relay,
    relayName: `Office ${relay.toUpperCase()}`,
    relayDepth: 0,
    relayPath: [],
    relayItself: false,
    unreachable: false,
    muted: false,
    presence: "online",
    offlineReason: undefined,
    handRaised: 0n,
    checkedInAtMs: undefined,
    host: false,
    waiting: false,
    ...more,
  };
}

export function snapshotWith(eventNumber: bigint, ...participants: Participant[]): Snapshot {
  return { participants, eventNumber, locked: false, spotlightId: undefined, talks: [] };
}

/** `operationId`: of the participant whom `by` names. */
export function event(
  number: bigint,
  change: Change,
  operationId?: string,
  by = 3,
): NumberedChange {
  const cause = operationId === undefined ? undefined : { participantId: by, operationId };
  return { number, atMs: 1_000_000 + Number(number), cause, change };
}

/** Participant 3 in a meeting with 1 and 2, up to event 10. */
export function stayWith(...more: Participant[]): Stay {
  const people = [participant(1), participant(2), participant(3), ...more];
  return beginStay(meeting, 3, snapshotWith(10n, ...people), []);
}

export function after(stay: Stay, ...events: NumberedChange[]): Stay {
  return events.reduce((so, one) => reduceStay(so, { kind: "event", event: one }), stay);
}
