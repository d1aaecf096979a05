// The terminal protocol over a WebRTC data channel: the way to a relay in this terminal's own network,
// which needs no certificate for that, as the core introduces both to each other.

import type { Channel } from "./transport";

/** As the relay knows the channel. */
const LABEL = "terminal";

/** First byte of a piece of a message: more follow. */
const MORE = 1;

/** A longer message is no relay's, in bytes. */
const MESSAGE_MAX = 32 * 1024 * 1024;

/** The part of a data channel that is used. */
export type WireChannel = Pick<
  RTCDataChannel,
  "binaryType" | "send" | "close" | "onmessage" | "onclose" | "onerror"
>;

/** The part of a peer connection that is used. */
export interface WirePeer extends Pick<
  RTCPeerConnection,
  "connectionState" | "onconnectionstatechange" | "localDescription" | "close"
> {
  createDataChannel(label: string, options: RTCDataChannelInit): WireChannel;
  createOffer(): Promise<RTCSessionDescriptionInit>;
  setLocalDescription(description: RTCSessionDescriptionInit): Promise<void>;
  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void>;
}

export class DataChannel implements Channel {
  readonly reach = "relay";
  onmessage: Channel["onmessage"] = null;
  onpiece: (() => void) | null = null;
  onclose: Channel["onclose"] = null;
  private readonly channel: WireChannel;
  private over = false;
  /** What has come of a message that goes on, and how long that is. */
  private pieces: Uint8Array<ArrayBuffer>[] = [];
  private length = 0;

  /** `peer` is this channel's alone. */
  constructor(private readonly peer: WirePeer) {
    const channel = peer.createDataChannel(LABEL, { ordered: true });
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => this.take(data);
    channel.onclose = () => this.end("data channel closed");
    channel.onerror = () => this.end("data channel error");
    this.channel = channel;
    peer.onconnectionstatechange = () => {
      const { connectionState } = peer;
      if (connectionState !== "failed" && connectionState !== "closed") return;
      this.end(`peer connection ${connectionState}`);
    };
  }

  /** The relay learns this side's addresses from its packets. */
  async offer(): Promise<string> {
    await this.peer.setLocalDescription(await this.peer.createOffer());
    return this.peer.localDescription?.sdp ?? "";
  }

  async accept(answer: string): Promise<void> {
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    if (this.over) return;
    try {
      this.channel.send(message);
    } catch {
      // Not open any more, or nothing of what was sent before has gone out.
      this.end("the data channel takes nothing");
    }
  }

  close(): void {
    this.over = true;
    this.channel.onmessage = this.channel.onclose = this.channel.onerror = null;
    this.peer.onconnectionstatechange = null;
    this.channel.close();
    this.peer.close();
  }

  /** A relay's message comes in pieces, as a channel takes only so much at once. */
  private take(data: unknown): void {
    if (this.over) return;
    if (!(data instanceof ArrayBuffer) || data.byteLength < 2)
      return this.end("the relay sent what is no piece of a message");
    const more = new Uint8Array(data, 0, 1)[0] === MORE;
    this.pieces.push(new Uint8Array(data, 1));
    this.length += data.byteLength - 1;
    if (this.length > MESSAGE_MAX) return this.end("the relay sent a message that never ends");
    if (more) return this.onpiece?.();
    const message = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.pieces) {
      message.set(piece, at);
      at += piece.length;
    }
    this.pieces = [];
    this.length = 0;
    this.onmessage?.(message.buffer);
  }

  private end(detail: string): void {
    if (this.over) return;
    this.close();
    this.onclose?.(detail);
  }
}
