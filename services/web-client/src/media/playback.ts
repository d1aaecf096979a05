// What the meeting sounds like here: one audio element, and the speaker it plays on.

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
  private readonly element: HTMLAudioElement;

  constructor(element: HTMLAudioElement) {
    this.element = element;
    element.autoplay = true;
    this.state = new Store<PlaybackState>({
      blocked: false,
      devices: [],
      deviceId: loadPreferences().speakerId,
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refreshDevices());
  }

  /** False where the system alone decides which speaker is used. */
  get choosable(): boolean {
    return "setSinkId" in this.element;
  }

  play(stream: MediaStream | undefined): void {
    this.element.srcObject = stream ?? null;
    if (stream === undefined) return this.change({ blocked: false });
    void this.applySpeaker();
    void this.start();
  }

  /** Plays; to be called from a gesture when playing was blocked. */
  async start(): Promise<void> {
    if (this.element.srcObject === null) return;
    try {
      await this.element.play();
      this.change({ blocked: false });
    } catch (failure) {
      // A stream that is replaced meanwhile aborts the call; its successor plays by itself.
      const blocked = failure instanceof DOMException && failure.name === "NotAllowedError";
      this.change({ blocked });
    }
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
    if (this.element.sinkId === deviceId) return;
    try {
      await this.element.setSinkId(deviceId);
    } catch {
      // The speaker is gone: the system's choice plays on.
      this.change({ deviceId: "" });
    }
  }

  private change(change: Partial<PlaybackState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}
