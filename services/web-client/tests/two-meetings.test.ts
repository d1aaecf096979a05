import { beforeEach, describe, expect, it, vi } from "vitest";
import { LeaveReason, Presence } from "../src/gen/tributary/event/v1/event_pb";
import { OfflineReason, PresenceWish } from "../src/gen/tributary/operation/v1/operation_pb";
import { Role } from "../src/gen/tributary/access/v1/access_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import type { Notice } from "../src/notices/notices";
import { otherStay } from "../src/session/state";
import { World, account, refusal } from "./world";

const invitation: Notice = {
  id: "n9",
  meetingId: "43",
  subject: "Other",
  fromUserId: "u8",
  fromName: "Grace",
  expiresAtMs: Number.POSITIVE_INFINITY,
  kind: { kind: "added" },
};
const state = (world: World) => world.session.state.get();
const live = (world: World) => {
  const { place } = state(world);
  return place.kind === "inside" ? place.stay.meeting.id : place.kind;
};
/** What became of the way of audio, whatever went along it. */
const ways = (world: World) => world.audio.filter((done) => done.endsWith("connect"));
const other = (world: World) => otherStay(state(world))?.meeting.id;
const hints = (world: World) =>
  state(world).hints.shown.map(({ meetingId, body }) => ({
    meetingId,
    ...body,
  }));

async function inBoth(world = new World()): Promise<World> {
  await world.inside();
  world.session.accept(invitation);
  await vi.waitFor(() => expect(live(world)).toBe("43"));
  return world;
}

