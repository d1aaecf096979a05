import { describe, expect, it } from "vitest";
import { movementBetween } from "../src/meeting/announcements";
import { groupsOf } from "../src/meeting/groups";
import { EMPTY_ROSTER, reduceRoster } from "../src/meeting/roster";
import type { Change, Participant, Roster } from "../src/meeting/roster";

function participant(id: number, relay = "a", more: Partial<Participant> = {}): Participant {
  return {
    id,
    userId: `user-${id}`,
    displayName: `Person ${id}`,
    guest: false,
    relayId: relay,
    relayName: `Office ${relay.toUpperCase()}`,
    muted: false,
    ...more,
  };
}

function snapshot(roster: Roster, eventNumber: bigint, ...participants: Participant[]): Roster {
  return reduceRoster(roster, { kind: "snapshot", snapshot: { participants, eventNumber } });
}

function event(roster: Roster, number: bigint, change: Change): Roster {
  return reduceRoster(roster, { kind: "event", event: { number, change } });
}

const ids = (roster: Roster) => [...roster.participants.keys()].sort((a, b) => a - b);
const joined = (id: number): Change => ({ kind: "joined", participant: participant(id) });
const left = (id: number): Change => ({ kind: "left", participantId: id, lost: false });

describe("roster", () => {
  it("applies events in the order of their numbers, whatever order they come in", () => {
    const start = snapshot(EMPTY_ROSTER, 5n, participant(1));
    const early = event(start, 7n, left(2));
    expect(ids(early)).toEqual([1]);
    expect(early.waiting).toHaveLength(1);
    const whole = event(early, 6n, joined(2));
    expect(ids(whole)).toEqual([1]);
    expect(whole.cursor).toBe(7n);
    expect(whole.waiting).toHaveLength(0);
  });

  it("ignores an event that it has, applied or waiting", () => {
    const start = snapshot(EMPTY_ROSTER, 5n, participant(1));
    expect(event(start, 5n, left(1))).toBe(start);
    const waiting = event(start, 8n, joined(3));
    expect(event(waiting, 8n, joined(4))).toBe(waiting);
  });

  it("goes on without missing events when they are given up", () => {
    const waiting = event(snapshot(EMPTY_ROSTER, 1n), 4n, joined(9));
    const given = reduceRoster(waiting, { kind: "gapGivenUp" });
    expect(ids(given)).toEqual([9]);
    expect(given.cursor).toBe(4n);
  });

  it("does not hold back events without limit", () => {
    let roster = snapshot(EMPTY_ROSTER, 0n);
    for (let number = 2n; number < 200n; number++) {
      roster = event(roster, number, joined(Number(number)));
      expect(roster.waiting.length).toBeLessThanOrEqual(64);
    }
    expect(roster.cursor).toBe(199n);
  });

  it("is replaced by a snapshot, and keeps only later events that wait", () => {
    let roster = snapshot(EMPTY_ROSTER, 1n, participant(1));
    roster = event(roster, 4n, joined(4));
    roster = event(roster, 12n, joined(12));
    roster = snapshot(roster, 11n, participant(2));
    expect(ids(roster)).toEqual([2, 12]);
    expect(roster.cursor).toBe(12n);
  });

  it("mutes whom the event names and nobody else", () => {
    const start = snapshot(EMPTY_ROSTER, 1n, participant(1), participant(2));
    const roster = event(start, 2n, { kind: "muted", participantId: 2, muted: true });
    expect(roster.participants.get(1)?.muted).toBe(false);
    expect(roster.participants.get(2)?.muted).toBe(true);
    const unknown = event(roster, 3n, { kind: "muted", participantId: 77, muted: true });
    expect(ids(unknown)).toEqual([1, 2]);
  });

  it("moves somebody who comes back under another relay", () => {
    const start = snapshot(EMPTY_ROSTER, 1n, participant(1, "a"));
    const change = { kind: "joined", participant: participant(1, "b") } as const;
    expect(event(start, 2n, change).participants.get(1)?.relayId).toBe("b");
  });

  it("does not show somebody who left as speaking", () => {
    let roster = snapshot(EMPTY_ROSTER, 1n, participant(1), participant(2));
    roster = reduceRoster(roster, { kind: "speakers", ids: [2, 1] });
    expect(event(roster, 2n, left(2)).speakers).toEqual([1]);
  });

  it("moves the cursor over events that it does not know", () => {
    const roster = event(snapshot(EMPTY_ROSTER, 1n), 2n, { kind: "unknown" });
    expect(roster.cursor).toBe(2n);
  });
});

describe("groups", () => {
  it("put the own group first and oneself first in it", () => {
    const people = [
      participant(1, "a"),
      participant(2, "c"),
      participant(3, "b"),
      participant(4, "c"),
    ];
    const groups = groupsOf(people, 4, "en");
    expect(groups.map((group) => group.name)).toEqual(["Office C", "Office A", "Office B"]);
    expect(groups[0]?.own).toBe(true);
    expect(groups[0]?.participants.map((p) => p.id)).toEqual([4, 2]);
  });

  it("order numbered relays as people do", () => {
    const named = (id: number, name: string) =>
      participant(id, name, { relayName: name, relayId: name });
    const groups = groupsOf([named(1, "Room 10"), named(2, "Room 9")], undefined, "en");
    expect(groups.map((group) => group.name)).toEqual(["Room 9", "Room 10"]);
  });

  it("keep relays of the same name apart, and name a nameless one by its id", () => {
    const people = [
      participant(1, "x", { relayName: "Hall" }),
      participant(2, "y", { relayName: "Hall" }),
      participant(3, "z", { relayName: "" }),
    ];
    const groups = groupsOf(people, undefined, "en");
    expect(groups.map((group) => [group.relayId, group.name])).toEqual([
      ["x", "Hall"],
      ["y", "Hall"],
      ["z", "z"],
    ]);
  });
});

describe("announcements", () => {
  const rosterOf = (...people: Participant[]) => new Map(people.map((p) => [p.id, p]));

  it("tell who came and who went, without oneself", () => {
    const before = rosterOf(participant(1), participant(2));
    const after = rosterOf(participant(2), participant(3), participant(9));
    expect(movementBetween(before, after, 9)).toEqual({
      joined: ["Person 3"],
      left: ["Person 1"],
    });
  });
});
