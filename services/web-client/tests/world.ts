// A session with a relay that says yes, for tests.

import { fromBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, vi } from "vitest";
import { Store } from "../src/app/store";
import { Role } from "../src/gen/tributary/access/v1/access_pb";
import type { MeetingEventSchema } from "../src/gen/tributary/event/v1/event_pb";
import { Presence } from "../src/gen/tributary/event/v1/event_pb";
import { OfflineReason, OperationSchema } from "../src/gen/tributary/operation/v1/operation_pb";
import type { Operation } from "../src/gen/tributary/operation/v1/operation_pb";
import { MemberRole } from "../src/gen/tributary/registry/v1/registry_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { PostponedMemory } from "../src/notices/postponed";
import { OperationMemory } from "../src/operations/memory";
import { Desk } from "../src/session/desk";
import { TerminalKey } from "../src/session/key";
import { Session } from "../src/session/session";
import { stayAt } from "../src/session/state";
import type { Stay } from "../src/session/stay";
import { TabMemory } from "../src/session/tab";
import { NameBook } from "../src/members/names";
import type { Identity } from "../src/session/wire";
import { Line, NearLine } from "./relay";
import type { Body, Manner, Said } from "./relay";
import { FakeStorage } from "./storage";

export const guest: Identity = {
  token: "token",
  userId: "g",
  displayName: "Ada",
  guest: true,
  obtainedAtMs: 0,
  expiresAtMs: Number.POSITIVE_INFINITY,
  clockOffsetMs: 0,
};
export const account: Identity = { ...guest, userId: "boss", guest: false };
export const SECRET = "AbCdEfGhIjKlMnOpQr-_Ug";

type Values = { [K in Body["case"]]: Extract<Body, { case: K }>["value"] };

type EventBody = Exclude<MessageInitShape<typeof MeetingEventSchema>["body"], undefined>;

/** As which participant the terminal is in. */
export const SELF: Record<string, number> = { "42": 3, "43": 5, "44": 7 };

export const refusal = (code: RefusalCode): Said => ({
  case: "refusal",
  value: { code, message: "" },
});

/** A session with a relay that says yes, unless told otherwise for the next such request. */
export class World {
  /** Connections to the core. */
  readonly lines: Line[] = [];
  /** Channels to relays nearby. */
  readonly near: NearLine[] = [];
  /** Relays nearby, and how they take introductions. */
  readonly relays = new Map<string, Manner>();
  /** Ids of the relays that the core suggests. */
  suggested: string[] = [];
  /** The core can't be reached. */
  coreGone = false;
  readonly muted = new Store(false);
  readonly saved: (Identity | undefined)[] = [];
  readonly interrupted = new Store(false);
  /** What the session did with the way of audio, in order. */
  readonly audio: string[] = [];
  /** The registry has another participant for this terminal from now on. */
  another: number | undefined;
  /** The relay gives a roster to who asks for the events after a cursor, too. */
  forgetful = false;
  /** Operations are not answered, as while JetStream is down. */
  deaf = false;
  /** Meetings whose lobby the terminal has to wait in. */
  readonly lobbies = new Set<string>();
  /** What was written before, by meeting. */
  readonly chats = new Map<string, MessageInitShape<typeof MeetingEventSchema>[]>();
  /** Number of the last event, by meeting. */
  private readonly numbers = new Map<string, bigint>();
  readonly refuseNext = new Map<Body["case"], RefusalCode[]>();
  /** The next such request comes when the relay has just let the idle connection go. */
  readonly idleAt = new Set<Body["case"]>();
  /** The relay can't share a new meeting. */
  sharingFails = false;
  credentials = 0;
  role = Role.OUTSIDER;
  exchange: ((offer: string) => Promise<string>) | undefined;
  readonly session: Session;
  readonly desk: Desk;
  readonly memory = new TabMemory(undefined);
  readonly names = new NameBook(undefined);

