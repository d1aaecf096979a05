// One connection to the core or to a relay: requests with their answers, what comes unasked, signs of
// life. It never reconnects; whoever owns it does.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timerBeat } from "../app/beat";
import type { Beat } from "../app/beat";
import { Store } from "../app/store";
import {
  RelayMessageSchema,
  TerminalMessageSchema,
} from "../gen/tributary/terminal/v1/terminal_pb";
import type {
  RelayMessage,
  TerminalMessage,
  UplinkChanged,
  Welcome,
} from "../gen/tributary/terminal/v1/terminal_pb";
import { ConnectionLost, Refused, refusalReason } from "./refusal";
import type { LostUplink } from "./retreat";
import type { Reach, Transport } from "./transport";

/** How long opening, welcome included, may take. */
const OPEN_TIMEOUT_MS = 5000;
/** How long an answer may take; the slowest, a log-in, is well under a second. */
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * How long the answer may take to what the relay carries out beside everything else, in ms: it gives
 * other people's mail servers a minute, and tries to pass operations on for as long as it lives.
 */
const SLOW: ReadonlyMap<RequestKind, number> = new Map([
  ["shareMeeting", 65_000],
  ["operate", Number.POSITIVE_INFINITY],
  // Whoever asks for it knows how long to wait for the channel itself.
  ["introduce", Number.POSITIVE_INFINITY],
]);
/** A relay keeps what it can't pass on for so long, in ms: its own way to the core may be interrupted. */
const HELD_MAX_MS = 30_000;
/** What is not waited for so long: it is answered by the relay itself, or can be had another way. */
const NOT_HELD: ReadonlySet<RequestKind> = new Set(["ping", "mediaOffer", "join"]);
/**
 * What is said to a relay that is not the core: nothing with a password, a share secret or an identity
 * token in it.
 */
const TOLD_TO_RELAYS: ReadonlySet<RequestKind> = new Set([
  "join",
  "mediaOffer",
  "operate",
  "leave",
  "ping",
  "switchMeeting",
  "readChat",
]);
/** Without a word for so long the connection may be lost: people are told, in ms. */
export const SILENT_AFTER_MS = 2000;
/** Without a word for so long it is lost; by then the relay takes this terminal for lost, in ms. */
export const LOST_AFTER_MS = 4000;

type RequestBody = Exclude<TerminalMessage["body"], { case: undefined }>;
type ReplyBody = Exclude<RelayMessage["body"], { case: undefined }>;
export type RequestKind = RequestBody["case"];

/** Which answer belongs to which request. */
const ANSWERS = {
  logIn: "identity",
  enterAsGuest: "identity",
  createMeeting: "meetingCreated",
  requestJoinCredential: "joinCredential",
  join: "joined",
  mediaOffer: "mediaAnswer",
  operate: "operationReceived",
  leave: "left",
  ping: "pong",
  getLogInOptions: "logInOptions",
  beginOidcLogIn: "oidcRedirect",
  finishOidcLogIn: "identity",
  refreshIdentity: "identity",
  logOut: "loggedOut",
  readMeeting: "meetingDetails",
  listMyMeetings: "meetings",
  updateMeeting: "meetingUpdated",
  changeMembers: "membersChanged",
  findUsers: "usersFound",
  shareMeeting: "meetingShared",
  listShares: "shares",
  revokeShare: "shareRevoked",
  receiveNotices: "notices",
  dismissNotice: "noticeDismissed",
  deleteAttachment: "attachmentDeleted",
  switchMeeting: "switched",
  readChat: "chat",
  introduce: "introduced",
} as const satisfies Record<RequestKind, ReplyBody["case"]>;

export type Answer<K extends RequestKind> = Extract<
  ReplyBody,
  { case: (typeof ANSWERS)[K] }
>["value"];
export type RequestInit<K extends RequestKind> = Extract<
  Exclude<MessageInitShape<typeof TerminalMessageSchema>["body"], undefined>,
  { case: K }
>["value"];

/** What the relay says unasked about a meeting that this connection is in. */
export type Unasked =
  | Extract<ReplyBody, { case: "event" | "speakers" | "roster" }>
  /** The stay in this meeting is over, or must begin anew. */
  | { case: "refusal"; value: Refused };
/** What the relay says unasked to whoever is logged in. */
export type PushedNotice = Extract<ReplyBody, { case: "notice" }>["value"];