describe("two meetings", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("are both joined when an invitation is accepted, over one connection and one way of audio", async () => {
    const world = await inBoth();
    expect(world.lines).toHaveLength(1);
    expect(world.said("join").map(({ meetingId, held }) => [meetingId, held])).toEqual([
      ["42", false],
      ["43", true],
    ]);
    expect(world.said("switchMeeting")).toMatchObject([{ meetingId: "43" }]);
    expect(other(world)).toBe("42");
    expect(ways(world)).toEqual(["connect"]);
    const [first, second] = world.said("join");
    expect(first?.sessionId).not.toBe(second?.sessionId);
  });

  it("are told where one is, each counted for itself", async () => {
    const world = await inBoth();
    const left = await world.operation("setPresence", "42");
    const entered = await world.operation("setPresence", "43");
    expect(left.body.value).toMatchObject({
      presence: PresenceWish.OFFLINE,
      reason: OfflineReason.OTHER_MEETING,
    });
    expect(entered.body.value).toMatchObject({ presence: PresenceWish.ONLINE });
    expect(left).toMatchObject({ clientSequence: 1n, participantId: 3 });
    expect(entered).toMatchObject({ clientSequence: 1n, participantId: 5 });
  });

  it("are switched in one step, and back, without a new offer", async () => {
    const world = await inBoth();
    const value = {
      participantId: 3,
      presence: Presence.OFFLINE,
      reason: OfflineReason.OTHER_MEETING,
    };
    world.happen({ case: "presenceChanged", value }, await world.operation("setPresence", "42"));
    await world.session.switchTo("42");
    expect([live(world), other(world)]).toEqual(["42", "43"]);
    await vi.waitFor(() => expect(world.operations("42")).toHaveLength(2));
    const wish = world.operations("42").at(-1)?.body.value;
    expect(wish).toMatchObject({ presence: PresenceWish.ONLINE });
    expect(ways(world)).toEqual(["connect"]);
    expect(state(world).busy).toBeUndefined();
  });

  it("both go on being told what happens; what is new in the held one is counted", async () => {
    const world = await inBoth();
    const value = { participantId: 8, displayName: "Grace", text: "still there?" };
    world.happen({ case: "chatMessage", value }, undefined, "42");
    world.happen({ case: "handChanged", value: { participantId: 9, raised: true } });
    expect(otherStay(state(world))?.chat.unread).toBe(1);
    expect(world.stay("42").roster.participants.get(9)?.handRaised).toBe(12n);
    expect(world.stay("43").chat.entries).toEqual([]);
    world.session.openChat("42", true);
    expect(otherStay(state(world))?.chat.unread).toBe(0);
  });

  it("are both come back to after a lost connection, each from its cursor and as it was", async () => {
    const world = await inBoth();
    world.happen(undefined, undefined, "43");
    world.line.drop();
    await world.back(2);
    await vi.waitFor(() => expect(world.said("join")).toHaveLength(4));
    const joins = world.said("join").slice(2);
    const of = (id: string) => joins.find(({ meetingId }) => meetingId === id);
    expect(of("42")).toMatchObject({ held: true, cursor: 10n });
    expect(of("43")).toMatchObject({ held: false, cursor: 11n });
    await vi.waitFor(() => expect(state(world).other?.hindrance).toBeUndefined());
    expect([live(world), other(world)]).toEqual(["43", "42"]);
    expect(ways(world)).toEqual(["connect", "connect"]);
  });

  it("can be left one by one: who leaves the live one is live in the other", async () => {
    const world = await inBoth();
    world.session.leave();
    await vi.waitFor(() => expect(live(world)).toBe("42"));
    await vi.waitFor(() => expect(world.said("leave")).toMatchObject([{ meetingId: "43" }]));
    expect(state(world).other).toBeUndefined();
    expect(world.said("switchMeeting").map(({ meetingId }) => meetingId)).toEqual(["43", "42"]);
    expect(world.line.closed).toBe(false);
    expect(ways(world)).toEqual(["connect"]);
    world.session.leave();
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
    expect(live(world)).toBe("over");
    expect(world.audio.at(-1)).toBe("disconnect");
  });

  it("can be left by leaving the held one", async () => {
    const world = await inBoth();
    world.session.leave("42");
    await vi.waitFor(() => expect(world.said("leave")).toMatchObject([{ meetingId: "42" }]));
    expect([live(world), other(world)]).toEqual(["43", undefined]);
    expect(world.said("switchMeeting")).toHaveLength(1);
  });

  it("go on in the other when the live one ends, muted", async () => {
    const world = await inBoth();
    world.happen({ case: "ended", value: {} }, undefined, "43");
    expect([live(world), other(world)]).toEqual(["42", undefined]);
    expect(world.muted.get()).toBe(true);
    expect(hints(world)).toMatchObject([
      { meetingId: "43", kind: "meetingOver", reason: "ended", wasLive: true },
    ]);
    await vi.waitFor(() => expect(world.said("switchMeeting")).toHaveLength(2));
    expect(world.line.closed).toBe(false);
    // The peer connection has gone with the meeting that it was live in.
    await vi.waitFor(() => expect(ways(world)).toEqual(["connect", "connect"]));
  });

  it("come anew by another connection when the relay can't move the audio", async () => {
    const world = await inBoth();
    world.refuseNext.set("switchMeeting", [RefusalCode.OUT_OF_ORDER]);
    world.happen({ case: "ended", value: {} }, undefined, "43");
    await world.back(2);
    expect(world.said("join").at(-1)).toMatchObject({ meetingId: "42", held: false });
    expect(ways(world)).toEqual(["connect", "connect"]);
  });

  it("go on without a word of the held one when that ends or takes one out", async () => {
    const world = await inBoth();
    world.line.tell("42", refusal(RefusalCode.REMOVED));
    await vi.waitFor(() => expect(state(world).other).toBeUndefined());
    expect(live(world)).toBe("43");
    expect(world.muted.get()).toBe(false);
    expect(hints(world)).toMatchObject([
      { kind: "meetingOver", reason: "removed", wasLive: false },
    ]);
  });

  it("leave one in the first when the second refuses", async () => {
    const world = await new World().inside();
    world.refuseNext.set("requestJoinCredential", [RefusalCode.MEETING_LOCKED]);
    world.session.accept(invitation);
    await vi.waitFor(() =>
      expect(hints(world)).toMatchObject([{ kind: "notJoined", reason: "meetingLocked" }]),
    );
    expect(live(world)).toBe("42");
    expect(state(world).other).toBeUndefined();
    expect(state(world).problem).toBeUndefined();
  });

  it("stay as they are when switching is refused", async () => {
    const world = await inBoth();
    world.refuseNext.set("switchMeeting", [RefusalCode.TRY_AGAIN]);
    await world.session.switchTo("42");
    expect(live(world)).toBe("43");
    expect(hints(world)).toMatchObject([{ kind: "notSwitched", reason: "tryAgain" }]);
  });

  it("are no more than two", async () => {
    const world = await inBoth();
    world.session.accept({ ...invitation, meetingId: "44" });
    expect(hints(world)).toMatchObject([{ meetingId: "44", kind: "twoAlready" }]);
    expect(world.said("join")).toHaveLength(2);
  });

  it("wait for a host of the second without leaving the first", async () => {
    const world = await new World().inside();
    world.lobbies.add("43");
    world.session.accept(invitation);
    await vi.waitFor(() => expect(state(world).other?.kind).toBe("waiting"));
    expect(live(world)).toBe("42");
    world.line.tell("43", { case: "roster", value: world.roster("43", false, true) });
    expect(other(world)).toBe("43");
    expect(live(world)).toBe("42");
    expect(hints(world)).toMatchObject([{ meetingId: "43", kind: "letIn" }]);
    await world.session.switchTo("43");
    expect(live(world)).toBe("43");
  });

  it("do not take private talk along", async () => {
    const world = await inBoth();
    world.session.talk.latch([8]);
    const asked = await world.operation("talkTo", "43");
    world.happen({ case: "talkChanged", value: { participantId: 5, targetIds: [8] } }, asked, "43");
    expect(world.audio.at(-1)).toBe("private");
    await world.session.switchTo("42");
    expect(world.audio.slice(-2)).toEqual(["nowhere", "floor"]);
    const talks = () => world.operations("43").filter(({ body }) => body.case === "talkTo");
    await vi.waitFor(() => expect(talks()).toHaveLength(2));
    expect(talks()[1]?.body.value).toMatchObject({ participantIds: [] });
  });

  it("are not spoken into with what is said in the other, from the request to its answer", async () => {
    const world = await inBoth();
    expect(world.audio).toEqual(["connect", "nowhere", "floor"]);
    world.refuseNext.set("switchMeeting", [RefusalCode.TRY_AGAIN]);
    const refused = world.session.switchTo("42");
    expect(world.audio.at(-1)).toBe("nowhere");
    await refused;
    expect(world.audio.at(-1)).toBe("floor");
    const switched = world.session.switchTo("42");
    expect(world.audio.at(-1)).toBe("nowhere");
    expect(live(world)).toBe("43");
    await switched;
    expect(world.audio.at(-1)).toBe("floor");
  });

  it("are not spoken into by who holds private talk while they are switched", async () => {
    const world = await inBoth();
    world.session.talk.press([8]);
    await world.operation("talkTo", "43");
    await world.session.switchTo("42");
    expect(world.stay("42").talks.own).toMatchObject({ phase: "unheard", begun: true });
    expect(world.audio.at(-1)).toBe("nowhere");
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("floor");
    expect(world.stay("43").talks.own.begun).toBe(false);
  });

  const mutedByHost = (world: World, meetingId: string, participantId: number) =>
    world.happen(
      { case: "muted", value: { participantId, muted: true, byParticipantId: 8 } },
      undefined,
      meetingId,
    );

  it("are come back to muted when a host has muted meanwhile", async () => {
    const world = await inBoth();
    mutedByHost(world, "42", 3);
    expect(world.muted.get()).toBe(false);
    await world.session.switchTo("42");
    expect(world.muted.get()).toBe(true);
    await vi.waitFor(() => expect(world.operations("42")).toHaveLength(2));
    const told = [...world.operations("42"), ...world.operations("43")];
    expect(told.map(({ body }) => body.case)).not.toContain("setMuted");
    // The own unmute in it ends that.
    world.muted.set(false);
    await world.operation("setMuted", "42");
    await world.session.switchTo("43");
    await world.session.switchTo("42");
    expect(world.muted.get()).toBe(false);
  });

  it("are come back to muted by who was muted there and has unmuted in the other", async () => {
    const world = await new World().inside();
    mutedByHost(world, "42", 3);
    expect(world.muted.get()).toBe(true);
    world.session.accept(invitation);
    await vi.waitFor(() => expect(live(world)).toBe("43"));
    world.muted.set(false);
    await world.session.switchTo("42");
    expect(world.muted.get()).toBe(true);
  });

  it("are gone on with in the other, muted by its host, when the live one ends", async () => {
    const world = await inBoth();
    mutedByHost(world, "42", 3);
    world.happen({ case: "ended", value: {} }, undefined, "43");
    expect([live(world), world.muted.get()]).toEqual(["42", true]);
  });

  it("have a way of audio when the live one ends while the second is being joined", async () => {
    const world = await new World().inside();
    world.refuseNext.set("join", [RefusalCode.TRY_AGAIN]);
    world.session.accept(invitation);
    await vi.waitFor(() => expect(state(world).other?.hindrance).toBe("tryAgain"));
    world.happen({ case: "ended", value: {} });
    await vi.waitFor(() => expect(live(world)).toBe("43"), { timeout: 5000 });
    expect(world.said("join").at(-1)).toMatchObject({ meetingId: "43", held: false });
    expect(world.lines).toHaveLength(1);
    expect(ways(world)).toEqual(["connect", "connect"]);
  });

  it("are muted when the live one is left: nobody has wished to be heard in the other", async () => {
    const world = await inBoth();
    const leaving: boolean[] = [];
    world.session.state.subscribe(() => live(world) === "42" && leaving.push(world.muted.get()));
    world.session.leave();
    await vi.waitFor(() => expect(world.said("leave")).toHaveLength(1));
    expect(leaving.length).toBeGreaterThan(0);
    expect(leaving).not.toContain(false);
    expect(live(world)).toBe("42");
  });

  it("do not leave one deaf who switches and leaves before the answer", async () => {
    const world = await inBoth();
    world.line.hold = true;
    const switching = world.session.switchTo("42");
    await vi.waitFor(() => expect(world.said("switchMeeting")).toHaveLength(2));
    world.session.leave("42");
    world.line.hold = false;
    world.line.say({ case: "switched", value: { meetingId: "42" } }, world.line.lastId);
    await switching;
    expect([live(world), other(world)]).toEqual(["43", undefined]);
    // The relay has that one held now.
    await vi.waitFor(() =>
      expect(world.said("switchMeeting").map(({ meetingId }) => meetingId)).toEqual([
        "43",
        "42",
        "43",
      ]),
    );
    await vi.waitFor(() => expect(ways(world)).toEqual(["connect", "connect"]));
    expect(world.audio.at(-1)).not.toBe("nowhere");
  });

  it("have a new way of audio when only the live one was joined again by the same connection", async () => {
    const world = await inBoth();
    world.line.tell("43", refusal(RefusalCode.TRY_AGAIN));
    await vi.waitFor(() => expect(world.said("join")).toHaveLength(3), { timeout: 5000 });
    expect(world.said("join")[2]).toMatchObject({ meetingId: "43", held: false });
    expect(world.lines).toHaveLength(1);
    await vi.waitFor(() => expect(ways(world)).toEqual(["connect", "connect"]));
  });

  it("are known in detail one at a time: the live one", async () => {
    const world = new World(account);
    world.role = Role.ORGANISER;
    await inBoth(world);
    const known = () => state(world).reading;
    await vi.waitFor(() => expect(known()).toMatchObject({ meetingId: "43", status: "known" }));
    const read = () => world.said("readMeeting").map(({ meetingId }) => meetingId);
    // The held one is not read when one comes in, and both are when it is their turn.
    expect(read()).toEqual(["42", "43"]);
    world.happen({ case: "membersChanged", value: {} }, undefined, "43");
    await world.session.switchTo("42");
    await vi.waitFor(() => expect(known()).toMatchObject({ meetingId: "42", status: "known" }));
    world.happen({ case: "membersChanged", value: {} }, undefined, "42");
    await vi.waitFor(() => expect(read()).toEqual(["42", "43", "42", "42"]));
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(read()).toHaveLength(4);
    expect(known()?.meetingId).toBe("42");
  });

  it("are both left when the page goes, and by logging out", async () => {
    for (const leave of [
      (world: World) => world.session.pageGone(),
      (world: World) => world.session.logOut(),
    ]) {
      const world = await inBoth(new World(account));
      leave(world);
      await vi.waitFor(() => expect(world.lines[0]?.closed).toBe(true));
      const left = world.said("leave").map(({ meetingId }) => meetingId);
      expect(left.sort()).toEqual(["42", "43"]);
      expect(state(world).other).toBeUndefined();
    }
  });
});

