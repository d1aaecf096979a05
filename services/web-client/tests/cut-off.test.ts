// A relay nearby that has lost its own way to everybody else: told, stayed with, left for the core.

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LANGUAGES } from "../src/i18n/language";
import { wayNews } from "../src/meeting/announcements";
import { Connection } from "../src/session/connection";
import { liveStay } from "../src/session/state";
import { STRAIGHT, cutOffRelay } from "../src/session/way";
import type { Link } from "../src/session/way";
import { Notice } from "../src/view/fields";
import { Line } from "./relay";
import { World, account } from "./world";

const office = { id: "a", name: "Office a" };
const HOLD_MS = 120_000;

async function worldNear(): Promise<World> {
  const world = new World(account);
  world.suggested = ["a"];
  world.relays.set("a", "answers");
  await world.inside();
  await vi.advanceTimersByTimeAsync(20_000);
  return world;
}

const lost = (world: World, lostMs: number) =>
  world.channel.say({
    case: "uplinkChanged",
    value: { attached: false, holdMs: HOLD_MS, lostMs },
  });
const back = (world: World) =>
  world.channel.say({ case: "uplinkChanged", value: { attached: true } });
const way = (world: World) => world.session.state.get().way;
const inBySelf = { kind: "inside", hindrance: undefined };
/** Over the core; signing takes its time, whatever the clock says. */
const straight = (world: World) =>
  vi.waitFor(
    () => {
      expect(world.line.count("join")).toBeGreaterThan(0);
      expect(world.place).toMatchObject(inBySelf);
    },
    { timeout: 4000 },
  );

describe("what is told of a relay that is cut off", () => {
  const over = (relay: typeof office | undefined, cutOff = false): Link => ({
    way: { relay, missed: undefined, cutOff },
    coreName: "Hall",
  });

  it("names the relay, until it is attached again", () => {
    expect(cutOffRelay(over(office))).toBeUndefined();
    expect(cutOffRelay(over(office, true))).toBe("Office a");
    expect(cutOffRelay(over({ id: "a", name: "" }, true))).toBe("a");
    // An edge relay can be where the page came from, too.
    expect(cutOffRelay(over(undefined, true))).toBe("Hall");
    expect(cutOffRelay({ way: STRAIGHT, coreName: undefined })).toBeUndefined();
  });

  it.each(Object.values(LANGUAGES))("is said once to screen readers", (t) => {
    const [said, ...more] = wayNews(t, over(office), over(office, true));
    expect(said).toBe(t.connection.cutOff("Office a"));
    expect(said?.split("Office a")).toHaveLength(3);
    expect(more).toEqual([]);
    expect(wayNews(t, over(office, true), over(office, true))).toEqual([]);
    expect(wayNews(t, over(office), over(office))).toEqual([]);
    expect(wayNews(t, over(office, true), over(office))).toEqual([t.said.reachable("Office a")]);
    expect(wayNews(t, over(office, true), over(undefined))).toEqual([t.connection.straightNow]);
  });

  it("is a status that does not speak itself, as the announcer does", () => {
    const { props } = Notice({ tone: "warning", said: true, children: "cut off" });
    expect(props).toMatchObject({ role: "status", "aria-live": "off" });
    expect(Notice({ tone: "warning", children: "lost" }).props).toMatchObject({
      role: "status",
      "aria-live": undefined,
    });
  });
});