interface Pending {
  kind: RequestKind;
  resolve(value: ReplyBody["value"]): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Connection {
  /** Rejects when the connection is over, with `ConnectionLost` or `Refused`; never resolves. */
  readonly ended: Promise<never>;
  /** True while the relay has not said a word for longer than it should. */
  readonly silent = new Store(false);
  /** What the relay has said of its own way to everybody else, while that is lost. */
  readonly lostUplink = new Store<LostUplink | undefined>(undefined);
  /** True once this side has closed it. */
  closedHere = false;
  /** Takes notices, once they were asked for on this connection. */
  onNotice: (notice: PushedNotice) => void = () => {};

  private readonly pending = new Map<bigint, Pending>();
  private readonly listeners = new Map<string, (message: Unasked) => void>();
  private nextRequestId = 1n;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private readonly stopPinging: () => void;
  private reason: Error | undefined;
  private rejectEnded: (error: Error) => void = () => {};

  private constructor(
    private readonly transport: Transport,
    readonly welcome: Welcome,
    beat: Beat,
  ) {
    this.ended = new Promise((_, reject) => (this.rejectEnded = reject));
    // Nobody may be waiting for the end when it comes.
    this.ended.catch(() => {});
    transport.onmessage = (data) => this.receive(data);
    transport.onpiece = () => this.heard();
    transport.onclose = (detail) => this.end(new ConnectionLost("closed", detail));
    this.stopPinging = beat(() => this.ping());
    this.heard();
  }

  /** Resolves when the other end has said welcome, which may take `withinMs`. */
  static open(
    transport: Transport,
    beat: Beat = timerBeat,
    withinMs = OPEN_TIMEOUT_MS,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const fail = (failure: Error) => {
        clearTimeout(timer);
        transport.onmessage = transport.onclose = null;
        transport.close();
        reject(failure);
      };
      const unreachable = (detail: string) => fail(new ConnectionLost("unreachable", detail));
      const timer = setTimeout(() => unreachable("no welcome in time"), withinMs);
      transport.onclose = (detail) => unreachable(`before the welcome: ${detail}`);
      transport.onmessage = (data) => {
        const first = decode(data);
        if (first?.body.case === "refusal") return fail(refused(first.body.value));
        if (first?.body.case !== "welcome") return unreachable("no welcome");
        clearTimeout(timer);
        resolve(new Connection(transport, first.body.value, beat));
      };
    });
  }

  get reach(): Reach {
    return this.transport.reach;
  }

  get open(): boolean {
    return this.reason === undefined;
  }

  /** Takes what comes unasked about this meeting, until the result is called. */
  listen(meetingId: string, listener: (message: Unasked) => void): () => void {
    this.listeners.set(meetingId, listener);
    return () => {
      if (this.listeners.get(meetingId) === listener) this.listeners.delete(meetingId);
    };
  }

  /** Asks the relay. Rejects with `Refused` or `ConnectionLost`. */
  request<K extends RequestKind>(kind: K, value: RequestInit<K>): Promise<Answer<K>> {
    if (this.reason !== undefined) return Promise.reject(lostBefore(this.reason));
    if (this.reach === "relay" && !TOLD_TO_RELAYS.has(kind)) {
      return Promise.reject(new Error(`${kind} is nothing for a relay`));
    }
    const requestId = this.nextRequestId++;
    // The compiler does not follow that `kind` and `value` come from the same alternative.
    const body = { case: kind, value } as MessageInitShape<typeof TerminalMessageSchema>["body"];
    const message = create(TerminalMessageSchema, { requestId, body: body! });
    return new Promise((resolve, reject) => {
      this.pending.set(requestId, {
        kind,
        resolve: resolve as (value: ReplyBody["value"]) => void,
        reject,
        timer: this.deadline(kind),
      });
      this.transport.send(toBinary(TerminalMessageSchema, message));
    });
  }

  close(): void {
    this.closedHere ||= this.open;
    this.end(new ConnectionLost("closed", "by this side"));
  }

  private deadline(kind: RequestKind): ReturnType<typeof setTimeout> | undefined {
    const held = this.reach === "relay" && !NOT_HELD.has(kind);
    // What waits for the relay's uplink says nothing against the relay.
    if (held && this.lostUplink.get() !== undefined) return undefined;
    const ms = (SLOW.get(kind) ?? ANSWER_TIMEOUT_MS) + (held ? HELD_MAX_MS : 0);
    if (!Number.isFinite(ms)) return undefined;
    return setTimeout(() => this.end(new ConnectionLost("silent", `no answer to ${kind}`)), ms);
  }

  private hearOfUplink({ attached, holdMs, lostMs }: UplinkChanged): void {
    this.lostUplink.set(attached ? undefined : { holdMs, lostMs });
    for (const request of this.pending.values()) {
      clearTimeout(request.timer);
      request.timer = this.deadline(request.kind);
    }
  }

  private receive(data: unknown): void {
    if (this.reason !== undefined) return;
    this.heard();
    const message = decode(data);
    if (message === undefined) return this.end(new ConnectionLost("closed", "unreadable message"));
    const { body, inReplyTo } = message;
    if (body.case === undefined) return;
    const request = this.pending.get(inReplyTo);
    if (request !== undefined) {
      this.pending.delete(inReplyTo);
      clearTimeout(request.timer);
      if (body.case === "refusal") return request.reject(refused(body.value));
      if (body.case === ANSWERS[request.kind]) return request.resolve(body.value);
      request.reject(new ConnectionLost("closed", "answer of the wrong kind"));
      return this.end(new ConnectionLost("closed", "answer of the wrong kind"));
    }
    this.receiveUnasked(message, body);
  }

  private receiveUnasked({ meetingId, inReplyTo }: RelayMessage, body: ReplyBody): void {
    switch (body.case) {
      case "event":
        return this.pass(body.value.meetingId || meetingId, body);
      case "speakers":
      case "roster":
        return this.pass(meetingId, body);
      case "notice":
        return this.onNotice(body.value);
      case "uplinkChanged":
        return this.hearOfUplink(body.value);
      case "draining":
        return this.end(new ConnectionLost("draining"));
      case "refusal":
        // An answer to a request that was given up says nothing about the session.
        if (inReplyTo !== 0n) return;
        if (meetingId === "") return this.end(refused(body.value));
        return this.pass(meetingId, { case: "refusal", value: refused(body.value) });
      default:
        return;
    }
  }

  /** What names no meeting is about the only one. */
  private pass(meetingId: string, message: Unasked): void {
    const only = this.listeners.size === 1 ? [...this.listeners.values()][0] : undefined;
    const listener = meetingId === "" ? only : this.listeners.get(meetingId);
    listener?.(message);
  }

  /** Every word of the relay is a sign of life. */
  private heard(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.miss(), SILENT_AFTER_MS);
    this.silent.set(false);
  }

  private miss(): void {
    const lost = new ConnectionLost("silent", "not a word");
    this.silence = setTimeout(() => this.end(lost), LOST_AFTER_MS - SILENT_AFTER_MS);
    this.silent.set(true);
  }

  private ping(): void {
    // A refused ping is a sign of life too; a lost connection ends by itself.
    this.request("ping", {}).catch(() => {});
  }

  private end(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.stopPinging();
    clearTimeout(this.silence);
    this.listeners.clear();
    for (const request of this.pending.values()) {
      clearTimeout(request.timer);
      const begun = SLOW.has(request.kind) && isIdle(reason);
      request.reject(begun ? new ConnectionLost("closed", reason.message) : lostBefore(reason));
    }
    this.pending.clear();
    this.transport.onmessage = this.transport.onpiece = this.transport.onclose = null;
    this.transport.close();
    this.rejectEnded(reason);
  }
}

function decode(data: unknown): RelayMessage | undefined {
  if (!(data instanceof ArrayBuffer)) return undefined;
  try {
    return fromBinary(RelayMessageSchema, new Uint8Array(data));
  } catch {
    return undefined;
  }
}

/** The relay lets a connection go when nothing was asked for a while, and says that it is to be opened again. */
function isIdle(reason: Error): boolean {
  return reason instanceof Refused && reason.reason === "tryAgain";
}

/** What a request fails with that the relay has not taken up before the connection ended for `reason`. */
function lostBefore(reason: Error): Error {
  return isIdle(reason) ? new ConnectionLost("unheard", reason.message) : reason;
}

function refused(refusal: { code: number; message: string }): Refused {
  return new Refused(refusalReason(refusal.code), refusal.message);
}
