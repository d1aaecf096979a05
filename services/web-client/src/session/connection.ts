// One WebSocket connection to the relay: requests with their answers, what comes unasked, signs of
// life. It never reconnects; whoever owns it does.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RelayMessageSchema,
  TerminalMessageSchema,
} from "../gen/tributary/terminal/v1/terminal_pb";
import type {
  RelayMessage,
  TerminalMessage,
  Welcome,
} from "../gen/tributary/terminal/v1/terminal_pb";
import { ConnectionLost, Refused, refusalReason } from "./refusal";

/** How long opening, welcome included, may take. */
const OPEN_TIMEOUT_MS = 8000;
/** How long an answer may take; the slowest, a log-in, is well under a second. */
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * How long the answer may take to what the relay carries out beside everything else, in ms: it gives
 * other people's mail servers a minute.
 */
const SLOW: ReadonlyMap<RequestKind, number> = new Map([["shareMeeting", 65_000]]);
const PING_INTERVAL_MS = 5000;
/** So many unanswered pings mean that the connection is lost. */
const PINGS_MISSED_MAX = 2;

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
  operate: "operationResult",
  leave: "left",
  ping: "pong",
  endMeeting: "meetingWasEnded",
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
} as const satisfies Record<RequestKind, ReplyBody["case"]>;

export type Answer<K extends RequestKind> = Extract<
  ReplyBody,
  { case: (typeof ANSWERS)[K] }
>["value"];
export type RequestInit<K extends RequestKind> = Extract<
  Exclude<MessageInitShape<typeof TerminalMessageSchema>["body"], undefined>,
  { case: K }
>["value"];

/** What the relay says unasked about the meeting that this connection is in. */
export type Unasked = Extract<ReplyBody, { case: "event" | "speakers" | "roster" }>;
/** What the relay says unasked to whoever is logged in. */
export type PushedNotice = Extract<ReplyBody, { case: "notice" }>["value"];

/** The part of a WebSocket that is used. */
export type Socket = Pick<
  WebSocket,
  "binaryType" | "send" | "close" | "onmessage" | "onclose" | "onerror"
>;

interface Pending {
  kind: RequestKind;
  resolve(value: ReplyBody["value"]): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Connection {
  /** Rejects when the connection is over, with `ConnectionLost` or `Refused`; never resolves. */
  readonly ended: Promise<never>;
  /** Takes what comes unasked about the meeting. */
  onUnasked: (message: Unasked) => void = () => {};
  /** Takes notices, once they were asked for on this connection. */
  onNotice: (notice: PushedNotice) => void = () => {};

  private readonly pending = new Map<bigint, Pending>();
  private nextRequestId = 1n;
  private pingsMissed = 0;
  private readonly pinger: ReturnType<typeof setInterval>;
  private reason: Error | undefined;
  private rejectEnded: (error: Error) => void = () => {};

  private constructor(
    private readonly socket: Socket,
    readonly welcome: Welcome,
  ) {
    this.ended = new Promise((_, reject) => (this.rejectEnded = reject));
    // Nobody may be waiting for the end when it comes.
    this.ended.catch(() => {});
    socket.onmessage = (message) => this.receive(message.data);
    socket.onclose = (event) => this.end(new ConnectionLost("closed", String(event.code)));
    socket.onerror = () => this.end(new ConnectionLost("closed", "socket error"));
    this.pinger = setInterval(() => this.checkLife(), PING_INTERVAL_MS);
  }

  /** Resolves when the relay has said welcome. */
  static open(socket: Socket): Promise<Connection> {
    socket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      const fail = (detail: string) => {
        clearTimeout(timer);
        socket.onmessage = socket.onclose = socket.onerror = null;
        socket.close();
        reject(new ConnectionLost("unreachable", detail));
      };
      const timer = setTimeout(() => fail("no welcome in time"), OPEN_TIMEOUT_MS);
      socket.onclose = () => fail("closed before the welcome");
      socket.onerror = () => fail("cannot connect");
      socket.onmessage = (message) => {
        const first = decode(message.data);
        if (first?.body.case === "refusal") {
          clearTimeout(timer);
          socket.onmessage = socket.onclose = socket.onerror = null;
          socket.close();
          return reject(refused(first.body.value));
        }
        if (first?.body.case !== "welcome") return fail("no welcome");
        clearTimeout(timer);
        resolve(new Connection(socket, first.body.value));
      };
    });
  }

  get open(): boolean {
    return this.reason === undefined;
  }

  /** Asks the relay. Rejects with `Refused` or `ConnectionLost`. */
  request<K extends RequestKind>(kind: K, value: RequestInit<K>): Promise<Answer<K>> {
    if (this.reason !== undefined) return Promise.reject(lostBefore(this.reason));
    const requestId = this.nextRequestId++;
    // The compiler does not follow that `kind` and `value` come from the same alternative.
    const body = { case: kind, value } as MessageInitShape<typeof TerminalMessageSchema>["body"];
    const message = create(TerminalMessageSchema, { requestId, body: body! });
    return new Promise((resolve, reject) => {
      this.pending.set(requestId, {
        kind,
        resolve: resolve as (value: ReplyBody["value"]) => void,
        reject,
        timer: setTimeout(
          () => this.end(new ConnectionLost("silent", `no answer to ${kind}`)),
          SLOW.get(kind) ?? ANSWER_TIMEOUT_MS,
        ),
      });
      this.socket.send(toBinary(TerminalMessageSchema, message));
    });
  }

  close(): void {
    this.end(new ConnectionLost("closed", "by this side"));
  }

  private receive(data: unknown): void {
    if (this.reason !== undefined) return;
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
    switch (body.case) {
      case "event":
      case "speakers":
      case "roster":
        return this.onUnasked(body);
      case "notice":
        return this.onNotice(body.value);
      case "draining":
        return this.end(new ConnectionLost("draining"));
      case "refusal":
        // An answer to a request that was given up says nothing about the session.
        return inReplyTo === 0n ? this.end(refused(body.value)) : undefined;
      default:
        return;
    }
  }

  private checkLife(): void {
    if (this.pingsMissed >= PINGS_MISSED_MAX) {
      return this.end(new ConnectionLost("silent", "no pong"));
    }
    this.pingsMissed += 1;
    this.request("ping", {}).then(
      () => (this.pingsMissed = 0),
      // A refused ping is a sign of life too; a lost connection ends by itself.
      () => (this.pingsMissed = 0),
    );
  }

  private end(reason: Error): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    clearInterval(this.pinger);
    for (const request of this.pending.values()) {
      clearTimeout(request.timer);
      const begun = SLOW.has(request.kind) && isIdle(reason);
      request.reject(begun ? new ConnectionLost("closed", reason.message) : lostBefore(reason));
    }
    this.pending.clear();
    this.socket.onmessage = this.socket.onclose = this.socket.onerror = null;
    this.socket.close();
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
