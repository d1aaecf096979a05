// The way of audio, as far as the session has to do with it: one for each connection, whichever meeting
// is live, and open to the floor or to private talk as the live meeting has it.

import type { Store } from "../app/store";
import { isWished, outletOf } from "../talk/talk";
import type { Outlet } from "../talk/talk";
import type { Whisper } from "../talk/whisper";
import type { Connection } from "./connection";
import { liveStay } from "./state";
import type { SessionState } from "./state";

/** The way of audio to and from the relay. */
export interface AudioLink {
  /** True while nothing of the microphone is to be heard on the floor. */
  readonly muted: Store<boolean>;
  /** True while something else has the microphone, such as a phone call. */
  readonly interrupted: Store<boolean>;
  /** Switches the microphone off, by a host's wish. */
  mute(): void;
  /** Where what the microphone hears goes, from now on. */
  speak(outlet: Outlet): void;
  /**
   * Makes a new peer connection by `exchange` (offer in, answer out), and again whenever it fails,
   * until `exchange` finds the relay's connection lost. The old one is used until then.
   */
  connect(exchange: (offer: string) => Promise<string>): void;
  disconnect(): void;
}

export class AudioFollower {
  /** The connection that carries the audio. */
  private carrier: Connection | undefined;
  private outlet: Outlet = "floor";
  private following = false;
  /** Which switches of the live meeting are under way. */
  private readonly switching = new Set<symbol>();

  constructor(
    private readonly audio: AudioLink,
    private readonly state: () => SessionState,
    private readonly whisper: Whisper,
  ) {}

  /** Meetings are switched on it: one is enough. */
  carry(connection: Connection): void {
    if (this.carrier === connection) return;
    this.carrier = connection;
    this.audio.connect(async (sdp) => (await connection.request("mediaOffer", { sdp })).sdp);
  }

  /** The relay has no peer connection for the live meeting, or one that is held. */
  carryAnew(connection: Connection): void {
    this.forget();
    this.carry(connection);
  }

  /** The relay's peer connection has gone with the meeting that was live: the next one has none. */
  forget(): void {
    this.carrier = undefined;
  }

  /** Nothing is heard in either meeting until the result is called. */
  hush(): () => void {
    const one = Symbol();
    this.switching.add(one);
    this.follow();
    return () => {
      this.switching.delete(one);
      this.follow();
    };
  }

  stop(): void {
    this.carrier = undefined;
    this.audio.disconnect();
  }

  /** After each change of the state. */
  follow(): void {
    if (this.following) return;
    this.following = true;
    this.endLostTalk();
    this.following = false;
    const stay = liveStay(this.state());
    const hushed = this.switching.size > 0;
    const outlet = hushed ? "nowhere" : stay === undefined ? "floor" : outletOf(stay.talks);
    if (outlet === this.outlet) return;
    this.outlet = outlet;
    this.audio.speak(outlet);
  }

  /** Without a connection nobody knows whether private talk is still heard, and by whom. */
  private endLostTalk(): void {
    const { place } = this.state();
    if (place.kind !== "inside") return;
    const { own } = place.stay.talks;
    const lost = place.hindrance !== undefined;
    if (lost ? isWished(own) : own.phase === "adrift") this.whisper.end();
  }
}