describe("lobby", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  async function waiting(): Promise<World> {
    const world = new World();
    world.lobbies.add("42");
    world.session.join("42", "");
    await vi.waitFor(() => expect(world.place.kind).toBe("waiting"));
    return world;
  }

  it("keeps the terminal at the door without sound until a roster comes", async () => {
    const world = await waiting();
    expect(world.audio).toEqual([]);
    expect(world.session.act({ kind: "checkIn" })).toBeUndefined();
    world.line.tell("42", { case: "roster", value: world.roster() });
    expect(world.place.kind).toBe("inside");
    expect(world.stay().cursor).toBe(10n);
    expect(ways(world)).toEqual(["connect"]);
    expect(hints(world)).toEqual([]);
    world.session.act({ kind: "checkIn" });
    await world.operation("checkIn");
  });

  it("sends away whom no host lets in", async () => {
    const world = await waiting();
    const value = { participantId: 3, reason: LeaveReason.NOT_ADMITTED };
    world.happen({ case: "left", value });
    expect(world.place).toMatchObject({ kind: "over", reason: "sentAway", subject: "Plans" });
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
  });

  it("is waited in again after a lost connection, and left by giving up", async () => {
    const world = await waiting();
    world.line.drop();
    await vi.waitFor(() => expect(world.said("join")).toHaveLength(2), { timeout: 5000 });
    expect(world.said("join")[1]?.cursor).toBe(0n);
    await vi.waitFor(() => expect(world.place).toMatchObject({ hindrance: undefined }));
    world.session.leave();
    expect(world.place).toEqual({ kind: "outside" });
    await vi.waitFor(() => expect(world.said("leave")).toHaveLength(1));
  });
});

describe("connection of a meeting", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("is said to be hindered after 2 s of silence, and not any more with the next word", async () => {
    vi.useFakeTimers();
    try {
      const world = await new World().inside();
      const { line } = world;
      line.hold = true;
      await vi.advanceTimersByTimeAsync(2100);
      expect(world.place).toMatchObject({ kind: "inside", hindrance: "silent" });
      line.say({ case: "speakers", value: { speakerIds: [] } });
      expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
      await vi.advanceTimersByTimeAsync(4100);
      expect(world.place).toMatchObject({ kind: "inside", hindrance: "lost" });
      expect(line.closed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is tried again at once when the network is back", async () => {
    const world = await new World().inside();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      world.line.drop();
      await vi.advanceTimersByTimeAsync(0);
      expect(world.lines).toHaveLength(1);
      world.session.returned();
      await vi.advanceTimersByTimeAsync(0);
      expect(world.lines).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});
