// What the meeting sounds like here: an audio element for the meeting, one for each who talks to this
// person privately, and the speaker they play on.

import { loadPreferences, savePreferences } from "../app/preferences";
import { Store } from "../app/store";
import type { Device } from "./devices";
import { listDevices } from "./devices";

export interface PlaybackState {
  /** The browser wants a gesture before it plays. */
  readonly blocked: boolean;
  readonly devices: readonly Device[];
  readonly deviceId: string;
}

export class Playback {
  readonly state: Store<PlaybackState>;

  /** The meeting's element first. */
  constructor(private readonly elements: readonly HTMLAudioElement[]) {
    for (const element of elements) element.autoplay = true;
    this.state = new Store<PlaybackState>({
      blocked: false,
      devices: [],
      deviceId: loadPreferences().speakerId,
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refreshDevices());
  }

  /** False where the system alone decides which speaker is used. */
  get choosable(): boolean {
    return "setSinkId" in HTMLMediaElement.prototype;
  }

  /** `section`: 0 is the meeting, 1 and 2 are private. */
  play(stream: MediaStream, section: number): void {
    const element = this.elements[section];
    if (element === undefined) return;
    element.srcObject = stream;
    void this.applySpeaker();
    void this.start();
  }

  stop(): void {
    for (const element of this.elements) element.srcObject = null;
    this.change({ blocked: false });
  }

  /** Plays; to be called from a gesture when playing was blocked. */
  async start(): Promise<void> {
    const playing = this.elements.filter(({ srcObject }) => srcObject !== null);
    const outcomes = await Promise.allSettled(playing.map((element) => element.play()));
    if (playing.length === 0) return;
    // A stream that is replaced meanwhile aborts the call; its successor plays by itself.
    this.change({ blocked: outcomes.some((outcome) => isRefused(outcome)) });
  }

  async choose(deviceId: string): Promise<void> {
    savePreferences({ speakerId: deviceId });
    this.change({ deviceId });
    await this.applySpeaker();
  }

  async refreshDevices(): Promise<void> {
    if (!this.choosable) return;
    this.change({ devices: await listDevices("audiooutput").catch(() => []) });
  }

  private async applySpeaker(): Promise<void> {
    if (!this.choosable) return;
    const { deviceId } = this.state.get();
    const others = this.elements.filter(({ sinkId }) => sinkId !== deviceId);
    try {
      await Promise.all(others.map((element) => element.setSinkId(deviceId)));
    } catch {
      // The speaker is gone: the system's choice plays on.
      this.change({ deviceId: "" });
    }
  }

  private change(change: Partial<PlaybackState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}

function isRefused(outcome: PromiseSettledResult<void>): boolean {
  if (outcome.status === "fulfilled") return false;
  return outcome.reason instanceof DOMException && outcome.reason.name === "NotAllowedError";
}
