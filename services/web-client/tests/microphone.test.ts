import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GRACE_MS } from "../src/media/interruption";
import { Microphone } from "../src/media/microphone";

class FakeTrack extends EventTarget {
  enabled = true;
  muted = false;
  label = "Built-in";
  stopped = false;
  getSettings = () => ({ deviceId: "built-in" });
  clone = () => new FakeTrack();
  stop = () => void (this.stopped = true);

  /** A phone call begins or ends. */
  take(muted: boolean): void {
    this.muted = muted;
    this.dispatchEvent(new Event(muted ? "mute" : "unmute"));
  }
}

class FakeContext {
  state = "running";
  createMediaStreamSource = () => ({ connect: () => {}, disconnect: () => {} });
  createAnalyser = () => ({ fftSize: 0, getFloatTimeDomainData: () => {} });
}

/** The devices of this browser; `refuse` is what it says instead of giving one. */
const devices = { tracks: [] as FakeTrack[], refuse: "" };

async function live(): Promise<[Microphone, FakeTrack]> {
  const microphone = new Microphone();
  await microphone.start();
  const track = devices.tracks.at(-1);
  if (track === undefined) throw new Error("no track");
  return [microphone, track];
}

describe("microphone", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    Object.assign(devices, { tracks: [], refuse: "" });
    vi.stubGlobal("AudioContext", FakeContext);
    vi.stubGlobal("MediaStream", class {});
    vi.stubGlobal("navigator", {
      mediaDevices: {
        addEventListener: () => {},
        enumerateDevices: async () => [],
        getUserMedia: async () => {
          if (devices.refuse !== "") throw new DOMException("", devices.refuse);
          const track = new FakeTrack();
          devices.tracks.push(track);
          return { getAudioTracks: () => [track] };
        },
      },
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("is heard on the floor unless muted, privately even so, and nowhere otherwise", async () => {
    const [microphone, track] = await live();
    expect(track.enabled).toBe(true);
    await microphone.setMuted(true);
    expect(track.enabled).toBe(false);
    microphone.open("private");
    expect(track.enabled).toBe(true);
    microphone.open("nowhere");
    expect(track.enabled).toBe(false);
    await microphone.setMuted(false);
    expect(track.enabled).toBe(false);
    microphone.open("floor");
    expect(track.enabled).toBe(true);
  });

  it("has another device go where the one before went", async () => {
    const [microphone] = await live();
    microphone.open("nowhere");
    await microphone.choose("other");
    expect(devices.tracks.at(-1)?.enabled).toBe(false);
    expect(devices.tracks[0]?.stopped).toBe(true);
  });

  it("is unmuted for as long as it is held, and nothing changes for who is not muted", async () => {
    const [microphone, track] = await live();
    await microphone.pushToTalk(true);
    await microphone.pushToTalk(false);
    expect(microphone.muted.get()).toBe(false);
    await microphone.setMuted(true);
    await microphone.pushToTalk(true);
    expect([microphone.muted.get(), microphone.pushing.get()]).toEqual([false, true]);
    await microphone.pushToTalk(false);
    expect([microphone.muted.get(), microphone.pushing.get()]).toEqual([true, false]);
    expect(track.enabled).toBe(false);
  });

  it("stays unmuted when that was chosen while it was held", async () => {
    const [microphone] = await live();
    await microphone.setMuted(true);
    await microphone.pushToTalk(true);
    await microphone.setMuted(false);
    await microphone.pushToTalk(false);
    expect(microphone.muted.get()).toBe(false);
  });

  it("tells of a phone call that lasts, and of its end", async () => {
    const [microphone, track] = await live();
    track.take(true);
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(microphone.interrupted.get()).toBe(true);
    track.take(false);
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(microphone.interrupted.get()).toBe(false);
  });

  it("is asked for again until what has taken the device gives it back", async () => {
    const [microphone, track] = await live();
    devices.refuse = "NotReadableError";
    track.dispatchEvent(new Event("ended"));
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(microphone.interrupted.get()).toBe(true);
    expect(microphone.state.get().status).toBe("busy");
    devices.refuse = "";
    await vi.advanceTimersByTimeAsync(3000 + GRACE_MS);
    expect(microphone.state.get().status).toBe("live");
    expect(microphone.interrupted.get()).toBe(false);
    expect(microphone.muted.get()).toBe(true);
  });

  it("is not interrupted but missing when it was unplugged", async () => {
    const [microphone, track] = await live();
    devices.refuse = "NotFoundError";
    track.dispatchEvent(new Event("ended"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(microphone.interrupted.get()).toBe(false);
    expect(microphone.state.get().status).toBe("missing");
  });

  it("that was let go is not interrupted by anything", async () => {
    const [microphone, track] = await live();
    track.take(true);
    microphone.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(microphone.interrupted.get()).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});
