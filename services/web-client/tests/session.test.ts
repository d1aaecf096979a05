import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Store } from "../src/app/store";
import { LeaveReason } from "../src/gen/tributary/event/v1/event_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { Session } from "../src/session/session";
import type { Identity } from "../src/session/wire";
import { Line } from "./relay";
import type { Body, Said } from "./relay";

const guest: Identity = {
  token: "token",
  userId: "g",
  displayName: "Ada",
  guest: true,
  expiresAtMs: Number.POSITIVE_INFINITY,
};

type Values = { [K in Body["case"]]: Extract<Body, { case: K }>["value"] };

const refusal = (code: RefusalCode): Said => ({ case: "refusal", value: { code, message: "" } });

/** A session with a relay that says yes, unless told otherwise for the next such request. */
class World {
  readonly lines: Line[] = [];
  readonly muted = new Store(false);
  readonly saved: (Identity | undefined)[] = [];
  readonly audio: string[] = [];
  readonly refuseNext = new Map<Body["case"], RefusalCode[]>();
  credentials = 0;
  exchange: ((offer: string) => Promise<string>) | undefined;
  readonly session: Session;

  constructor(identity: Identity | undefined = guest) {
    this.session = new Session({
      openSocket: () => this.open(),
      audio: {
        muted: this.muted,
        connect: (exchange) => {
          this.audio.push("connect");
          this.exchange = exchange;
        },
        disconnect: () => this.audio.push("disconnect"),
      },
      identity,
      saveIdentity: (saved) => this.saved.push(saved),
    });
  }

  get place() {
    return this.session.state.get().place;
  }

  get line(): Line {
    const line = this.lines.at(-1);
    if (line === undefined) throw new Error("no connection yet");
    return line;
  }

  said<K extends Body["case"]>(kind: K): Values[K][] {
    const bodies = this.lines.flatMap((line) => line.heard);
    return bodies.filter((body) => body.case === kind).map((body) => body.value as Values[K]);
  }

  async inside(): Promise<this> {
    this.session.join("42", "sesame");
    await vi.waitFor(() => expect(this.place.kind).toBe("inside"));
    return this;
  }

  /** Waits until the terminal is in again after something has happened. */
  async back(connections: number): Promise<void> {
    await vi.waitFor(
      () => {
        expect(this.lines).toHaveLength(connections);
        expect(this.place).toMatchObject({ kind: "inside", hindrance: undefined });
      },
      { timeout: 8000 },
    );
  }

  private open(): Line {
    const line = new Line((body) => this.answer(body));
    this.lines.push(line);
    queueMicrotask(() => line.welcome());
    return line;
  }

  private answer(body: Body): Said | undefined {
    const code = this.refuseNext.get(body.case)?.shift();
    if (code !== undefined) return refusal(code);
    switch (body.case) {
      case "logIn":
      case "enterAsGuest":
        return {
          case: "identity",
          value: { identityToken: "new", userId: "g2", displayName: "Ada", guest: true },
        };
      case "createMeeting":
        return { case: "meetingCreated", value: { meetingId: "77" } };
      case "requestJoinCredential":
        return {
          case: "joinCredential",
          value: {
            joinCredential: `credential-${++this.credentials}`,
            expiresAt: timestampFromMs(Date.now() + 60_000),
          },
        };
      case "join":
        return {
          case: "joined",
          value: {
            participantId: 3,
            meeting: { meetingId: "42", subject: "Plans", organiserUserId: "boss" },
            roster: {
              participants: [{ participantId: 3, displayName: "Ada" }],
              eventNumber: 10n,
            },
          },
        };
      case "mediaOffer":
        return { case: "mediaAnswer", value: { sdp: `answer to ${body.value.sdp}` } };
      case "operate":
        return { case: "operationResult", value: {} };
      case "leave":
        return { case: "left", value: {} };
      case "ping":
        return { case: "pong", value: {} };
      case "endMeeting":
        return { case: "meetingWasEnded", value: {} };
    }
  }
}

describe("session", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("enters as a guest and keeps the identity", async () => {
    const world = new World(undefined);
    expect(await world.session.enterAsGuest("Ada")).toBe(true);
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
    const world = new World();
    world.refuseNext.set("createMeeting", [RefusalCode.NOT_LOGGED_IN]);
    expect(await world.session.createMeeting("Plans", "", true)).toBeUndefined();
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
    expect(world.place).toMatchObject({ selfId: 3, meeting: { subject: "Plans" } });
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

  it("comes back when the meeting thought it lost, and does not when it was taken out", async () => {
    const world = await new World().inside();
    const left = (number: bigint, reason: LeaveReason): Said => ({
      case: "event",
      value: { number, body: { case: "left", value: { participantId: 3, reason } } },
    });
    world.line.say(left(11n, LeaveReason.RELAY_LOST));
    await world.back(2);
    world.line.say(left(11n, LeaveReason.LEFT));
    await vi.waitFor(() => expect(world.place).toMatchObject({ kind: "over", reason: "removed" }));
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
    await vi.waitFor(() => expect(world.said("operate")).toHaveLength(1));
    world.muted.set(false);
    await vi.waitFor(() => expect(world.said("operate")).toHaveLength(2));
    const [mute, unmute] = world.said("operate").map((operate) => operate.operation);
    expect(mute?.body).toMatchObject({ case: "setMuted", value: { muted: true } });
    expect(unmute?.body).toMatchObject({ case: "setMuted", value: { muted: false } });
    expect(mute?.operationId).not.toBe(unmute?.operationId);
  });

  it("repeats an operation under the same id while told to try again", async () => {
    const world = await new World().inside();
    world.refuseNext.set("operate", [RefusalCode.TRY_AGAIN, RefusalCode.TRY_AGAIN]);
    world.muted.set(true);
    await vi.waitFor(() => expect(world.said("operate")).toHaveLength(3), { timeout: 5000 });
    const ids = world.said("operate").map((operate) => operate.operation?.operationId);
    expect(new Set(ids).size).toBe(1);
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

  it("does not try to join from a page without keys", () => {
    vi.stubGlobal("isSecureContext", false);
    const world = new World();
    world.session.join("42", "");
    expect(world.session.state.get().problem?.reason).toBe("insecure");
    expect(world.lines).toHaveLength(0);
  });
});