  /** The same storage and key: the page after a reload. */
  constructor(
    identity: Identity | undefined = guest,
    readonly storage = new FakeStorage(),
    readonly key: Promise<TerminalKey> = TerminalKey.generate(),
  ) {
    this.session = new Session({
      key: () => this.key,
      memory: this.memory,
      operations: new OperationMemory(this.storage),
      postponed: new PostponedMemory(this.storage),
      openTransport: () => this.open(),
      openChannel: () => this.openNear(),
      audio: {
        muted: this.muted,
        interrupted: this.interrupted,
        mute: () => this.muted.set(true),
        speak: (outlet) => this.audio.push(outlet),
        connect: (exchange) => {
          this.audio.push("connect");
          this.exchange = exchange;
        },
        disconnect: () => this.audio.push("disconnect"),
      },
      identity,
      saveIdentity: (saved) => this.saved.push(saved),
    });
    this.desk = new Desk(this.session, this.names);
  }

  get place() {
    return this.session.state.get().place;
  }

  get line(): Line {
    const line = this.lines.at(-1);
    if (line === undefined) throw new Error("no connection yet");
    return line;
  }

  /** The last channel to a relay. */
  get channel(): NearLine {
    const line = this.near.at(-1);
    if (line === undefined) throw new Error("no channel yet");
    return line;
  }

  said<K extends Body["case"]>(kind: K): Values[K][] {
    const bodies = [...this.lines, ...this.near].flatMap((line) => line.heard);
    return bodies.filter((body) => body.case === kind).map((body) => body.value as Values[K]);
  }

  stay(meetingId = "42"): Stay {
    const stay = stayAt(this.session.state.get(), meetingId);
    if (stay === undefined) throw new Error("not in that meeting");
    return stay;
  }

  /** What was done in the meeting, as the registry would read it, in the order it was sent. */
  operations(meetingId = "42"): Operation[] {
    return this.said("operate")
      .map(({ operation }) => fromBinary(OperationSchema, operation?.envelope ?? new Uint8Array()))
      .filter((operation) => operation.meetingId === meetingId);
  }

  /** The last operation of this kind, when it has come. */
  async operation<K extends Operation["body"]["case"]>(kind: K, meetingId = "42") {
    await vi.waitFor(() =>
      expect(this.operations(meetingId).map(({ body }) => body.case)).toContain(kind),
    );
    const operation = this.operations(meetingId).findLast(({ body }) => body.case === kind);
    if (operation === undefined) throw new Error("no such operation");
    return operation;
  }

  /** Something happens in the meeting. */
  happen(body: EventBody | undefined, operation?: Operation, meetingId = "42"): bigint {
    const number = (this.numbers.get(meetingId) ?? 10n) + 1n;
    this.numbers.set(meetingId, number);
    const at = timestampFromMs(1_000_000 + Number(number));
    const cause =
      operation === undefined
        ? {}
        : { cause: { participantId: SELF[meetingId] ?? 0, operationId: operation.operationId } };
    const value = { meetingId, number, at, ...cause, ...(body === undefined ? {} : { body }) };
    this.line.say({ case: "event", value });
    return number;
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
    const line = new Line((body, at) => this.answer(body, at));
    this.lines.push(line);
    const suggestedRelays = this.suggested.map((relayId) => ({
      relayId,
      relayName: `Office ${relayId}`,
    }));
    queueMicrotask(() => (this.coreGone ? line.drop() : line.welcome({ suggestedRelays })));
    return line;
  }

  private openNear(): NearLine {
    const line = new NearLine((body, at) => this.answer(body, at), `offer ${this.near.length}`);
    this.near.push(line);
    return line;
  }

  private introduce({ relayId, sdp }: Values["introduce"], core: Line): Said | undefined {
    const known = ["logIn", "enterAsGuest", "requestJoinCredential"] as const;
    if (!known.some((kind) => core.count(kind) > 0)) return refusal(RefusalCode.NOT_LOGGED_IN);
    const manner = this.relays.get(relayId) ?? "refused";
    const line = this.near.find((one) => one.sdp === sdp);
    if (manner === "refused") return refusal(RefusalCode.TRY_AGAIN);
    if (manner === "silent" || line === undefined) return undefined;
    const nonce = new Uint8Array(32).fill(5);
    if (manner === "answers") {
      line.welcomed = () => line.welcome({ nonce, relayId, relayName: `Office ${relayId}` });
    }
    return { case: "introduced", value: { sdp: `answer of ${relayId}` } };
  }

