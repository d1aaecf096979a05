import { beforeEach, describe, expect, it, vi } from "vitest";
import { Role } from "../src/gen/tributary/access/v1/access_pb";
import { LeaveReason } from "../src/gen/tributary/event/v1/event_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { SECRET, World, account, guest, plan, refusal } from "./world";

describe("session", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("enters as a guest and keeps the identity", async () => {
    const world = new World(undefined);
    expect(await world.session.enterAsGuest("Ada")).toBe(true);
    expect(world.said("enterAsGuest")[0]?.publicKey).toHaveLength(65);
    expect(world.session.state.get().identity?.token).toBe("new");
    expect(world.saved.at(-1)?.token).toBe("new");
  });

  it("says what was wrong with a log-in", async () => {
    const world = new World(undefined);
    world.refuseNext.set("logIn", [RefusalCode.NOT_LOGGED_IN]);
    expect(await world.session.logIn("ada", "wrong")).toBe(false);
    const problem = { during: "logIn", reason: "notLoggedIn" };
    expect(world.session.state.get()).toMatchObject({ problem, busy: undefined });
  });

  it("asks for a new log-in when creating finds the identity expired", async () => {
    const world = new World(account);
    world.refuseNext.set("createMeeting", [RefusalCode.NOT_LOGGED_IN]);
    expect(await world.desk.create(plan)).toBeUndefined();
    expect(world.session.state.get().identity).toBeUndefined();
    expect(world.session.state.get().problem?.reason).toBe("expired");
    expect(world.saved.at(-1)).toBeUndefined();
  });

  it("joins with credential and proof, and offers media", async () => {
    const world = await new World().inside();
    expect(world.said("requestJoinCredential")[0]).toMatchObject({
      identityToken: "token",
      meetingId: "42",
      password: "sesame",
    });
    const join = world.said("join")[0];
    expect(join?.joinCredential).toBe("credential-1");
    expect(join?.proof).toHaveLength(64);
    expect(join?.cursor).toBe(0n);
    expect(join?.meetingId).toBe("42");
    expect(world.stay()).toMatchObject({ selfId: 3, meeting: { subject: "Plans" } });
    expect(await world.exchange?.("offer")).toBe("answer to offer");
  });

  it("comes back with the same key, the held credential, its cursor and its mute state", async () => {
    const world = await new World().inside();
    world.line.say({ case: "event", value: { number: 11n } });
    world.muted.set(true);
    world.line.drop();
    await vi.waitFor(() => expect(world.place).toMatchObject({ hindrance: "lost" }));
    await world.back(2);
    const [first, second] = world.said("join");
    expect(second?.publicKey).toEqual(first?.publicKey);
    expect(second).toMatchObject({ joinCredential: "credential-1", cursor: 11n, muted: true });
    expect(world.said("requestJoinCredential")).toHaveLength(1);
    expect(world.audio.filter((call) => call === "connect")).toHaveLength(2);
  });

  it("asks for a new credential when the held one has expired", async () => {
    const world = await new World().inside();
    world.refuseNext.set("join", [RefusalCode.CREDENTIAL_EXPIRED]);
    world.line.drop();
    await world.back(2);
    expect(world.said("join").at(-1)?.joinCredential).toBe("credential-2");
  });

  it("keeps trying while a service is not there", async () => {
    const world = new World();
    world.refuseNext.set("requestJoinCredential", [RefusalCode.TRY_AGAIN]);
    world.session.join("42", "");
    await vi.waitFor(() =>
      expect(world.place).toMatchObject({ kind: "joining", hindrance: "tryAgain" }),
    );
    await world.back(1);
  });

  it("makes a guest anew whose identity is not accepted any more", async () => {
    const world = await new World().inside();
    world.refuseNext.set("join", [RefusalCode.BAD_CREDENTIAL]);
    world.refuseNext.set("requestJoinCredential", [RefusalCode.NOT_LOGGED_IN]);
    world.line.drop();
    await world.back(2);
    expect(world.said("requestJoinCredential").at(-1)?.identityToken).toBe("new");
  });

  it("sends somebody with an account back to log in", async () => {
    const world = new World({ ...guest, guest: false });
    world.refuseNext.set("requestJoinCredential", [RefusalCode.NOT_LOGGED_IN]);
    world.session.join("42", "");
    await vi.waitFor(() => expect(world.session.state.get().identity).toBeUndefined());
    expect(world.session.state.get()).toMatchObject({
      place: { kind: "outside" },
      problem: { during: "join", reason: "expired" },
    });
  });

  it.each([
    ["replaced", RefusalCode.REPLACED],
    ["ended", RefusalCode.MEETING_ENDED],
  ])("is over when the relay says %s, and does not come back", async (reason, code) => {
    const world = await new World().inside();
    world.line.say(refusal(code));
    await vi.waitFor(() => expect(world.place).toMatchObject({ kind: "over", reason }));
    expect(world.audio.at(-1)).toBe("disconnect");
    expect(world.lines).toHaveLength(1);
  });

  it("is over with the event that ends the meeting", async () => {
    const world = await new World().inside();
    const body = { case: "ended", value: {} } as const;
    world.line.say({ case: "event", value: { number: 11n, body } });
    await vi.waitFor(() => expect(world.place).toMatchObject({ kind: "over", reason: "ended" }));
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
  });

  it("joins again when it was taken for lost, and does not when it was taken out", async () => {
    const world = await new World().inside();
    const left = (reason: LeaveReason) =>
      world.happen({ case: "left", value: { participantId: 3, reason } });
    left(LeaveReason.RELAY_LOST);
    world.line.tell("42", refusal(RefusalCode.TRY_AGAIN));
    await vi.waitFor(() => expect(world.said("join")).toHaveLength(2));
    expect(world.said("join")[1]?.cursor).toBe(11n);
    await world.back(1);
    world.happen({ case: "joined", value: { participant: { participantId: 3 } } });
    left(LeaveReason.REMOVED);
    world.line.tell("42", refusal(RefusalCode.REMOVED));
    await vi.waitFor(() => expect(world.place).toMatchObject({ kind: "over", reason: "removed" }));
  });

  it("is not put off by having been lost before it came back", async () => {
    vi.useFakeTimers();
    try {
      const world = await new World().inside();
      const gone = { participantId: 3, reason: LeaveReason.TERMINAL_LOST };
      world.happen({ case: "left", value: gone });
      world.happen({ case: "joined", value: { participant: { participantId: 3 } } });
      await vi.advanceTimersByTimeAsync(6000);
      expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
      expect(world.line.closed).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it("joins anew when the meeting takes it for gone without a word of the relay", async () => {
    vi.useFakeTimers();
    try {
      const world = await new World().inside();
      const gone = { participantId: 3, reason: LeaveReason.TERMINAL_LOST };
      world.happen({ case: "left", value: gone });
      await vi.advanceTimersByTimeAsync(4900);
      expect(world.line.closed).toBe(false);
      await vi.advanceTimersByTimeAsync(200);
      expect(world.line.closed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it("connects again when the relay drains", async () => {
    const world = await new World().inside();
    world.line.say({ case: "draining", value: {} });
    await vi.waitFor(() => expect(world.place).toMatchObject({ hindrance: "draining" }));
    await world.back(2);
  });

  it("tells the meeting about muting, once per change and with an id of its own", async () => {
    const world = await new World().inside();
    world.muted.set(true);
    await vi.waitFor(() => expect(world.operations()).toHaveLength(1));
    world.muted.set(false);
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    const [mute, unmute] = world.operations();
    expect(mute?.body).toMatchObject({ case: "setMuted", value: { muted: true } });
    expect(unmute?.body).toMatchObject({ case: "setMuted", value: { muted: false } });
    expect(mute?.operationId).not.toBe(unmute?.operationId);
  });

  it("repeats an operation under the same id while told to try again", async () => {
    const world = await new World().inside();
    world.refuseNext.set("operate", [RefusalCode.TRY_AGAIN, RefusalCode.TRY_AGAIN]);
    world.muted.set(true);
    await vi.waitFor(() => expect(world.said("operate")).toHaveLength(3), { timeout: 5000 });
    const [first, ...others] = world.said("operate").map(({ operation }) => operation);
    // The very same bytes, signature included: what is known by its hash stays known.
    for (const other of others) expect(other).toEqual(first);
  });

  it("leaves at once, tells the relay, and closes", async () => {
    const world = await new World().inside();
    world.session.leave();
    expect(world.place).toMatchObject({ kind: "over", reason: "left" });
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
    expect(world.said("leave")).toHaveLength(1);
    expect(world.audio.at(-1)).toBe("disconnect");
  });

  it("gives joining up when asked to", async () => {
    const world = new World();
    world.refuseNext.set("join", Array(100).fill(RefusalCode.TRY_AGAIN));
    world.session.join("42", "");
    await vi.waitFor(() => expect(world.place).toMatchObject({ hindrance: "tryAgain" }));
    world.session.leave();
    expect(world.place).toEqual({ kind: "outside" });
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
  });

  it("goes back to the form with the reason when it is not admitted", async () => {
    const world = new World();
    world.refuseNext.set("requestJoinCredential", [RefusalCode.NOT_ADMITTED]);
    world.session.join("42", "");
    await vi.waitFor(() =>
      expect(world.session.state.get()).toMatchObject({
        place: { kind: "outside" },
        problem: { during: "join", reason: "notAdmitted" },
      }),
    );
    await world.inside();
    expect(world.session.state.get().problem).toBeUndefined();
  });

  it("shows the secret of its link, and on coming back the credential that it had", async () => {
    const world = new World();
    world.memory.keep("42", { secret: SECRET });
    await world.inside();
    world.refuseNext.set("join", [RefusalCode.CREDENTIAL_EXPIRED]);
    world.line.drop();
    await world.back(2);
    const [first, second] = world.said("requestJoinCredential");
    expect(first).toMatchObject({ shareSecret: SECRET, previousJoinCredential: "" });
    expect(second).toMatchObject({ shareSecret: SECRET, previousJoinCredential: "credential-1" });
  });

  it.each([
    ["", "passwordNeeded"],
    ["guess", "wrongPassword"],
  ])("tells who typed “%s” for a password: %s", async (password, reason) => {
    const world = new World();
    world.refuseNext.set("requestJoinCredential", [RefusalCode.WRONG_PASSWORD]);
    world.session.join("42", password);
    await vi.waitFor(() => expect(world.session.state.get().problem?.reason).toBe(reason));
  });

  it("reads a meeting for whoever may, and says nothing about the others", async () => {
    const world = new World(account);
    world.role = Role.HOST;
    await world.session.readMeeting("42");
    const { reading } = world.session.state.get();
    expect(reading).toMatchObject({ status: "known", details: { role: "host" } });
    world.refuseNext.set("readMeeting", [RefusalCode.NOT_ADMITTED]);
    await world.session.readMeeting("43");
    expect(world.session.state.get()).toMatchObject({
      reading: { meetingId: "43", status: "refused", details: undefined, reason: "notAdmitted" },
      problem: undefined,
    });
  });

  it("reads again what has changed, but not for outsiders", async () => {
    for (const role of [Role.MEMBER, Role.OUTSIDER]) {
      const world = new World(account);
      world.role = role;
      await world.session.readMeeting("42");
      await world.inside();
      const body = { case: "attachmentsChanged", value: { attachments: 1 } } as const;
      world.line.say({ case: "event", value: { number: 11n, body } });
      if (role === Role.MEMBER) {
        await vi.waitFor(() => expect(world.said("readMeeting")).toHaveLength(2));
      } else {
        await new Promise((resolve) => setTimeout(resolve, 400));
        expect(world.said("readMeeting")).toHaveLength(1);
      }
    }
  });

  it("follows a new subject", async () => {
    const world = await new World().inside();
    const body = { case: "meetingChanged", value: { subject: "Other" } } as const;
    world.line.say({ case: "event", value: { number: 11n, body } });
    await vi.waitFor(() => expect(world.stay().meeting.subject).toBe("Other"));
  });

  it("keeps the link that was made with a meeting, until that share is taken back", async () => {
    const world = new World(account);
    expect(await world.desk.create(plan)).toBe("77");
    expect(world.desk.linkOf("77")?.url).toBe("https://x");
    await world.desk.revoke("77", "another");
    expect(world.desk.linkOf("77")).toBeDefined();
    await world.desk.revoke("77", "s1");
    expect(world.desk.linkOf("77")).toBeUndefined();
  });

  it("remembers that the link is missing that was to be made with a meeting", async () => {
    const world = new World(account);
    world.sharingFails = true;
    expect(await world.desk.create({ ...plan, shared: false })).toBe("77");
    expect(world.desk.lacksLink("77")).toBe(false);
    await world.desk.create(plan);
    expect(world.desk.lacksLink("77")).toBe(true);
    const made = world.desk.share("77", { kind: "link" }, undefined, "en");
    expect(world.desk.sharing.get()).toBe("link");
    expect(await made).toMatchObject({ ok: true, value: { url: "https://y" } });
    expect(world.desk.sharing.get()).toBeUndefined();
    expect(world.desk.lacksLink("77")).toBe(false);
  });

  it("connects again without a word after the relay let an idle connection go", async () => {
    const world = new World();
    await world.session.readMeeting("42");
    const before = world.session.state.get();
    world.line.say(refusal(RefusalCode.TRY_AGAIN));
    await vi.waitFor(() => expect(world.line.closed).toBe(true));
    expect(world.session.state.get()).toBe(before);
    expect(world.lines).toHaveLength(1);
    await world.inside();
    expect(world.lines).toHaveLength(2);
  });

  it("asks again what crossed with the end of an idle connection", async () => {
    const world = new World(account);
    world.idleAt.add("createMeeting");
    expect(await world.desk.create(plan)).toBe("77");
    expect(world.session.state.get().problem).toBeUndefined();
    expect(world.said("createMeeting")).toHaveLength(2);
    const hindrances: unknown[] = [];
    world.session.state.subscribe(() => {
      const { place } = world;
      if (place.kind === "joining") hindrances.push(place.hindrance);
    });
    world.idleAt.add("requestJoinCredential");
    await world.inside();
    expect(world.lines).toHaveLength(3);
    expect(hindrances.every((hindrance) => hindrance === undefined)).toBe(true);
  });

  it("does not share twice what crossed with the end of a connection", async () => {
    const world = new World(account);
    world.idleAt.add("shareMeeting");
    const answer = await world.desk.share("42", { kind: "link" }, undefined, "en");
    expect(answer).toEqual({ ok: false, reason: "unreachable" });
    expect(world.said("shareMeeting")).toHaveLength(1);
  });

  it("finds users by their ids", async () => {
    const world = new World(account);
    const found = await world.desk.usersById(["g", "h"]);
    expect(found).toMatchObject({ ok: true, value: [{ userId: "g", displayName: "Grace" }] });
    expect(world.said("findUsers")[0]).toMatchObject({ beginning: "", userIds: ["g", "h"] });
  });

  it("learns names from a search", async () => {
    const world = new World(account);
    expect(await world.desk.findUsers("gr")).toMatchObject({ ok: true });
    expect(world.names.names.get().get("g")).toBe("Grace");
  });

  it("logs out at the relay, and forgets what belonged to who was logged in", async () => {
    const world = await new World(account).inside();
    world.session.leave();
    expect(world.memory.credentialOf("42")).not.toBe("");
    world.session.logOut();
    expect(world.session.state.get().identity).toBeUndefined();
    expect(world.saved.at(-1)).toBeUndefined();
    expect(world.memory.credentialOf("42")).toBe("");
    await vi.waitFor(() => expect(world.said("logOut")[0]?.identityToken).toBe("token"));
  });

  it("forgets what let somebody in when their identity expires, and when another follows", async () => {
    for (const next of ["expiry", "another"]) {
      const world = await new World(account).inside();
      world.session.act({ kind: "checkIn" });
      await world.operation("checkIn");
      expect(world.session.passwordOf("42")).toBe("sesame");
      world.session.back();
      if (next === "expiry") {
        world.refuseNext.set("readMeeting", [RefusalCode.NOT_LOGGED_IN, RefusalCode.NOT_LOGGED_IN]);
        await world.session.readMeeting("43");
        expect(world.session.state.get().identity).toBeUndefined();
      } else {
        await world.session.enterAsGuest("Grace");
        expect(world.session.state.get().identity?.userId).toBe("g2");
      }
      expect(world.session.passwordOf("42")).toBe("");
      expect(world.memory.credentialOf("42")).toBe("");
      expect(world.storage.getItem("tributary.operations")).toBe("[]");
    }
  });

  it("keeps the password of a guest who is made anew", async () => {
    const world = await new World().inside();
    world.refuseNext.set("join", [RefusalCode.BAD_CREDENTIAL]);
    world.refuseNext.set("requestJoinCredential", [RefusalCode.NOT_LOGGED_IN]);
    world.line.drop();
    await world.back(2);
    expect(world.session.state.get().identity?.userId).toBe("g2");
    expect(world.session.passwordOf("42")).toBe("sesame");
  });

  it("does not try to join from a page without keys", () => {
    vi.stubGlobal("isSecureContext", false);
    const world = new World();
    world.session.join("42", "");
    expect(world.session.state.get().problem?.reason).toBe("insecure");
    expect(world.lines).toHaveLength(0);
  });
});
