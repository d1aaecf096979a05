// The microphone: which, whether it works, whether it is muted, whether somebody speaks. A meeting
// goes on without one.

import { loadPreferences, savePreferences } from "../app/preferences";
import { Store } from "../app/store";
import type { Device, MicrophoneStatus } from "./devices";
import { listDevices, statusAfter } from "./devices";
import type { Outlet } from "../talk/talk";
import { Interruption } from "./interruption";
import { LevelProbe, meterValue } from "./level";
import { SILENT, hear } from "./voice";
import type { Voice } from "./voice";

/** How often the level is looked at, in ms. */
const LISTEN_EVERY_MS = 60;
/** How often a microphone is asked for that something else has taken, in ms. */
const ASK_AGAIN_MS = 3000;

export interface MicrophoneState {
  readonly status: MicrophoneStatus;
  readonly devices: readonly Device[];
  /** The device in use, empty while there is none. */
  readonly deviceId: string;
  readonly improveSound: boolean;
  /** The person speaks, muted or not. */
  readonly speaking: boolean;
  /** Label of the device that took over when the chosen one went away. */
  readonly fellBackTo: string | undefined;
}

export class Microphone {
  readonly state: Store<MicrophoneState>;
  /** True while nothing of this microphone is to be heard on the floor; private talk goes on. */
  readonly muted: Store<boolean>;
  /** True while it is unmuted for as long as it is held. */
  readonly pushing = new Store(false);
  /** The track to send, undefined while there is none. */
  readonly track = new Store<MediaStreamTrack | undefined>(undefined);

  private readonly interruption = new Interruption();
  private asking: ReturnType<typeof setTimeout> | undefined;
  private outlet: Outlet = "floor";
  private context: AudioContext | undefined;
  private probe: LevelProbe | undefined;
  private voice: Voice = SILENT;
  private listening: ReturnType<typeof setInterval> | undefined;
  /** Counts starts, so that a late answer of the browser is recognised. */
  private generation = 0;

