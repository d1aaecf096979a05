// The core or a relay for tests: the other end of the transport, scripted.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RelayMessageSchema,
  TerminalMessageSchema,
} from "../src/gen/tributary/terminal/v1/terminal_pb";
import type { TerminalMessage } from "../src/gen/tributary/terminal/v1/terminal_pb";
import type { Channel, Transport } from "../src/session/transport";

export type Body = Exclude<TerminalMessage["body"], { case: undefined }>;
export type Said = Exclude<MessageInitShape<typeof RelayMessageSchema>["body"], undefined>;

/** What the relay answers to a request; undefined: nothing. */
export type Script = (body: Body, line: Line) => Said | undefined;

/** One connection, seen from the relay. */
export class Line implements Transport {
  onmessage: Transport["onmessage"] = null;
  onclose: Transport["onclose"] = null;
  readonly heard: Body[] = [];
  closed = false;
  /** Of the last request. */
  lastId = 0n;
  /** The network swallows what the relay answers. */
  hold = false;

  constructor(
    private readonly script: Script,
    readonly reach: Transport["reach"] = "core",
  ) {}

  say(body: Said, inReplyTo = 0n, meetingId = ""): void {
    const relayMessage = create(RelayMessageSchema, { inReplyTo, body, meetingId });
    const message = toBinary(RelayMessageSchema, relayMessage);
    const data = message.buffer.slice(message.byteOffset, message.byteOffset + message.length);
    this.raw(data);
  }

  raw(data: unknown): void {
    this.onmessage?.(data);
  }

  /** What comes unasked about a meeting. */
  tell(meetingId: string, body: Said): void {
    this.say(body, 0n, meetingId);
  }

  welcome(more: Extract<Said, { case: "welcome" }>["value"] = {}): void {
    const nonce = new Uint8Array(32).fill(9);
    this.say({ case: "welcome", value: { nonce, relayId: "core", relayName: "Hall", ...more } });
  }

  drop(): void {
    this.closed = true;
    this.onclose?.("code 1006");
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    const { requestId, body } = fromBinary(TerminalMessageSchema, data);
    if (body.case === undefined) throw new Error("a request without a body");
    this.heard.push(body);
    if (body.case !== "ping") this.lastId = requestId;
    const answer = this.script(body, this);
    if (answer !== undefined && !this.hold) queueMicrotask(() => this.say(answer, requestId));
  }

  close(): void {
    this.closed = true;
  }

  count(kind: Body["case"]): number {
    return this.heard.filter((body) => body.case === kind).length;
  }
}

/** How a relay nearby takes an introduction. */
export type Manner =
  /** It answers, and the channel opens. */
  | "answers"
  /** It answers, and nothing comes through. */
  | "blocked"
  /** Nobody hears of it again. */
  | "silent"
  /** The core knows that it is not there. */
  | "refused";

/** The channel to a relay, seen from the relay. */
export class NearLine extends Line implements Channel {
  accepted: string | undefined;
  welcomed: () => void = () => {};

  constructor(
    script: Script,
    readonly sdp: string,
  ) {
    super(script, "relay");
  }

  offer(): Promise<string> {
    return Promise.resolve(this.sdp);
  }

  accept(answer: string): Promise<void> {
    if (this.closed) return Promise.reject(new Error("closed"));
    this.accepted = answer;
    queueMicrotask(() => this.welcomed());
    return Promise.resolve();
  }
}
