// One peer connection to the relay with three audio sections: the meeting, sent and received; private
// talk, sent and received; and private talk of a second person, received.

import type { Ways } from "./mouth";

/** A path that is interrupted for so long will not come back by itself, in ms. */
const INTERRUPTED_MAX_MS = 3000;
/** Setting up, from the answer to the first connection, takes no longer than this, in ms. */
const CONNECT_MAX_MS = 10_000;

export type PeerState = "connecting" | "connected" | "interrupted" | "failed";

export interface PeerListener {
  onState(state: PeerState): void;
  /** `section`: 0 is the meeting, 1 and 2 are private. */
  onStream(stream: MediaStream, section: number): void;
}

export class Peer {
  /** Nothing is sent until a track is put in: what comes later needs no new offer. */
  readonly ways: Ways;
  private readonly connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(private readonly listener: PeerListener) {
    const sections = (["sendrecv", "sendrecv", "recvonly"] as const).map((direction) => {
      const streams = direction === "recvonly" ? [] : [new MediaStream()];
      return this.connection.addTransceiver("audio", { direction, streams });
    });
    const [floor, talk] = sections.map(({ sender }) => sender);
    if (floor === undefined || talk === undefined) throw new Error("no audio section");
    this.ways = { floor, private: talk };
    this.connection.ontrack = ({ track, transceiver }) => {
      // A stream for each: what shares one would be played by one element.
      const section = sections.indexOf(transceiver);
      if (section >= 0) listener.onStream(new MediaStream([track]), section);
    };
    this.connection.onconnectionstatechange = () => this.follow();
    this.connection.oniceconnectionstatechange = () => this.follow();
  }

  /** The offer's SDP. The relay learns this side's addresses from its packets. */
  async offer(): Promise<string> {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    return this.connection.localDescription?.sdp ?? "";
  }

  async accept(sdp: string): Promise<void> {
    if (this.closed) return;
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    this.deadline ??= setTimeout(() => this.fail(), CONNECT_MAX_MS);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.deadline);
    this.connection.close();
  }

  private follow(): void {
    if (this.closed) return;
    const { connectionState, iceConnectionState } = this.connection;
    if (connectionState === "failed" || iceConnectionState === "failed") return this.fail();
    if (connectionState === "disconnected" || iceConnectionState === "disconnected") {
      clearTimeout(this.deadline);
      this.deadline = setTimeout(() => this.fail(), INTERRUPTED_MAX_MS);
      return this.listener.onState("interrupted");
    }
    if (connectionState !== "connected") return;
    clearTimeout(this.deadline);
    this.deadline = undefined;
    this.listener.onState("connected");
  }

  private fail(): void {
    if (this.closed) return;
    clearTimeout(this.deadline);
    this.listener.onState("failed");
  }
}
