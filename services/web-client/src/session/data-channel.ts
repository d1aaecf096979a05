// The terminal protocol over a WebRTC data channel: the way to a relay in this terminal's own network,
// which needs no certificate for that, as the core introduces both to each other.

import type { Channel } from "./transport";

/** As the relay knows the channel. */
const LABEL = "terminal";

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
  onclose: Channel["onclose"] = null;
  private readonly channel: WireChannel;
  private over = false;

  /** `peer` is this channel's alone. */
  constructor(private readonly peer: WirePeer) {
    const channel = peer.createDataChannel(LABEL, { ordered: true });
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => this.over || this.onmessage?.(data);
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

  private end(detail: string): void {
    if (this.over) return;
    this.close();
    this.onclose?.(detail);
  }
}
