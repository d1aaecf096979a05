import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { Connection } from "../src/session/connection";
import { Line } from "./relay";
import type { Script } from "./relay";

async function connected(script: Script): Promise<[Connection, Line]> {
  const line = new Line(script);
  const opening = Connection.open(line);
  line.welcome();
  return [await opening, line];
}

const pong: Script = ({ case: kind }) =>
  kind === "ping" ? { case: "pong", value: {} } : undefined;

describe("connection", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("opens with the welcome", async () => {
    const [connection] = await connected(pong);
    expect(connection.welcome.relayName).toBe("Hall");
    expect(connection.open).toBe(true);
  });

  it("does not open without a welcome in time", async () => {
    const line = new Line(pong);
    const opening = Connection.open(line);
    const failure = expect(opening).rejects.toMatchObject({ how: "unreachable" });
    await vi.advanceTimersByTimeAsync(5000);
    await failure;
    expect(line.closed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives each request its own answer, in whatever order they come", async () => {
    const [connection, line] = await connected(() => undefined);
    const first = connection.request("enterAsGuest", { displayName: "A" });
    const second = connection.request("enterAsGuest", { displayName: "B" });
    line.say({ case: "identity", value: { displayName: "B" } }, 2n);
    line.say({ case: "identity", value: { displayName: "A" } }, 1n);
    expect((await first).displayName).toBe("A");
    expect((await second).displayName).toBe("B");
  });

  it("rejects the refused request and stays open", async () => {
    const [connection] = await connected(() => ({
      case: "refusal",
      value: { code: RefusalCode.NOT_LOGGED_IN, message: "no" },
    }));
    const request = connection.request("logIn", { userName: "a", password: "b" });
    await expect(request).rejects.toMatchObject({ reason: "notLoggedIn" });
    expect(connection.open).toBe(true);
  });

  it("ends with the reason of an unasked refusal", async () => {
    const [connection, line] = await connected(pong);
    line.say({ case: "refusal", value: { code: RefusalCode.REPLACED, message: "" } });
    await expect(connection.ended).rejects.toMatchObject({ reason: "replaced" });
    expect(line.closed).toBe(true);
  });

  it.each([
    ["a closed socket", (line: Line) => line.drop(), "closed"],
    ["a draining relay", (line: Line) => line.say({ case: "draining", value: {} }), "draining"],
    ["text instead of bytes", (line: Line) => line.raw("hello"), "closed"],
    ["bytes that are no message", (line: Line) => line.raw(new Uint8Array([7]).buffer), "closed"],
  ])("ends at %s, and so do its requests", async (_, happen, how) => {
    const [connection, line] = await connected(() => undefined);
    const request = connection.request("leave", {});
    const failure = expect(request).rejects.toMatchObject({ how });
    happen(line);
    await failure;
    await expect(connection.ended).rejects.toMatchObject({ how });
    await expect(connection.request("ping", {})).rejects.toMatchObject({ how });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends at an answer of the wrong kind", async () => {
    const [connection] = await connected(() => ({ case: "pong", value: {} }));
    await expect(connection.request("leave", {})).rejects.toMatchObject({ how: "closed" });
    expect(connection.open).toBe(false);
  });

  it("pings every second and lives as long as it is answered", async () => {
    const [connection, line] = await connected(pong);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(line.count("ping")).toBe(60);
    expect(connection.open).toBe(true);
    expect(connection.silent.get()).toBe(false);
  });

  it("tells of silence after 2 s, and takes 4 s of it for a lost connection", async () => {
    const [connection, line] = await connected(() => undefined);
    const ended = expect(connection.ended).rejects.toMatchObject({ how: "silent" });
    await vi.advanceTimersByTimeAsync(1999);
    expect(connection.silent.get()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(connection.silent.get()).toBe(true);
    await vi.advanceTimersByTimeAsync(1999);
    expect(connection.open).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    await ended;
    expect(line.closed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes any word for a sign of life", async () => {
    const [connection, line] = await connected(() => undefined);
    await vi.advanceTimersByTimeAsync(3000);
    expect(connection.silent.get()).toBe(true);
    line.say({ case: "speakers", value: { speakerIds: [] } });
    expect(connection.silent.get()).toBe(false);
    await vi.advanceTimersByTimeAsync(1900);
    expect(connection.silent.get()).toBe(false);
    expect(connection.open).toBe(true);
  });

  it("waits for operations to be received as long as it lives", async () => {
    const [connection, line] = await connected(pong);
    const operate = connection.request("operate", {});
    await vi.advanceTimersByTimeAsync(300_000);
    expect(connection.open).toBe(true);
    line.say({ case: "operationReceived", value: { operationId: "x" } }, 1n);
    expect((await operate).operationId).toBe("x");
  });

  it("waits for a share as long as the mail server may take, and pings meanwhile", async () => {
    const [connection, line] = await connected(pong);
    const share = connection.request("shareMeeting", { meetingId: "42" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connection.open).toBe(true);
    expect(line.count("ping")).toBe(60);
    line.say({ case: "meetingShared", value: { share: { shareId: "s" } } }, 1n);
    expect((await share).share?.shareId).toBe("s");
    const lost = expect(connection.request("shareMeeting", {})).rejects.toMatchObject({
      how: "silent",
    });
    await vi.advanceTimersByTimeAsync(64_900);
    expect(connection.open).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    await lost;
  });

  it("tells apart what the relay has not heard when it lets an idle connection go", async () => {
    const [connection, line] = await connected(() => undefined);
    const read = connection.request("readMeeting", { meetingId: "42" });
    const share = connection.request("shareMeeting", { meetingId: "42" });
    const failures = [
      expect(read).rejects.toMatchObject({ how: "unheard" }),
      // It may be under way: doing it twice sends it twice.
      expect(share).rejects.toMatchObject({ how: "closed" }),
    ];
    line.say({ case: "refusal", value: { code: RefusalCode.TRY_AGAIN, message: "" } });
    await Promise.all(failures);
    await expect(connection.request("ping", {})).rejects.toMatchObject({ how: "unheard" });
    await expect(connection.ended).rejects.toMatchObject({ reason: "tryAgain" });
  });

  it("hands on what comes unasked", async () => {
    const [connection, line] = await connected(pong);
    const heard: string[] = [];
    const stop = connection.listen("42", (message) => heard.push(message.case));
    line.say({ case: "speakers", value: { speakerIds: [1] } });
    line.say({ case: "event", value: { number: 1n } });
    line.say({ case: "roster", value: {} });
    expect(heard).toEqual(["speakers", "event", "roster"]);
    stop();
    line.say({ case: "roster", value: {} });
    expect(heard).toHaveLength(3);
  });

  it("tells apart what is about which of two meetings", async () => {
    const [connection, line] = await connected(pong);
    const heard: string[] = [];
    connection.listen("42", (message) => heard.push(`42 ${message.case}`));
    connection.listen("43", (message) => heard.push(`43 ${message.case}`));
    line.tell("43", { case: "speakers", value: { speakerIds: [1] } });
    line.say({ case: "event", value: { meetingId: "42", number: 1n } });
    line.tell("44", { case: "roster", value: {} });
    line.say({ case: "roster", value: {} });
    line.tell("42", { case: "refusal", value: { code: RefusalCode.MEETING_ENDED, message: "" } });
    expect(heard).toEqual(["43 speakers", "42 event", "42 refusal"]);
    expect(connection.open).toBe(true);
  });

  describe("to a relay", () => {
    async function near(script: Script): Promise<[Connection, Line]> {
      const line = new Line(script, "relay");
      const opening = Connection.open(line);
      line.welcome();
      return [await opening, line];
    }

    it("says nothing by which somebody could pass for this person", async () => {
      const [connection, line] = await near(pong);
      const asked = [
        connection.request("logIn", { userName: "ada", password: "secret" }),
        connection.request("enterAsGuest", { displayName: "Ada" }),
        connection.request("createMeeting", { identityToken: "token", password: "secret" }),
        connection.request("updateMeeting", { identityToken: "token", password: "secret" }),
        connection.request("readMeeting", { identityToken: "token", shareSecret: "secret" }),
        connection.request("requestJoinCredential", { identityToken: "token" }),
        connection.request("refreshIdentity", { identityToken: "token" }),
        connection.request("receiveNotices", { identityToken: "token" }),
        connection.request("introduce", { relayId: "other" }),
      ];
      for (const request of asked) await expect(request).rejects.toThrow("nothing for a relay");
      expect(line.heard).toEqual([]);
      expect(connection.open).toBe(true);
    });

    it("waits for as long as the relay holds what it can't pass on, but not to come in", async () => {
      const [connection] = await near(pong);
      const chat = expect(connection.request("readChat", {})).rejects.toMatchObject({
        how: "silent",
      });
      await vi.advanceTimersByTimeAsync(39_900);
      expect(connection.open).toBe(true);
      await vi.advanceTimersByTimeAsync(200);
      await chat;
      const [another] = await near(pong);
      const join = expect(another.request("join", {})).rejects.toMatchObject({ how: "silent" });
      await vi.advanceTimersByTimeAsync(10_000);
      await join;
    });
  });
});