describe("a relay that is cut off", () => {
  beforeEach(() => {
    vi.stubGlobal("isSecureContext", true);
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it("is stayed with as long as others keep the places of those behind it", async () => {
    const world = await worldNear();
    expect(way(world)).toEqual({ relay: office, missed: undefined, cutOff: false });
    lost(world, 3000);
    expect(way(world)).toEqual({ relay: office, missed: undefined, cutOff: true });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(world.place).toMatchObject(inBySelf);
    expect(world.channel.closed).toBe(false);
    expect(world.line.count("join")).toBe(0);
    back(world);
    expect(way(world).cutOff).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(world.near).toHaveLength(1);
    expect(world.channel.closed).toBe(false);
  });

  it("is left when they don't any more, if the core answers", async () => {
    const world = await worldNear();
    world.channel.say({ case: "event", value: { number: 11n } });
    lost(world, 3000);
    lost(world, HOLD_MS);
    expect(world.channel.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(3000);
    await straight(world);
    const { channel } = world;
    expect(channel.closed).toBe(true);
    // Who says goodbye gives the place up.
    expect(channel.count("leave")).toBe(0);
    // The core's come first.
    const [second, first] = world.said("join");
    expect(second).toMatchObject({ cursor: 11n, sessionId: first?.sessionId });
    expect(second?.publicKey).toEqual(first?.publicKey);
    expect(world.said("join")).toHaveLength(2);
    expect(way(world)).toEqual({
      relay: undefined,
      missed: { ...office, wasCutOff: true },
      cutOff: false,
    });
    expect(world.audio.filter((call) => call === "connect")).toHaveLength(2);
  });

  it("rests then, and is asked for again a while later", async () => {
    const world = await worldNear();
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(3000);
    await straight(world);
    expect(world.said("introduce")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(60_000);
    world.line.drop();
    await vi.waitFor(() => expect(way(world).relay).toEqual(office), { timeout: 4000 });
    expect(way(world).missed).toBeUndefined();
  });

  it("is stayed with while the core can't be reached, which is tried again and again", async () => {
    const world = await worldNear();
    world.coreGone = true;
    world.line.drop();
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(65_000);
    const tries = world.lines.length - 1;
    expect(tries).toBeGreaterThanOrEqual(4);
    expect(tries).toBeLessThanOrEqual(6);
    expect(world.place).toMatchObject(inBySelf);
    expect(world.channel.closed).toBe(false);
    expect(way(world)).toMatchObject({ relay: office, cutOff: true });
    world.coreGone = false;
    await vi.advanceTimersByTimeAsync(20_000);
    await straight(world);
    expect(world.channel.closed).toBe(true);
  });

  it("is not left for a connection to the core that is dead and has not said so", async () => {
    const world = await worldNear();
    world.coreGone = true;
    world.line.hold = true;
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(world.channel.closed).toBe(false);
    expect(world.place).toMatchObject(inBySelf);
    expect(world.said("join")).toHaveLength(1);
  });

  it("is left when the core has only let the connection go unused", async () => {
    const world = await worldNear();
    world.idleAt.add("ping");
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(3000);
    await straight(world);
    expect(world.channel.closed).toBe(true);
  });

  it("is kept when it is attached again before the core was found", async () => {
    const world = await worldNear();
    world.coreGone = true;
    world.line.drop();
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(20_000);
    back(world);
    world.coreGone = false;
    const { length } = world.lines;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(world.lines).toHaveLength(length);
    expect(world.channel.closed).toBe(false);
    expect(way(world)).toEqual({ relay: office, missed: undefined, cutOff: false });
    // The next loss is another one.
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(3000);
    await straight(world);
  });

  it("is not held to the time of an answer that it has to wait for itself", async () => {
    const pong = { case: "pong", value: {} } as const;
    const line = new Line(({ case: kind }) => (kind === "ping" ? pong : undefined), "relay");
    const opening = Connection.open(line);
    line.welcome({ relayId: "a" });
    const connection = await opening;
    const uplink = (value: { attached: boolean; holdMs?: number; lostMs?: number }) =>
      line.say({ case: "uplinkChanged", value });
    const reading = connection.request("readChat", { meetingId: "42" });
    reading.catch(() => {});
    uplink({ attached: false, holdMs: HOLD_MS, lostMs: 3000 });
    await vi.advanceTimersByTimeAsync(200_000);
    expect(connection.open).toBe(true);
    uplink({ attached: true });
    await vi.advanceTimersByTimeAsync(39_000);
    expect(connection.open).toBe(true);
    line.say({ case: "chat", value: { meetingId: "42" } }, 1n);
    await expect(reading).resolves.toMatchObject({ meetingId: "42" });
    connection.request("readChat", { meetingId: "42" }).catch(() => {});
    await vi.advanceTimersByTimeAsync(40_100);
    expect(connection.open).toBe(false);
  });

  it("takes with it nothing that was done: it is sent again, as it was, in order", async () => {
    const world = await worldNear();
    const done = (text: string) => world.session.act({ kind: "sendChat", text, to: [] });
    const sent = (line: Line) =>
      line.heard.flatMap((body) =>
        body.case === "operate" ? [[...(body.value.operation?.envelope ?? [])]] : [],
      );
    // The relay has taken it, and nobody has heard what became of it.
    done("one");
    await vi.waitFor(() => expect(sent(world.channel)).toHaveLength(1));
    lost(world, 3000);
    world.deaf = true;
    done("two");
    await vi.waitFor(() => expect(sent(world.channel)).toHaveLength(2));
    world.deaf = false;
    lost(world, HOLD_MS);
    // Between the two ways nothing is lost either.
    await vi.waitFor(() => expect(world.channel.closed).toBe(true), { timeout: 4000 });
    done("three");
    await vi.advanceTimersByTimeAsync(1000);
    await straight(world);
    await vi.waitFor(() => expect(sent(world.line)).toHaveLength(3));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent(world.channel)).toHaveLength(2);
    expect(sent(world.line)).toHaveLength(3);
    expect(sent(world.line).slice(0, 2)).toEqual(sent(world.channel));
    // Each has one result.
    const operations = world.operations().slice(0, 3);
    operations.forEach((operation) => world.happen(undefined, operation));
    expect(world.stay().pending).toEqual([]);
  });

  it("carries both meetings to the core", async () => {
    const world = await worldNear();
    world.session.join("43", "");
    await vi.waitFor(() => expect(world.stay("43")).toBe(liveStay(world.session.state.get())));
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(3000);
    await straight(world);
    await vi.waitFor(() => expect(world.line.count("join")).toBe(2));
    expect(world.channel.closed).toBe(true);
    expect(world.near).toHaveLength(1);
    expect(world.stay("43")).toBe(liveStay(world.session.state.get()));
  });

  it("is looked past no longer once its meeting is left", async () => {
    const world = await worldNear();
    world.coreGone = true;
    world.line.drop();
    lost(world, HOLD_MS);
    await vi.advanceTimersByTimeAsync(5000);
    world.session.leave();
    await vi.advanceTimersByTimeAsync(2000);
    const { length } = world.lines;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(world.lines).toHaveLength(length);
    expect(way(world)).toEqual(STRAIGHT);
  });
});
