import { describe, expect, it } from "vitest";
import { movementBetween, newsBetween } from "../src/meeting/announcements";
import { LANGUAGES } from "../src/i18n/language";
import { groupsOf, pathText } from "../src/meeting/groups";
import { EMPTY_ROSTER, handsOf, rosterOf, withEvent, withSpeakers } from "../src/meeting/roster";
import { shownPresence } from "../src/meeting/participant";
import type { Change, Participant, Presence, Roster } from "../src/meeting/roster";
import { absentMembers } from "../src/presence/absent";
import { after, event, participant, snapshotWith, stayWith } from "./meetings";

const start = (...people: Participant[]) => rosterOf(EMPTY_ROSTER, snapshotWith(5n, ...people));
/** The changes are the events 6, 7, … */
const follow = (roster: Roster, ...changes: Change[]) =>
  changes.reduce((so, change) => withEvent(so, event(so.includes + 1n, change)), roster);
const ids = (roster: Roster) => [...roster.participants.keys()].sort((a, b) => a - b);
const joined = (id: number, more: Partial<Participant> = {}): Change => ({
  kind: "joined",
  participant: participant(id, "a", more),
});
const left = (id: number): Change => ({ kind: "left", participantId: id, reason: "left" });
const hand = (id: number, raised: boolean): Change => ({
  kind: "hand",
  participantId: id,
  raised,
  byId: undefined,
});

describe("roster", () => {
  it("follows who comes and goes, over numbers with holes", () => {
    let roster = start(participant(1));
    roster = withEvent(roster, event(9n, joined(2)));
    roster = withEvent(roster, event(12n, left(1)));
    expect(ids(roster)).toEqual([2]);
    expect(roster.includes).toBe(12n);
  });

  it("is not changed by events that a snapshot includes", () => {
    const roster = start(participant(1));
    expect(withEvent(roster, event(5n, left(1)))).toBe(roster);
  });

  it("is replaced by a snapshot, but for who speaks", () => {
    const speaking = withSpeakers(start(participant(1)), [1]);
    const replaced = rosterOf(speaking, snapshotWith(11n, participant(2)));
    expect(ids(replaced)).toEqual([2]);
    expect(replaced.speakers).toEqual([1]);
  });

  it("mutes whom the event names and nobody else", () => {
    const muted = (participantId: number): Change => ({
      kind: "muted",
      participantId,
      muted: true,
      byId: 1,
    });
    const roster = follow(start(participant(1), participant(2)), muted(2), muted(77));
    expect(roster.participants.get(1)?.muted).toBe(false);
    expect(roster.participants.get(2)?.muted).toBe(true);
    expect(ids(roster)).toEqual([1, 2]);
  });

  it("moves somebody who comes back under another relay", () => {
    const back = { kind: "joined", participant: participant(1, "b") } as const;
    const roster = follow(start(participant(1, "a")), back);
    expect(roster.participants.get(1)?.relayId).toBe("b");
  });

  it("does not show somebody who left, neither as speaking nor in the spotlight", () => {
    const roster = withSpeakers(start(participant(1), participant(2)), [2, 1]);
    const shown = follow(roster, { kind: "spotlight", participantId: 2 }, left(2));
    expect(shown.speakers).toEqual([1]);
    expect(shown.spotlightId).toBeUndefined();
  });

  it("has hands in the order in which they were raised, not the latest of who came first", () => {
    const people = [participant(1), participant(2), participant(3)];
    let roster = follow(start(...people), hand(2, true), hand(3, true), hand(1, true));
    expect(handsOf(roster).map(({ id }) => id)).toEqual([2, 3, 1]);
    roster = follow(roster, hand(2, false), hand(2, true));
    expect(handsOf(roster).map(({ id }) => id)).toEqual([3, 1, 2]);
  });

  it("knows presence, check-in, hosts and names as told last", () => {
    const roster = follow(
      start(participant(1), participant(2)),
      {
        kind: "presence",
        participantId: 1,
        presence: "offline",
        reason: "interrupted",
        unreachable: false,
      },
      { kind: "checkedIn", participantId: 1 },
      { kind: "host", participantId: 2, host: true },
      { kind: "named", participantId: 2, displayName: "Dr. Two" },
      { kind: "locked", locked: true },
    );
    expect(roster.participants.get(1)).toMatchObject({
      presence: "offline",
      offlineReason: "interrupted",
      checkedInAtMs: 1_000_007,
    });
    expect(roster.participants.get(2)).toMatchObject({ host: true, displayName: "Dr. Two" });
    expect(roster.locked).toBe(true);
  });

  it("shows as away who is cut off, whatever they have chosen, until they can be reached", () => {
    const cutOff = (presence: Presence, unreachable: boolean): Change => ({
      kind: "presence",
      participantId: 1,
      presence,
      reason: undefined,
      unreachable,
    });
    const shown = (roster: Roster) => shownPresence(roster.participants.get(1) ?? participant(1));
    const roster = start(participant(1));
    expect(shown(roster)).toBe("online");
    const lost = follow(roster, cutOff("online", true));
    expect(shown(lost)).toBe("away");
    // What it has chosen stays known: its page compares it to what is wished.
    expect(lost.participants.get(1)).toMatchObject({ presence: "online", unreachable: true });
    expect(shown(follow(lost, cutOff("offline", true)))).toBe("offline");
    expect(shown(follow(lost, cutOff("online", false)))).toBe("online");
  });

  it("keeps who waits in the lobby apart, until let in or sent away", () => {
    const roster = follow(
      start(participant(1)),
      joined(7, { waiting: true }),
      joined(8, { waiting: true }),
    );
    expect(ids(roster)).toEqual([1]);
    expect([...roster.lobby.keys()]).toEqual([7, 8]);
    const answered = follow(roster, joined(7), left(8));
    expect(ids(answered)).toEqual([1, 7]);
    expect(answered.lobby.size).toBe(0);
  });

  it("goes over events that it does not know", () => {
    expect(follow(start(), { kind: "unknown" }).includes).toBe(6n);
  });
});

