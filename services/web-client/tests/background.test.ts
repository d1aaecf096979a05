import { beforeEach, describe, expect, it, vi } from "vitest";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { toShow } from "../src/notices/notices";
import { World, account, guest } from "./world";

describe("session in the background", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("refreshes an identity in time, by a proof of its key", async () => {
    const now = Date.now();
    const old = { ...account, obtainedAtMs: now - 50 * 60_000, expiresAtMs: now + 10 * 60_000 };
    const world = new World({ ...old, clockOffsetMs: 90_000 });
    world.session.start();
    await vi.waitFor(() => expect(world.saved.at(-1)?.token).toBe("fresh"));
    const [refresh] = world.said("refreshIdentity");
    expect(refresh?.proof).toHaveLength(64);
    // By the server's clock, which is 90 s ahead.
    expect(Number(refresh?.signedAt) - now / 1000).toBeGreaterThan(88);
  });

  it("leaves a fresh identity alone", async () => {
    const now = Date.now();
    const world = new World({ ...account, obtainedAtMs: now, expiresAtMs: now + 3_600_000 });
    world.session.start();
    world.session.returned();
    await vi.waitFor(() => expect(world.said("receiveNotices")).toHaveLength(1));
    expect(world.said("refreshIdentity")).toHaveLength(0);
  });

  it("asks for a new log-in when refreshing is refused, but not in the middle of a meeting", async () => {
    const now = Date.now();
    const old = { ...account, obtainedAtMs: now - 50 * 60_000, expiresAtMs: now + 10 * 60_000 };
    for (const inside of [false, true]) {
      const world = new World(old);
      if (inside) await world.inside();
      world.refuseNext.set("refreshIdentity", [RefusalCode.NOT_LOGGED_IN]);
      world.session.start();
      await vi.waitFor(() => expect(world.said("refreshIdentity")).toHaveLength(1));
      await vi.waitFor(() => {
        const { identity } = world.session.state.get();
        expect(identity === undefined).toBe(!inside);
      });
    }
  });

  it("receives notices, again on each connection, and each notice once", async () => {
    const world = new World(account);
    world.session.start();
    const pending = () => world.session.state.get().notices.pending.map(({ id }) => id);
    await vi.waitFor(() => expect(pending()).toEqual(["n1"]));
    world.line.say({ case: "notice", value: { noticeId: "n2", meetingId: "43" } });
    world.line.say({ case: "notice", value: { noticeId: "n1", meetingId: "42" } });
    await vi.waitFor(() => expect(pending()).toEqual(["n1", "n2"]));
    await world.session.dismissNotice("n1");
    world.line.drop();
    await vi.waitFor(() => expect(world.said("receiveNotices")).toHaveLength(2));
    await vi.waitFor(() => expect(pending()).toEqual([]));
    expect(world.said("dismissNotice")[0]?.noticeId).toBe("n1");
  });

  it("receives none for guests, and none for whom the relay does not serve", async () => {
    const now = Date.now();
    const visitor = new World({ ...guest, obtainedAtMs: now, expiresAtMs: now + 3_600_000 });
    visitor.session.start();
    const world = new World(account);
    world.refuseNext.set("receiveNotices", [RefusalCode.UNSUPPORTED]);
    world.session.start();
    await vi.waitFor(() => expect(world.said("receiveNotices")).toHaveLength(1));
    world.line.drop();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(world.lines).toHaveLength(1);
    expect(visitor.said("receiveNotices")).toHaveLength(0);
  });

  it("finishes a log-in at another site with the key that began it", async () => {
    const world = new World(undefined);
    world.refuseNext.set("finishOidcLogIn", [RefusalCode.NOT_LOGGED_IN]);
    expect(await world.session.finishOidcLogIn("state", "code", "")).toBe(false);
    expect(world.session.state.get().problem).toEqual({ during: "oidc", reason: "notLoggedIn" });
    const [finish] = world.said("finishOidcLogIn");
    expect(finish).toMatchObject({ state: "state", code: "code" });
    expect(finish?.publicKey).toHaveLength(65);
  });

  it("has an invitation told later that was put off, also after a reload", async () => {
    const world = new World(account);
    world.session.start();
    const shown = (one: World) => toShow(one.session.state.get().notices, []).map(({ id }) => id);
    await vi.waitFor(() => expect(shown(world)).toEqual(["n1"]));
    world.session.later("n1");
    expect(shown(world)).toEqual([]);
    const again = new World(account, world.storage, world.key);
    vi.useFakeTimers();
    try {
      again.session.start();
      const pending = () => again.session.state.get().notices.pending;
      await vi.waitFor(() => expect(pending()).toHaveLength(1));
      expect(shown(again)).toEqual([]);
      await vi.advanceTimersByTimeAsync(4 * 60_000);
      expect(shown(again)).toEqual([]);
      await vi.advanceTimersByTimeAsync(61_000);
      expect(shown(again)).toEqual(["n1"]);
    } finally {
      vi.useRealTimers();
    }
    expect(world.said("dismissNotice")).toHaveLength(0);
  });

  it("follows an invitation from outside of a meeting, and declines one for good", async () => {
    const world = new World(account);
    world.session.start();
    await vi.waitFor(() => expect(world.session.state.get().notices.pending).toHaveLength(1));
    const [notice] = world.session.state.get().notices.pending;
    if (notice === undefined) throw new Error("no notice");
    world.session.accept(notice);
    await vi.waitFor(() => expect(world.stay("42").meeting.id).toBe("42"));
    expect(world.said("join")[0]?.held).toBe(false);
    await world.session.decline(notice.id);
    expect(world.said("dismissNotice")[0]?.noticeId).toBe("n1");
    expect(world.session.state.get().notices.pending).toEqual([]);
  });
});
