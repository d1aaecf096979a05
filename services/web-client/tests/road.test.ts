// Meetings over a relay nearby: introduced by the core, lost, introduced again, given up.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { joinChallenge } from "../src/session/key";
import { liveStay } from "../src/session/state";
import { World, account, refusal } from "./world";
import type { Manner } from "./relay";

const office = { id: "a", name: "Office a" };
const straight = { relay: undefined, missed: undefined, cutOff: false };

function worldNear(manner: Manner = "answers", identity = account): World {
  const world = new World(identity);
  world.suggested = ["a"];
  world.relays.set("a", manner);
  return world;
}

/** Signing takes its time, whatever the clock says. */
const inAgain = (world: World) =>
  vi.waitFor(() => expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined }), {
    timeout: 4000,
  });
const way = (world: World) => world.session.state.get().way;

describe("the way to the meetings", () => {
  beforeEach(() => {
    vi.stubGlobal("isSecureContext", true);
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it("is straight to the core where no relay is suggested", async () => {
    const world = await new World().inside();
    expect(world.near).toHaveLength(0);
    expect(world.line.count("join")).toBe(1);
    expect(way(world)).toEqual(straight);
  });

  it("goes over the relay that the core suggests: introduced there, joined here", async () => {
    const world = await worldNear().inside();
    const [introduce] = world.said("introduce");
    expect(introduce).toMatchObject({ relayId: "a", sdp: "offer 0" });
    expect(world.channel.accepted).toBe("answer of a");
    expect(world.line.heard.map((body) => body.case)).not.toContain("join");
    expect(world.channel.count("join")).toBe(1);
    expect(way(world)).toEqual({ relay: office, missed: undefined, cutOff: false });
    expect(await world.exchange?.("sound")).toBe("answer to sound");
    expect(world.channel.count("mediaOffer")).toBe(1);
    expect(world.line.count("mediaOffer")).toBe(0);
  });

  it("proves its key for the nonce of that very connection", async () => {
    const world = await worldNear().inside();
    const [join] = world.said("join");
    const publicKey = await crypto.subtle.importKey(
      "raw",
      join?.publicKey as Uint8Array<ArrayBuffer>,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["verify"],
    );
    const proofFor = async (nonce: Uint8Array) =>
      crypto.subtle.verify(
        { name: "ECDSA", hash: "SHA-256" },
        publicKey,
        join?.proof as Uint8Array<ArrayBuffer>,
        await joinChallenge(nonce, join?.joinCredential ?? ""),
      );
    expect(await proofFor(new Uint8Array(32).fill(5))).toBe(true);
    expect(await proofFor(new Uint8Array(32).fill(9))).toBe(false);
  });

  it("tells the relay no password, token or secret", async () => {
    const world = worldNear();
    world.session.start();
    await world.session.logIn("ada", "pass word");
    await world.session.readMeeting("42");
    world.memory.keep("42", { secret: "AbCdEfGhIjKlMnOpQr-_Ug" });
    await world.inside();
    world.session.act({ kind: "sendChat", text: "hello", to: [] });
    await world.operation("sendChat");
    void world.desk.update("42", {
      subject: undefined,
      password: "another",
      startsAtMs: undefined,
      lobby: undefined,
    });
    void world.session.ask("listMyMeetings", {});
    await vi.waitFor(() => expect(world.said("updateMeeting")).toHaveLength(1));
    await vi.waitFor(() => expect(world.said("listMyMeetings")).toHaveLength(1));
    const told = new Set(world.channel.heard.map((body) => body.case));
    told.delete("ping");
    expect([...told].sort()).toEqual(["join", "operate", "readChat"]);
    const words = JSON.stringify(world.channel.heard, (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
    for (const secret of ["pass word", "sesame", "another", "AbCdEf", '"new"', '"token"']) {
      expect(words).not.toContain(secret);
    }
    expect(world.said("requestJoinCredential")[0]).toMatchObject({ password: "sesame" });
  });

  it("prefers the relay that the link names, known to the core or not", async () => {
    const world = worldNear();
    world.relays.set("b", "answers");
    world.memory.keep("42", { relay: "b" });
    await world.inside();
    expect(world.said("introduce").map(({ relayId }) => relayId)).toEqual(["b"]);
    expect(way(world).relay).toEqual({ id: "b", name: "Office b" });
    // As it has named itself, once it is gone.
    world.relays.clear();
    world.channel.drop();
    await vi.waitFor(() => expect(way(world).missed).toEqual({ id: "b", name: "Office b" }));
  });

  it("takes the next one when the first can't be had", async () => {
    const world = worldNear("refused");
    world.suggested = ["a", "b"];
    world.relays.set("b", "answers");
    await world.inside();
    expect(world.near.map(({ closed }) => closed)).toEqual([true, false]);
    expect(way(world).relay?.id).toBe("b");
  });

  it.each(["refused", "silent", "blocked"] as const)(
    "goes straight, without a word but in the details, when the relay is %s",
    async (manner) => {
      const world = worldNear(manner);
      const hindrances: unknown[] = [];
      world.session.state.subscribe(() => {
        if (world.place.kind === "joining") hindrances.push(world.place.hindrance);
      });
      world.session.join("42", "");
      await vi.waitFor(() => expect(world.near).toHaveLength(1));
      await vi.advanceTimersByTimeAsync(manner === "refused" ? 100 : 5100);
      await inAgain(world);
      expect(world.lines).toHaveLength(1);
      expect(world.line.count("join")).toBe(1);
      expect(world.channel.closed).toBe(true);
      expect(way(world)).toEqual({ relay: undefined, missed: office, cutOff: false });
      expect(world.session.state.get().problem).toBeUndefined();
      expect(hindrances.every((hindrance) => hindrance === undefined)).toBe(true);
    },
  );

  it("does not try longer than some seconds, however many are suggested", async () => {
    const world = worldNear("silent");
    world.suggested = ["a", "b", "c", "d", "e"];
    for (const id of world.suggested) world.relays.set(id, "silent");
    world.session.join("42", "");
    await vi.waitFor(() => expect(world.near).toHaveLength(1));
    await vi.advanceTimersByTimeAsync(8100);
    await inAgain(world);
    expect(world.said("introduce").length).toBeLessThanOrEqual(3);
  });

  it("goes on when the core's connection is gone", async () => {
    const world = await worldNear().inside();
    world.coreGone = true;
    world.line.drop();
    world.muted.set(true);
    await world.operation("setMuted");
    await vi.advanceTimersByTimeAsync(120_000);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(world.channel.closed).toBe(false);
    expect(world.audio.filter((call) => call === "connect")).toHaveLength(1);
    world.channel.say({ case: "event", value: { number: 11n } });
    expect(world.stay().cursor).toBe(11n);
  });

  it("is introduced again when the channel breaks, and goes on from its cursor", async () => {
    const world = await worldNear().inside();
    world.channel.say({ case: "event", value: { number: 11n } });
    await vi.advanceTimersByTimeAsync(20_000);
    world.channel.drop();
    await vi.advanceTimersByTimeAsync(1000);
    await inAgain(world);
    expect(world.near).toHaveLength(2);
    const [first, second] = world.said("join");
    expect(second).toMatchObject({ cursor: 11n, joinCredential: first?.joinCredential });
    expect(second?.publicKey).toEqual(first?.publicKey);
    expect(world.channel.count("join")).toBe(1);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(way(world).relay).toEqual(office);
    expect(world.audio.filter((call) => call === "connect")).toHaveLength(2);
  });

  it("is not made another by who looks at the chat meanwhile, or leaves one of two", async () => {
    const world = await worldNear().inside();
    world.session.join("43", "");
    await vi.waitFor(() => expect(world.stay("43")).toBe(liveStay(world.session.state.get())));
    await vi.advanceTimersByTimeAsync(20_000);
    world.channel.drop();
    world.session.openChat("43", true);
    void world.session.readEarlierChat("43");
    world.session.leave("42");
    await vi.waitFor(() => expect(world.near).toHaveLength(2));
    await inAgain(world);
    expect(world.line.heard.map((body) => body.case)).not.toContain("readChat");
    expect(way(world).relay).toEqual(office);
  });

  it("is introduced by a new connection when the old one is gone too", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    world.line.drop();
    world.channel.drop();
    await vi.advanceTimersByTimeAsync(1000);
    await inAgain(world);
    expect(world.lines).toHaveLength(2);
    expect(world.near).toHaveLength(2);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
  });

  it("says who asks before it is introduced, anew on a new connection", async () => {
    const world = await worldNear().inside();
    const before = ["requestJoinCredential", "introduce"];
    const asked = () => world.line.heard.map((body) => body.case).filter((x) => before.includes(x));
    expect(asked()).toEqual(before);
    await vi.advanceTimersByTimeAsync(20_000);
    world.channel.drop();
    await vi.waitFor(() => expect(world.near).toHaveLength(2));
    await inAgain(world);
    expect(asked()).toEqual([...before, "introduce"]);
    await vi.advanceTimersByTimeAsync(20_000);
    world.line.drop();
    world.channel.drop();
    await vi.waitFor(() => expect(world.near).toHaveLength(3));
    await inAgain(world);
    expect(world.lines).toHaveLength(2);
    expect(asked()).toEqual(before);
    expect(world.said("requestJoinCredential")[1]?.previousJoinCredential).toBe("credential-1");
    expect(way(world).relay).toEqual(office);
  });

  it("comes back straight, by the credential that it has, when the core does not know it", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    world.refuseNext.set("requestJoinCredential", [RefusalCode.TRY_AGAIN]);
    world.line.drop();
    world.channel.drop();
    await vi.waitFor(() => expect(world.lines).toHaveLength(2), { timeout: 4000 });
    await inAgain(world);
    expect(world.said("introduce")).toHaveLength(1);
    expect(world.said("join").at(-1)?.joinCredential).toBe("credential-1");
    expect(way(world)).toEqual({ relay: undefined, missed: office, cutOff: false });
  });

  it("goes straight after two failures, within seconds of noticing", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    // The relay is dead: nothing comes, and introductions lead nowhere.
    world.relays.set("a", "silent");
    world.channel.hold = true;
    await vi.advanceTimersByTimeAsync(4100 + 300 + 2 * 3000 + 400);
    await inAgain(world);
    expect(world.said("introduce")).toHaveLength(3);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(world.line.count("join")).toBe(1);
    expect(way(world)).toEqual({ relay: undefined, missed: office, cutOff: false });
  });

  it("goes straight at once when the core knows that the relay is not there", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    world.relays.set("a", "refused");
    world.channel.say({ case: "draining", value: {} });
    await vi.advanceTimersByTimeAsync(800);
    await inAgain(world);
    expect(world.said("introduce")).toHaveLength(2);
    expect(world.line.count("join")).toBe(1);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
  });

  it("does not go back and forth to a relay that loses everything at once", async () => {
    const world = await worldNear().inside();
    for (let times = 0; times < 2; times++) {
      world.channel.drop();
      await vi.waitFor(() => expect(world.place).toMatchObject({ hindrance: "lost" }));
      await inAgain(world);
    }
    expect(world.near).toHaveLength(2);
    expect(world.line.count("join")).toBe(1);
    expect(way(world)).toEqual({ relay: undefined, missed: office, cutOff: false });
    // Given up, but not for good: whoever has to connect anew a while later tries it again.
    await vi.advanceTimersByTimeAsync(60_000);
    world.line.drop();
    await vi.waitFor(() => expect(way(world).relay).toEqual(office));
    await inAgain(world);
  });

  it("does not hold it against the relay that the core could not be reached", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    world.coreGone = true;
    world.line.drop();
    world.channel.drop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: "lost" });
    world.coreGone = false;
    await vi.advanceTimersByTimeAsync(4000);
    await inAgain(world);
    expect(world.place).toMatchObject({ kind: "inside", hindrance: undefined });
    expect(way(world).relay).toEqual(office);
  });

  it("nor that the core is lost while it introduces", async () => {
    const world = await worldNear().inside();
    await vi.advanceTimersByTimeAsync(20_000);
    world.relays.set("a", "silent");
    world.channel.drop();
    for (const introductions of [2, 3, 4]) {
      const introduced = () => expect(world.said("introduce")).toHaveLength(introductions);
      await vi.waitFor(introduced, { timeout: 4000 });
      world.line.drop();
    }
    world.relays.set("a", "answers");
    await inAgain(world);
    expect(way(world).relay).toEqual(office);
    expect(world.near.filter(({ closed }) => !closed)).toHaveLength(1);
  }, 15_000);

  it("leaves over the relay, closes the channel, and stays in touch with the core", async () => {
    const world = await worldNear().inside();
    const { channel } = world;
    world.session.leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(channel.count("leave")).toBe(1);
    expect(channel.closed).toBe(true);
    expect(world.line.closed).toBe(false);
    expect(way(world)).toEqual(straight);
  });

  it("drops a channel that comes when nobody wants it any more", async () => {
    const world = worldNear("blocked");
    world.session.join("42", "");
    await vi.waitFor(() => expect(world.near).toHaveLength(1));
    const { channel } = world;
    world.session.leave();
    channel.welcome({ relayId: "a" });
    await vi.advanceTimersByTimeAsync(6000);
    expect(channel.closed).toBe(true);
    expect(channel.count("join")).toBe(0);
    expect(world.place).toEqual({ kind: "outside" });
  });

  it("carries both meetings over one channel", async () => {
    const world = await worldNear().inside();
    world.session.join("43", "");
    await vi.waitFor(() => expect(world.stay("43")).toBe(liveStay(world.session.state.get())));
    expect(world.near).toHaveLength(1);
    expect(world.channel.count("join")).toBe(2);
    expect(world.channel.count("switchMeeting")).toBe(1);
    await world.session.switchTo("42");
    expect(world.channel.count("switchMeeting")).toBe(2);
    expect(world.line.count("switchMeeting")).toBe(0);
  });

  it("is over when the relay brings the core's word that it is", async () => {
    const world = await worldNear().inside();
    world.channel.say(refusal(RefusalCode.REPLACED));
    await vi.advanceTimersByTimeAsync(100);
    expect(world.place).toMatchObject({ kind: "over", reason: "replaced" });
    expect(world.near).toHaveLength(1);
  });
});
