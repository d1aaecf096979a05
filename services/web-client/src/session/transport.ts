// What carries the terminal protocol: one message is one binary message, whatever is beneath.

/** Who is at the other end, and so what may be said. */
export type Reach =
  /** The core, where this page came from: everything. */
  | "core"
  /** A relay in this terminal's own network: nothing by which somebody else could pass for this person. */
  | "relay";

export interface Transport {
  readonly reach: Reach;
  /** Takes what comes: an `ArrayBuffer`, if the other end keeps to the protocol. */
  onmessage: ((data: unknown) => void) | null;
  /** Something has come that is no whole message yet: the other end lives. */
  onpiece?: (() => void) | null;
  /** It can't be used any more; called once at most, and not after `close`. */
  onclose: ((detail: string) => void) | null;
  send(message: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** A transport that has to be introduced to its other end first. */
export interface Channel extends Transport {
  /** SDP for the other end. */
  offer(): Promise<string>;
  /** Takes the other end's SDP; what is sent can come through soon after. */
  accept(answer: string): Promise<void>;
}
