import { beforeEach, describe, expect, it, vi } from "vitest";
import { OperationRefusal, Presence } from "../src/gen/tributary/event/v1/event_pb";
import { OfflineReason, PresenceWish } from "../src/gen/tributary/operation/v1/operation_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { operationChallenge } from "../src/session/key";
import { World, guest } from "./world";

const pending = (world: World) => world.stay().pending.map(({ act }) => act.kind);
const hints = (world: World) => world.session.state.get().hints.shown.map(({ body }) => body);
const chat = (text: string) => ({ kind: "sendChat", text, to: [] }) as const;

describe("operations", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("say who does what in which session, in order, signed by the terminal's key", async () => {
    const world = await new World({ ...guest, clockOffsetMs: 60_000 }).inside();
    const made = Date.now();
    world.session.act({ kind: "setHand", raised: true });
    world.session.act({ kind: "sendChat", text: "psst", to: [8, 9] });
    const second = await world.operation("sendChat");
    const [first] = world.operations();
    const session = world.said("join")[0]?.sessionId;
    expect(session).toMatch(/^[0-9a-f-]{36}$/);
    expect(first).toMatchObject({
      clientSequence: 1n,
      organisation: "acme",
      meetingId: "42",
      participantId: 3,
      sessionId: session,
      body: { case: "setHand", value: { raised: true } },
    });
    expect(second.clientSequence).toBe(2n);
    expect(second.body.value).toMatchObject({ text: "psst", toParticipantIds: [8, 9] });
    // Ten minutes by the server's clock, which is a minute ahead.
    expect(Number(first?.notAfter?.seconds) - made / 1000).toBeGreaterThan(655);

    const { envelope, publicKey, signature } = world.said("operate")[0]?.operation ?? {};
    const raw = new Uint8Array(publicKey ?? []);
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
    const challenge = operationChallenge(envelope ?? new Uint8Array());
    expect(new TextDecoder().decode(challenge.subarray(0, 23))).toBe("tributary-operation-v1\0");
    const hashed = { name: "ECDSA", hash: "SHA-256" };
    const signed = new Uint8Array(signature ?? []);
    expect(await crypto.subtle.verify(hashed, key, signed, challenge)).toBe(true);
  });

  it("are pending until the event comes that they caused, and no other", async () => {
    const world = await new World().inside();
    world.session.act({ kind: "setHand", raised: true });
    expect(pending(world)).toEqual(["setHand"]);
    const operation = await world.operation("setHand");
    world.happen({ case: "handChanged", value: { participantId: 8, raised: true } });
    expect(pending(world)).toEqual(["setHand"]);
    const body = { case: "handChanged", value: { participantId: 3, raised: true } } as const;
    const number = world.happen(body, operation);
    expect(pending(world)).toEqual([]);
    expect(world.stay().roster.participants.get(3)?.handRaised).toBe(number);
  });

  it("are sent again in order after a lost connection, the same bytes, and applied ones not", async () => {
    const world = await new World().inside();
    for (const text of ["a", "b", "c"]) world.session.act(chat(text));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(3));
    const before = world.said("operate").map(({ operation }) => operation);
    world.happen({ case: "operationDone", value: {} }, world.operations()[1]);
    world.line.drop();
    await world.back(2);
    await vi.waitFor(() => expect(world.line.count("operate")).toBe(2));
    const again = world.said("operate").slice(3);
    expect(again.map(({ operation }) => operation)).toEqual([before[0], before[2]]);
    expect(world.said("join").map(({ sessionId }) => sessionId)[1]).toBe(
      world.said("join")[0]?.sessionId,
    );
  });

  it("can be made while the connection is lost", async () => {
    const world = await new World().inside();
    world.line.drop();
    world.session.act(chat("later"));
    expect(pending(world)).toEqual(["sendChat"]);
    await world.back(2);
    expect((await world.operation("sendChat")).body.value).toMatchObject({ text: "later" });
  });

  it("wait for the events that tell what they became while the connection was lost", async () => {
    const world = await new World().inside();
    world.session.act(chat("a"));
    const operation = await world.operation("sendChat");
    world.line.drop();
    await world.back(2);
    expect(world.said("join")[1]?.cursor).toBe(10n);
    const value = { participantId: 3, displayName: "Ada", text: "a" };
    world.happen({ case: "chatMessage", value }, operation);
    expect(pending(world)).toEqual([]);
    expect(world.stay().chat.entries.map(({ text }) => text)).toEqual(["a"]);
  });

  it("that the relay can't take now are not overtaken by later ones", async () => {
    const world = await new World().inside();
    world.refuseNext.set("operate", [RefusalCode.LIMIT]);
    world.session.act(chat("a"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(1));
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(3), { timeout: 3000 });
    const texts = world.operations().map(({ body }) => (body.value as { text: string }).text);
    expect(texts).toEqual(["a", "a", "b"]);
  });

  it("do not take a silent JetStream for a lost connection", async () => {
    const world = new World();
    world.deaf = true;
    await world.inside();
    for (let i = 0; i < 20; i++) world.session.act(chat(`${i}`));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(8));
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(pending(world)).toHaveLength(20);
  });

  it("tell why they were refused, by the meeting or by the relay", async () => {
    const world = await new World().inside();
    world.session.act({ kind: "setLocked", locked: true });
    const operation = await world.operation("setLocked");
    const value = { reason: OperationRefusal.NOT_HOST, message: "" };
    world.happen({ case: "operationRefused", value }, operation);
    expect(hints(world)).toMatchObject([{ kind: "refused", act: "setLocked", reason: "notHost" }]);
    const [hint] = world.session.state.get().hints.shown;
    world.session.forgetHint(hint?.id ?? 0);
    world.refuseNext.set("operate", [RefusalCode.FORBIDDEN]);
    world.session.act(chat("x"));
    await vi.waitFor(() => expect(hints(world)).toHaveLength(1));
    expect(hints(world)[0]).toMatchObject({ reason: "notTaken", attempted: { text: "x" } });
    expect(pending(world)).toEqual([]);
  });

  it("that the relay refuses for good leave no gap that the registry waits for", async () => {
    const world = await new World({ ...guest, clockOffsetMs: 60_000 }).inside();
    world.refuseNext.set("operate", [RefusalCode.MALFORMED]);
    world.session.act(chat("a"));
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(3));
    // The later one may have been on its way before.
    const [refused] = world.operations();
    const numbers = world.operations().map(({ clientSequence }) => clientSequence);
    expect(numbers.sort()).toEqual([1n, 1n, 2n]);
    const filler = world.operations().findLast(({ clientSequence }) => clientSequence === 1n);
    expect(filler?.operationId).not.toBe(refused?.operationId);
    // Too late in any case: it has its turn, and does nothing.
    expect(Number(filler?.notAfter?.seconds)).toBeLessThan(Date.now() / 1000 - 3600);
    expect(world.stay().pending.map(({ act }) => act)).toEqual([chat("b")]);
    expect(hints(world)).toMatchObject([{ kind: "refused", attempted: { text: "a" } }]);
    const value = { reason: OperationRefusal.EXPIRED, message: "" };
    world.happen({ case: "operationRefused", value }, filler);
    expect(hints(world)).toHaveLength(1);
    world.session.act(chat("c"));
    await vi.waitFor(() => expect(world.operations()[3]?.clientSequence).toBe(3n));
  });

  it("are not filled in again when that is refused too", async () => {
    const world = await new World().inside();
    world.refuseNext.set("operate", [RefusalCode.FORBIDDEN, RefusalCode.FORBIDDEN]);
    world.session.act(chat("a"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(3));
    expect(world.operations()[2]).toMatchObject({
      clientSequence: 2n,
      body: { value: { text: "b" } },
    });
    expect(hints(world)).toHaveLength(1);
    expect(pending(world)).toEqual(["sendChat"]);
  });

  it("of before a reload that muted are followed by what is true now", async () => {
    const world = await new World().inside();
    world.muted.set(true);
    await world.operation("setMuted");
    world.muted.set(false);
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    world.session.pageGone();
    // The registry knows both already, and has no event for them any more.
    const again = await new World(guest, world.storage, world.key).inside();
    await vi.waitFor(() => expect(again.operations()).toHaveLength(3));
    expect(again.operations().map(({ body }) => body.value)).toMatchObject([
      { muted: true },
      { muted: false },
      { muted: false },
    ]);
    expect(again.operations()[2]?.clientSequence).toBe(3n);
  });

  it("outlive a reload: the same session goes on counting, and results are found in the chat", async () => {
    const world = await new World().inside();
    world.session.act(chat("a"));
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    world.session.pageGone();
    const again = new World(guest, world.storage, world.key);
    const [applied] = world.operations();
    const value = { participantId: 3, displayName: "Ada", text: "a" };
    again.chats.set("42", [
      {
        meetingId: "42",
        number: 9n,
        cause: { participantId: 3, operationId: applied?.operationId ?? "" },
        body: { case: "chatMessage", value },
      },
    ]);
    await again.inside();
    expect(again.said("join")[0]).toMatchObject({
      cursor: 0n,
      sessionId: world.said("join")[0]?.sessionId,
    });
    await vi.waitFor(() =>
      expect(again.said("operate").map(({ operation }) => operation)).toEqual(
        world.said("operate").map(({ operation }) => operation),
      ),
    );
    await vi.waitFor(() => expect(again.stay().pending).toHaveLength(1));
    again.session.act(chat("c"));
    await vi.waitFor(() => expect(again.operations().at(-1)?.clientSequence).toBe(3n));
  });

  it("of before a reload are not waited for once they can't be lost any more", async () => {
    const world = await new World().inside();
    world.session.act({ kind: "setHand", raised: true });
    await world.operation("setHand");
    world.session.pageGone();
    vi.useFakeTimers();
    try {
      const again = await new World(guest, world.storage, world.key).inside();
      await vi.waitFor(() => expect(again.operations()).toHaveLength(1));
      await vi.advanceTimersByTimeAsync(9000);
      expect(pending(again)).toEqual(["setHand"]);
      await vi.advanceTimersByTimeAsync(1100);
      expect(pending(again)).toEqual([]);
      expect(hints(again)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("are not waited for longer either when the relay gives a roster for what was missed", async () => {
    vi.useFakeTimers();
    try {
      const world = await new World().inside();
      world.session.act({ kind: "setHand", raised: true });
      await vi.waitFor(() => expect(world.operations()).toHaveLength(1));
      world.forgetful = true;
      world.line.drop();
      await vi.waitFor(() => expect(world.operations()).toHaveLength(2), { timeout: 8000 });
      expect(pending(world)).toEqual(["setHand"]);
      await vi.advanceTimersByTimeAsync(10_100);
      expect(pending(world)).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("of an earlier participant are not sent by the next, who counts from 1", async () => {
    const world = await new World().inside();
    world.session.act(chat("a"));
    await world.operation("sendChat");
    world.another = 33;
    world.line.drop();
    await world.back(2);
    expect(world.stay()).toMatchObject({ selfId: 33, pending: [] });
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    expect(world.operations()[1]).toMatchObject({ participantId: 33, clientSequence: 1n });
  });

  it("are given up on leaving, and the next session counts from 1", async () => {
    const world = await new World().inside();
    world.session.act(chat("a"));
    await world.operation("sendChat");
    world.session.leave();
    await world.inside();
    expect(world.stay().pending).toEqual([]);
    world.session.act(chat("b"));
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    const [first, second] = world.operations();
    expect(second?.clientSequence).toBe(1n);
    expect(second?.sessionId).not.toBe(first?.sessionId);
  });

  it("do nothing outside of a meeting", () => {
    expect(new World().session.act({ kind: "checkIn" })).toBeUndefined();
  });
});

describe("presence", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("is told when one goes away and comes back, and again after having been lost", async () => {
    const world = await new World().inside();
    world.session.setAway(true);
    const away = await world.operation("setPresence");
    expect(away.body.value).toMatchObject({ presence: PresenceWish.AWAY });
    const value = { participantId: 3, presence: Presence.AWAY };
    world.happen({ case: "presenceChanged", value }, away);
    expect(world.stay().roster.participants.get(3)?.presence).toBe("away");
    const participant = { participantId: 3, displayName: "Ada", presence: Presence.ONLINE };
    world.happen({ case: "joined", value: { participant } });
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    expect(world.operations()[1]?.body.value).toMatchObject({ presence: PresenceWish.AWAY });
    world.session.setAway(false);
    await vi.waitFor(() => expect(world.operations()).toHaveLength(3));
    expect(world.operations()[2]?.body.value).toMatchObject({ presence: PresenceWish.ONLINE });
  });

  it("is offline while a phone call has the microphone", async () => {
    const world = await new World().inside();
    world.interrupted.set(true);
    expect((await world.operation("setPresence")).body.value).toMatchObject({
      presence: PresenceWish.OFFLINE,
      reason: OfflineReason.INTERRUPTED,
    });
    world.interrupted.set(false);
    await vi.waitFor(() => expect(world.operations()).toHaveLength(2));
    expect(world.operations()[1]?.body.value).toMatchObject({ presence: PresenceWish.ONLINE });
  });

  it("says nothing that the meeting knows", async () => {
    const world = await new World().inside();
    world.session.setAway(false);
    world.interrupted.set(false);
    world.muted.set(true);
    await world.operation("setMuted");
    expect(world.operations()).toHaveLength(1);
  });
});

describe("hosts", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("can mute and ask to unmute; doing so answers the question", async () => {
    const world = await new World().inside();
    world.happen({
      case: "muted",
      value: { participantId: 3, muted: true, byParticipantId: 8 },
    });
    expect(world.muted.get()).toBe(true);
    expect(world.operations()).toHaveLength(0);
    world.happen({ case: "askedToUnmute", value: { participantId: 3, byParticipantId: 8 } });
    expect(hints(world)).toEqual([
      { kind: "mutedByHost", byName: "Grace" },
      { kind: "askedToUnmute", byName: "Grace" },
    ]);
    world.muted.set(false);
    const unmute = await world.operation("setMuted");
    world.happen({ case: "muted", value: { participantId: 3, muted: false } }, unmute);
    expect(hints(world)).toEqual([{ kind: "mutedByHost", byName: "Grace" }]);
  });

  it("do not mute whom has unmuted since", async () => {
    const world = new World();
    world.muted.set(true);
    await world.inside();
    world.muted.set(false);
    await world.operation("setMuted");
    world.happen({
      case: "muted",
      value: { participantId: 3, muted: true, byParticipantId: 8 },
    });
    expect(world.muted.get()).toBe(false);
  });

  it("are given a roster with the lobby, and nothing that was written gets lost", async () => {
    const world = await new World().inside();
    world.happen({ case: "hostChanged", value: { participantId: 3, host: true } });
    expect(hints(world)).toEqual([{ kind: "madeHost" }]);
    const roster = world.roster();
    const participants = [
      ...roster.participants,
      { participantId: 12, displayName: "Alan", presence: Presence.WAITING },
    ];
    world.line.tell("42", { case: "roster", value: { participants, eventNumber: 12n } });
    expect([...world.stay().roster.lobby.keys()]).toEqual([12]);
    const value = { participantId: 8, displayName: "Grace", text: "hi" };
    world.happen({ case: "chatMessage", value });
    expect(world.stay().chat.entries.map(({ text }) => text)).toEqual(["hi"]);
    expect(world.stay().cursor).toBe(12n);
  });

  it("end the meeting by an operation", async () => {
    const world = await new World().inside();
    world.session.act({ kind: "end" });
    const end = await world.operation("end");
    world.happen({ case: "ended", value: {} }, end);
    expect(world.place).toMatchObject({ kind: "over", reason: "ended", subject: "Plans" });
  });
});

describe("chat of a meeting", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  const written = (number: number, text = `${number}`) => ({
    meetingId: "42",
    number: BigInt(number),
    body: {
      case: "chatMessage",
      value: { participantId: 8, displayName: "Grace", text },
    } as const,
  });
  const texts = (world: World) => world.stay().chat.entries.map(({ text }) => text);

  it("is read when one enters, page by page to its beginning", async () => {
    const world = new World();
    world.chats.set(
      "42",
      Array.from({ length: 60 }, (_, i) => written(i + 1)),
    );
    await world.inside();
    await vi.waitFor(() => expect(world.stay().chat.history).toBe("more"));
    expect(texts(world)[0]).toBe("11");
    expect(world.stay().chat.unread).toBe(50);
    await world.session.readEarlierChat("42");
    expect(world.said("readChat").map(({ before }) => before)).toEqual([0n, 11n]);
    expect(texts(world)).toHaveLength(60);
    expect(world.stay().chat.history).toBe("whole");
    await world.session.readEarlierChat("42");
    expect(world.said("readChat")).toHaveLength(2);
  });

  it("may have more before a page that is short because it is long", async () => {
    const world = new World();
    world.chats.set("42", [written(8, "x".repeat(4000)), written(9, "y".repeat(7000))]);
    await world.inside();
    await vi.waitFor(() => expect(world.stay().chat.history).toBe("more"));
  });

  it("is read when it is opened, if it could not be read before", async () => {
    const world = new World();
    world.refuseNext.set("readChat", [RefusalCode.TRY_AGAIN]);
    world.chats.set("42", [written(9)]);
    await world.inside();
    await vi.waitFor(() => expect(world.said("readChat")).toHaveLength(1));
    await vi.waitFor(() => expect(world.stay().chat.history).toBe("unread"));
    world.session.openChat("42", true);
    await vi.waitFor(() => expect(texts(world)).toEqual(["9"]));
  });
});
