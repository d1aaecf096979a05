// A relay for tests: the other end of the socket, scripted.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RelayMessageSchema,
  TerminalMessageSchema,
} from "../src/gen/tributary/terminal/v1/terminal_pb";
import type { TerminalMessage } from "../src/gen/tributary/terminal/v1/terminal_pb";
import type { Socket } from "../src/session/connection";

export type Body = Exclude<TerminalMessage["body"], { case: undefined }>;
export type Said = Exclude<MessageInitShape<typeof RelayMessageSchema>["body"], undefined>;

/** What the relay answers to a request; undefined: nothing. */
export type Script = (body: Body, line: Line) => Said | undefined;

/** One connection, seen from the relay. */
export class Line implements Socket {
  binaryType: BinaryType = "arraybuffer";
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  readonly heard: Body[] = [];
  closed = false;
  /** Of the last request. */
  lastId = 0n;
  /** The network swallows what the relay answers. */
  hold = false;

  constructor(private readonly script: Script) {}

  say(body: Said, inReplyTo = 0n, meetingId = ""): void {
    const relayMessage = create(RelayMessageSchema, { inReplyTo, body, meetingId });
    const message = toBinary(RelayMessageSchema, relayMessage);
    const data = message.buffer.slice(message.byteOffset, message.byteOffset + message.length);
    this.raw(data);
  }

  raw(data: unknown): void {
    this.onmessage?.call(this as never, { data } as MessageEvent);
  }

  /** What comes unasked about a meeting. */
  tell(meetingId: string, body: Said): void {
    this.say(body, 0n, meetingId);
  }

  welcome(): void {
    this.say({ case: "welcome", value: { nonce: new Uint8Array(32).fill(9), relayName: "Hall" } });
  }

  drop(): void {
    this.closed = true;
    this.onclose?.call(this as never, { code: 1006 } as CloseEvent);
  }

  send(data: unknown): void {
    const { requestId, body } = fromBinary(TerminalMessageSchema, data as Uint8Array);
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
