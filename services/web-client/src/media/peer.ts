// One peer connection to the relay with one audio section, sent and received.

/** A path that is interrupted for so long will not come back by itself, in ms. */
const INTERRUPTED_MAX_MS = 3000;
/** Setting up, from the answer to the first connection, takes no longer than this, in ms. */
const CONNECT_MAX_MS = 10_000;

export type PeerState = "connecting" | "connected" | "interrupted" | "failed";

export interface PeerListener {
  onState(state: PeerState): void;
  onStream(stream: MediaStream): void;
}

export class Peer {
  private readonly connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private readonly sender: RTCRtpSender;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    track: MediaStreamTrack | undefined,
    private readonly listener: PeerListener,
  ) {
    // Without a track nothing is sent, and a microphone that comes later needs no new offer.
    const transceiver = this.connection.addTransceiver(track ?? "audio", {
      direction: "sendrecv",
      streams: [new MediaStream(track === undefined ? [] : [track])],
    });
    this.sender = transceiver.sender;
    this.connection.ontrack = (event) =>
      listener.onStream(event.streams[0] ?? new MediaStream([event.track]));
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

  async send(track: MediaStreamTrack | undefined): Promise<void> {
    if (!this.closed) await this.sender.replaceTrack(track ?? null);
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