  constructor() {
    const { improveSound, joinMuted, microphoneId } = loadPreferences();
    this.muted = new Store(joinMuted);
    this.state = new Store<MicrophoneState>({
      status: "off",
      devices: [],
      deviceId: microphoneId,
      improveSound,
      speaking: false,
      fellBackTo: undefined,
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refreshDevices());
    void this.watchPermission();
  }

  /** True while something else, such as a phone call, has the microphone. */
  get interrupted(): Store<boolean> {
    return this.interruption.state;
  }

  /** Asks for the microphone unless it is there. True when it is live afterwards. */
  async start(): Promise<boolean> {
    const { status, deviceId } = this.state.get();
    if (status === "live") return true;
    if (status === "starting") return false;
    return this.acquire(deviceId);
  }

  /** Before a meeting: muted or not as last time, and the microphone asked for. */
  async prepare(): Promise<void> {
    this.muteTrack(loadPreferences().joinMuted);
    await this.start();
  }

  /** Chooses whether to come in muted, now and next time. */
  setJoinMuted(muted: boolean): void {
    savePreferences({ joinMuted: muted });
    this.muteTrack(muted);
  }

  /** Lets the microphone go. */
  stop(): void {
    this.generation++;
    this.pushing.set(false);
    clearTimeout(this.asking);
    this.interruption.forget();
    this.release();
    this.change({ status: "off", speaking: false, fellBackTo: undefined });
  }

  async choose(deviceId: string): Promise<void> {
    savePreferences({ microphoneId: deviceId });
    await this.acquire(deviceId);
  }

  async setImproveSound(improveSound: boolean): Promise<void> {
    savePreferences({ improveSound });
    this.change({ improveSound });
    if (this.track.get() !== undefined) await this.acquire(this.state.get().deviceId);
  }

  /** Where it is to be heard, as far as it is not muted. */
  open(outlet: Outlet): void {
    this.outlet = outlet;
    this.applyTo(this.track.get());
  }

  /** Unmuted for as long as it is held down; nothing changes for who is not muted. */
  async pushToTalk(down: boolean): Promise<void> {
    if (down === this.pushing.get() || (down && !this.muted.get())) return;
    this.pushing.set(down);
    if (!down) return this.muteTrack(true);
    // It may be let go while the microphone is asked for.
    if ((await this.start()) && this.pushing.get()) this.muteTrack(false);
  }

  /** Mutes, or unmutes if there is a microphone that can be heard. */
  async setMuted(muted: boolean): Promise<void> {
    this.pushing.set(false);
    if (!muted && !(await this.start())) return;
    this.muteTrack(muted);
  }

  /** 0 to 1 for the meter. */
  level(): number {
    return this.probe === undefined ? 0 : meterValue(this.probe.read());
  }

  /** The browser starts audio contexts only after a gesture. */
  wake(): void {
    if (this.context?.state === "suspended") void this.context.resume();
  }

  private muteTrack(muted: boolean): void {
    this.applyTo(this.track.get(), muted);
    this.muted.set(muted);
  }

  private applyTo(track: MediaStreamTrack | undefined, muted = this.muted.get()): void {
    if (track === undefined) return;
    track.enabled = this.outlet === "private" || (this.outlet === "floor" && !muted);
  }

  private async acquire(deviceId: string): Promise<boolean> {
    const generation = ++this.generation;
    if (navigator.mediaDevices === undefined) {
      this.change({ status: "insecure" });
      return false;
    }
    this.change({ status: "starting", fellBackTo: undefined });
    try {
      const track = await this.capture(deviceId);
      if (generation !== this.generation) {
        track.stop();
        return false;
      }
      this.adopt(track);
      await this.refreshDevices();
      return true;
    } catch (failure) {
      if (generation !== this.generation) return false;
      this.release();
      this.change({ status: statusAfter(failure), speaking: false });
      // Nobody is to be heard later, when a microphone appears, without wanting it then.
      this.muted.set(true);
      return false;
    }
  }

  /** The chosen device; any other if that is not there. */
  private async capture(deviceId: string): Promise<MediaStreamTrack> {
    const on = this.state.get().improveSound;
    const sound = { echoCancellation: on, noiseSuppression: on, autoGainControl: on };
    const get = async (device: MediaTrackConstraints) => {
      const audio = { ...sound, ...device };
      const [track] = (await navigator.mediaDevices.getUserMedia({ audio })).getAudioTracks();
      if (track === undefined) throw new DOMException("no audio track", "NotFoundError");
      return track;
    };
    if (deviceId === "") return get({});
    try {
      return await get({ deviceId: { exact: deviceId } });
    } catch (failure) {
      if (statusAfter(failure) === "denied") throw failure;
      return get({});
    }
  }

  private adopt(track: MediaStreamTrack): void {
    const before = this.track.get();
    clearTimeout(this.asking);
    this.applyTo(track);
    track.addEventListener("ended", () => this.ended(track));
    // The system mutes the track when a phone call takes the device.
    const see = () => this.track.get() === track && this.interruption.see(track.muted);
    track.addEventListener("mute", see);
    track.addEventListener("unmute", see);
    this.listen(track);
    this.track.set(track);
    this.interruption.see(track.muted);
    before?.stop();
    const deviceId = track.getSettings().deviceId ?? "";
    this.change({ status: "live", deviceId });
  }

  /** The device was unplugged or the permission withdrawn: another one, if there is any. */
  private async ended(track: MediaStreamTrack): Promise<void> {
    if (this.track.get() !== track) return;
    if (await this.acquire("")) return this.change({ fellBackTo: this.track.get()?.label ?? "" });
    this.askAgain();
  }

  /** What has taken the device gives it back some time. */
  private askAgain(): void {
    clearTimeout(this.asking);
    if (this.state.get().status !== "busy") return this.interruption.forget();
    this.interruption.see(true);
    this.asking = setTimeout(() => {
      void this.acquire(this.state.get().deviceId).then((live) => live || this.askAgain());
    }, ASK_AGAIN_MS);
  }

  private listen(track: MediaStreamTrack): void {
    this.probe?.close();
    this.context ??= new AudioContext();
    this.probe = new LevelProbe(this.context, track);
    this.wake();
    this.listening ??= setInterval(() => {
      const db = this.probe?.read() ?? Number.NEGATIVE_INFINITY;
      this.voice = hear(this.voice, db, performance.now());
      this.change({ speaking: this.voice.speaking });
    }, LISTEN_EVERY_MS);
  }

  private release(): void {
    clearInterval(this.listening);
    this.listening = undefined;
    this.voice = SILENT;
    this.probe?.close();
    this.probe = undefined;
    const track = this.track.get();
    this.track.set(undefined);
    track?.stop();
  }

  private async refreshDevices(): Promise<void> {
    const devices = await listDevices("audioinput").catch(() => []);
    this.change({ devices });
  }

  /** A permission given later, in the browser's settings, is used at once. */
  private async watchPermission(): Promise<void> {
    try {
      const name = "microphone" as PermissionName;
      const permission = await navigator.permissions.query({ name });
      permission.addEventListener("change", () => {
        const refused = this.state.get().status === "denied";
        if (refused && permission.state === "granted") void this.start();
      });
    } catch {
      // Not every browser knows this permission; "try again" is there.
    }
  }

  private change(change: Partial<MicrophoneState>): void {
    const before = this.state.get();
    const same = Object.entries(change).every(
      ([key, value]) => before[key as keyof MicrophoneState] === value,
    );
    if (!same) this.state.set({ ...before, ...change });
  }
}
