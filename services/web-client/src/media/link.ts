// The way of audio to and from the relay: one peer connection at a time, replaced when it fails.

import { Store } from "../app/store";
import { backoffMs, pause } from "../session/backoff";
import { ConnectionLost } from "../session/refusal";
import type { AudioLink } from "../session/audio";
import type { Outlet } from "../talk/talk";
import type { Microphone } from "./microphone";
import { Mouth } from "./mouth";
import { Peer } from "./peer";
import type { PeerState } from "./peer";
import type { Playback } from "./playback";

export type LinkState = "idle" | PeerState;

type Exchange = (offer: string) => Promise<string>;

export class Link implements AudioLink {
  readonly state = new Store<LinkState>("idle");
  readonly muted: Store<boolean>;
  readonly interrupted: Store<boolean>;
  private readonly mouth: Mouth;
  private peer: Peer | undefined;
  private running = new AbortController();

  constructor(
    private readonly microphone: Microphone,
    private readonly playback: Playback,
  ) {
    this.muted = microphone.muted;
    this.interrupted = microphone.interrupted;
    this.mouth = new Mouth((outlet) => microphone.open(outlet));
    microphone.track.subscribe(() => void this.mouth.use(microphone.track.get()));
  }

  mute(): void {
    void this.microphone.setMuted(true);
  }

  speak(outlet: Outlet): void {
    void this.mouth.speak(outlet);
  }

  connect(exchange: Exchange): void {
    this.running.abort();
    this.running = new AbortController();
    void this.run(exchange, this.running.signal);
  }

  disconnect(): void {
    this.running.abort();
    this.replace(undefined);
    this.playback.stop();
    this.state.set("idle");
  }

  /** Peer after peer, until stopped or the relay's connection is lost. */
  private async run(exchange: Exchange, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const connectedOnce = await this.livePeer(exchange, signal);
        if (connectedOnce) attempt = 0;
      } catch (failure) {
        if (failure instanceof ConnectionLost) return;
      }
      if (signal.aborted) return;
      this.state.set("failed");
      await pause(backoffMs(attempt, Math.random()), signal);
    }
  }

  /** Resolves when the peer has failed; true if it was connected before. */
  private async livePeer(exchange: Exchange, signal: AbortSignal): Promise<boolean> {
    let connectedOnce = false;
    let failed = () => {};
    const failure = new Promise<void>((resolve) => (failed = resolve));
    const peer = new Peer({
      onStream: (stream, section) => signal.aborted || this.playback.play(stream, section),
      onState: (state) => {
        if (signal.aborted) return;
        if (state === "failed") return failed();
        connectedOnce ||= state === "connected";
        this.state.set(state);
      },
    });
    signal.addEventListener("abort", failed);
    try {
      const answer = await exchange(await peer.offer());
      if (signal.aborted) return (peer.close(), connectedOnce);
      // The relay has let the old peer connection go by now.
      this.replace(peer);
      this.state.set("connecting");
      await peer.accept(answer);
    } catch (problem) {
      peer.close();
      throw problem;
    }
    await failure;
    return connectedOnce;
  }

  private replace(peer: Peer | undefined): void {
    this.peer?.close();
    this.peer = peer;
    void this.mouth.through(peer?.ways);
  }
}
