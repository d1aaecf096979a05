// A session with a relay that says yes, for tests.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, vi } from "vitest";
import { Store } from "../src/app/store";
import { Role } from "../src/gen/tributary/access/v1/access_pb";
import { MemberRole } from "../src/gen/tributary/registry/v1/registry_pb";
import { RefusalCode } from "../src/gen/tributary/terminal/v1/terminal_pb";
import { Desk } from "../src/session/desk";
import { TerminalKey } from "../src/session/key";
import { Session } from "../src/session/session";
import { TabMemory } from "../src/session/tab";
import { NameBook } from "../src/members/names";
import type { Identity } from "../src/session/wire";
import { Line } from "./relay";
import type { Body, Said } from "./relay";

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

export const refusal = (code: RefusalCode): Said => ({
  case: "refusal",
  value: { code, message: "" },
});

/** A session with a relay that says yes, unless told otherwise for the next such request. */
export class World {
  readonly lines: Line[] = [];
  readonly muted = new Store(false);
  readonly saved: (Identity | undefined)[] = [];
  readonly audio: string[] = [];
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
  private readonly key = TerminalKey.generate();

  constructor(identity: Identity | undefined = guest) {
    this.session = new Session({
      key: () => this.key,
      memory: this.memory,
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
    const line = new Line((body, at) => this.answer(body, at));
    this.lines.push(line);
    queueMicrotask(() => line.welcome());
    return line;
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
      default:
        return undefined;
    }
  }
}

export const plan = {
  subject: "Plans",
  password: "",
  startsAtMs: undefined,
  invited: [],
  shared: true,
};