  private answer(body: Body, line: Line): Said | undefined {
    if (this.idleAt.delete(body.case)) {
      line.say(refusal(RefusalCode.TRY_AGAIN));
      return undefined;
    }
    const code = this.refuseNext.get(body.case)?.shift();
    if (code !== undefined) return refusal(code);
    switch (body.case) {
      case "logIn":
      case "enterAsGuest":
        return {
          case: "identity",
          value: { identityToken: "new", userId: "g2", displayName: "Ada", guest: true },
        };
      case "refreshIdentity":
        return {
          case: "identity",
          value: {
            identityToken: "fresh",
            userId: "boss",
            displayName: "Ada",
            expiresAt: timestampFromMs(Date.now() + 3_600_000),
          },
        };
      case "createMeeting":
        return {
          case: "meetingCreated",
          value: {
            meetingId: "77",
            ...(this.sharingFails
              ? {}
              : { share: { share: { shareId: "s1" }, link: { url: "https://x" } } }),
          },
        };
      case "readMeeting":
        return {
          case: "meetingDetails",
          value: {
            meeting: { meetingId: body.value.meetingId, subject: "Plans" },
            role: this.role,
            members: [{ userId: "boss", role: MemberRole.ORGANISER }],
          },
        };
      case "receiveNotices":
        return { case: "notices", value: { notices: [{ noticeId: "n1", meetingId: "42" }] } };
      case "findUsers":
        return { case: "usersFound", value: { users: [{ userId: "g", displayName: "Grace" }] } };
      case "shareMeeting":
        return {
          case: "meetingShared",
          value: { share: { shareId: "s2" }, link: { url: "https://y" } },
        };
      case "revokeShare":
        return { case: "shareRevoked", value: {} };
      case "dismissNotice":
        return { case: "noticeDismissed", value: {} };
      case "logOut":
        return { case: "loggedOut", value: {} };
      case "requestJoinCredential":
        return {
          case: "joinCredential",
          value: {
            joinCredential: `credential-${++this.credentials}`,
            expiresAt: timestampFromMs(Date.now() + 60_000),
          },
        };
      case "join":
        return this.joined(body.value);
      case "switchMeeting":
        return { case: "switched", value: { meetingId: body.value.meetingId } };
      case "readChat":
        return { case: "chat", value: this.chatOf(body.value.meetingId, body.value.before) };
      case "mediaOffer":
        return { case: "mediaAnswer", value: { sdp: `answer to ${body.value.sdp}` } };
      case "operate":
        return this.deaf ? undefined : { case: "operationReceived", value: {} };
      case "leave":
        return { case: "left", value: {} };
      case "ping":
        return { case: "pong", value: {} };
      case "introduce":
        return this.introduce(body.value, line);
      default:
        return undefined;
    }
  }

  /** Who has the events up to its cursor gets no roster. */
  private joined({ meetingId, cursor, muted, held }: Values["join"]): Said {
    const participantId = this.another ?? SELF[meetingId] ?? 0;
    const meeting = { meetingId, subject: "Plans", organiserUserId: "boss", organisation: "acme" };
    const waiting = this.lobbies.has(meetingId);
    const value = { participantId, meeting, waiting };
    if (waiting || (cursor > 0n && !this.forgetful)) return { case: "joined", value };
    return { case: "joined", value: { ...value, roster: this.roster(meetingId, muted, held) } };
  }

  /** The roster as a snapshot of now. */
  roster(meetingId = "42", muted = false, held = false) {
    const self = {
      participantId: SELF[meetingId] ?? 0,
      userId: "g",
      displayName: "Ada",
      muted,
      presence: held ? Presence.OFFLINE : Presence.ONLINE,
      offlineReason: held ? OfflineReason.OTHER_MEETING : OfflineReason.UNSPECIFIED,
    };
    const eventNumber = this.numbers.get(meetingId) ?? 10n;
    return { participants: [self, ...OTHERS], eventNumber };
  }

  private chatOf(meetingId: string, before: bigint) {
    const all = this.chats.get(meetingId) ?? [];
    const earlier = before === 0n ? all : all.filter(({ number }) => (number ?? 0n) < before);
    return { meetingId, messages: earlier.slice(-50) };
  }
}

/** Who is in each meeting besides the terminal itself. */
export const OTHERS = [
  { participantId: 8, userId: "u8", displayName: "Grace", host: true },
  { participantId: 9, userId: "u9", displayName: "Edsger" },
];

export const plan = {
  subject: "Plans",
  password: "",
  startsAtMs: undefined,
  invited: [],
  shared: true,
  lobby: false,
};