describe("members who are not in", () => {
  it("are those without a participant", () => {
    const members = [1, 2, 3].map((id) => ({ userId: `user-${id}`, role: "member" as const }));
    const absent = absentMembers(members, start(participant(2)));
    expect(absent.map(({ userId }) => userId)).toEqual(["user-1", "user-3"]);
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

  it("have the relay's own participant as their head, and count it as nobody", () => {
    const device = participant(9, "a", { relayItself: true, relayDepth: 2 });
    const people = [participant(1, "a", { relayDepth: 2 }), participant(4, "a"), device];
    const [group] = groupsOf(people, 4, "en");
    expect(group?.participants.map((p) => p.id)).toEqual([9, 4, 1]);
    expect(group).toMatchObject({ own: true, depth: 2, device: { id: 9 } });
    expect(group?.picture.map((p) => p.id)).toEqual([4, 1]);
    const [alone] = groupsOf([device], undefined, "en");
    expect(alone?.picture.map((p) => p.id)).toEqual([9]);
    expect(groupsOf([participant(1)], 1, "en")[0]).toMatchObject({ depth: 0, device: undefined });
  });

  it("are unreachable when all of them are", () => {
    const cutOff = (id: number, unreachable: boolean) => participant(id, "a", { unreachable });
    const unreachable = (...people: Participant[]) =>
      groupsOf(people, undefined, "en")[0]?.unreachable;
    expect(unreachable(cutOff(1, true), cutOff(2, true))).toBe(true);
    expect(unreachable(cutOff(1, true), cutOff(2, false))).toBe(false);
  });

  it("have a picture of up to four, who is there first", () => {
    const offline = { presence: "offline" } as const;
    const people = [participant(1, "a", offline), ...[2, 3, 4, 5].map((id) => participant(id))];
    const faces = (all: Participant[]) =>
      groupsOf(all, undefined, "en")[0]?.picture.map((p) => p.id);
    expect(faces(people)).toEqual([2, 3, 4, 5]);
    expect(faces(people.slice(0, 3))).toEqual([2, 3, 1]);
  });

  it("order numbered relays as people do", () => {
    const named = (id: number, name: string) =>
      participant(id, name, { relayName: name, relayId: name });
    const groups = groupsOf([named(1, "Room 10"), named(2, "Room 9")], undefined, "en");
    expect(groups.map((group) => group.name)).toEqual(["Room 9", "Room 10"]);
  });

  describe("of relays behind others", () => {
    /** Somebody behind the last of these relays. */
    const behind = (id: number, ...path: string[]) =>
      participant(id, path.join("/"), {
        relayName: path.at(-1) ?? "",
        relayDepth: path.length,
        relayPath: path,
      });
    const core = (id: number, name: string) => participant(id, name, { relayName: name });
    const shown = (people: Participant[], selfId?: number) =>
      groupsOf(people, selfId, "en").map(({ path }) => path.join(" › "));
    const people = [
      behind(1, "Office B", "Room 3"),
      core(2, "Hall"),
      behind(3, "Office A", "Room 10"),
      behind(4, "Office B"),
      behind(5, "Office A", "Room 9", "Desk"),
      behind(6, "Office A", "Room 9"),
      core(7, "Cloud"),
      behind(8, "Office A", "Annex"),
    ];

    it("are beside those of the same parent, each after the one it is behind", () => {
      expect(shown(people)).toEqual([
        "Cloud",
        "Hall",
        "Office A › Annex",
        "Office A › Room 9",
        "Office A › Room 9 › Desk",
        "Office A › Room 10",
        "Office B",
        "Office B › Room 3",
      ]);
    });

    it("begin with the own one and those nearest to it", () => {
      expect(shown(people, 5)).toEqual([
        "Office A › Room 9 › Desk",
        "Office A › Room 9",
        "Office A › Annex",
        "Office A › Room 10",
        "Cloud",
        "Hall",
        "Office B",
        "Office B › Room 3",
      ]);
      expect(shown(people, 7).slice(0, 3)).toEqual(["Cloud", "Hall", "Office A › Annex"]);
    });

    it("are known by their name and level alone when no path is told", () => {
      const untold = participant(1, "r", { relayName: "Room 3", relayDepth: 2 });
      expect(groupsOf([untold], undefined, "en")[0]).toMatchObject({
        name: "Room 3",
        path: ["Room 3"],
        depth: 2,
      });
      const told = { ...untold, id: 2, relayPath: ["Office A", "Room 3"] };
      expect(shown([untold, told])).toEqual(["Office A › Room 3"]);
    });

    it("are read out as one phrase in every language", () => {
      const path = ["Office A", "Room 3"];
      expect(pathText(path)).toBe("Office A › Room 3");
      expect(LANGUAGES.en.group.path(path)).toBe("Office A, Room 3");
      expect(LANGUAGES["zh-CN"].group.path(path)).toBe("Office A，Room 3");
    });
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

  it("tell of a relay that is cut off, and that is back, once for all behind it", () => {
    const change = (number: bigint, participantId: number, unreachable: boolean) =>
      event(number, {
        kind: "presence",
        participantId,
        presence: "online",
        reason: undefined,
        unreachable,
      });
    const before = stayWith(participant(1, "b"), participant(2, "b"));
    const lost = after(before, change(11n, 1, true), change(12n, 2, true));
    expect(newsBetween(before, lost)).toMatchObject({ cutOff: ["Office B"], reachable: [] });
    const back = after(lost, change(13n, 1, false), change(14n, 2, false));
    expect(newsBetween(lost, back)).toMatchObject({ cutOff: [], reachable: ["Office B"] });
  });

  it("tell what others did, once", () => {
    const before = stayWith(participant(4, "a", { presence: "away" }));
    const now = after(
      before,
      event(11n, hand(1, true)),
      event(12n, {
        kind: "presence",
        participantId: 2,
        presence: "away",
        reason: undefined,
        unreachable: false,
      }),
      event(13n, {
        kind: "presence",
        participantId: 4,
        presence: "online",
        reason: undefined,
        unreachable: false,
      }),
      event(14n, { kind: "chat", fromId: 1, fromName: "Person 1", text: "hello", toIds: [] }),
      event(15n, { kind: "chat", fromId: 3, fromName: "Person 3", text: "hi", toIds: [] }),
      event(16n, { kind: "talk", participantId: 2, targetIds: [3] }),
      event(17n, joined(9, { waiting: true })),
    );
    expect(newsBetween(before, now)).toEqual({
      joined: [],
      left: [],
      cutOff: [],
      reachable: [],
      hands: ["Person 1"],
      away: ["Person 2"],
      back: ["Person 4"],
      privately: ["Person 2"],
      waiting: ["Person 9"],
      messages: 1,
    });
    const nothing = {
      joined: [],
      left: [],
      cutOff: [],
      reachable: [],
      hands: [],
      away: [],
      back: [],
      privately: [],
    };
    expect(newsBetween(now, now)).toEqual({ ...nothing, waiting: [], messages: 0 });
  });
});
