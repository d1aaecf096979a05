import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GRACE_MS, Interruption } from "../src/media/interruption";
import { Mouth } from "../src/media/mouth";

const track = (name: string) => ({ name }) as unknown as MediaStreamTrack;

/** What the browser does with the tracks, in order. */
class Floor {
  readonly done: string[] = [];
  readonly held: Record<string, string> = {};
  slow = false;
  readonly mouth = new Mouth((outlet) => this.done.push(`open ${outlet}`));
  readonly ways = { floor: this.way("floor"), private: this.way("private") };

  private way(name: string) {
    return {
      replaceTrack: async (given: MediaStreamTrack | null) => {
        if (this.slow) await new Promise((resolve) => setTimeout(resolve, 5));
        this.held[name] = given === null ? "-" : (given as unknown as { name: string }).name;
        this.done.push(`${name} ${this.held[name]}`);
      },
    };
  }

  static async with(name: string): Promise<Floor> {
    const floor = new Floor();
    await floor.mouth.use(track(name));
    await floor.mouth.through(floor.ways);
    floor.done.length = 0;
    return floor;
  }
}

describe("mouth", () => {
  it("is closed at once, and opened again when nothing else has the microphone", async () => {
    const floor = await Floor.with("mic");
    const asking = floor.mouth.speak("nowhere");
    expect(floor.done).toEqual(["open nowhere"]);
    await asking;
    expect(floor.held).toEqual({ floor: "-", private: "-" });
    floor.done.length = 0;
    await floor.mouth.speak("private");
    expect(floor.done).toEqual(["open nowhere", "floor -", "private mic", "open private"]);
    floor.done.length = 0;
    await floor.mouth.speak("floor");
    expect(floor.done).toEqual(["open nowhere", "private -", "floor mic", "open floor"]);
  });

  it("never has both ways, however quickly it changes", async () => {
    const floor = await Floor.with("mic");
    floor.slow = true;
    const both: string[] = [];
    const watch = setInterval(() => {
      if (floor.held["floor"] === "mic" && floor.held["private"] === "mic") both.push("both");
    }, 1);
    void floor.mouth.speak("nowhere");
    void floor.mouth.speak("private");
    void floor.mouth.speak("nowhere");
    void floor.mouth.speak("private");
    await floor.mouth.speak("floor");
    clearInterval(watch);
    expect(both).toEqual([]);
    expect(floor.held).toEqual({ floor: "mic", private: "-" });
    // What was let go before it could begin was never opened.
    expect(floor.done).not.toContain("private mic");
    expect(floor.done.at(-1)).toBe("open floor");
  });

  it("gives another microphone, and another peer connection, what the last one had", async () => {
    const floor = await Floor.with("mic");
    await floor.mouth.speak("private");
    await floor.mouth.use(track("headset"));
    expect(floor.held).toEqual({ floor: "-", private: "headset" });
    const next = new Floor();
    await floor.mouth.through(next.ways);
    expect(next.held).toEqual({ floor: "-", private: "headset" });
    await floor.mouth.use(undefined);
    expect(next.held).toEqual({ floor: "-", private: "-" });
  });

  it("stays closed when a way can't be taken back, until there is another", async () => {
    const floor = await Floor.with("mic");
    const closed = { replaceTrack: () => Promise.reject(new Error("closed")) };
    await floor.mouth.through({ floor: closed, private: closed });
    floor.done.length = 0;
    await floor.mouth.speak("private");
    expect(floor.done).toEqual(["open nowhere"]);
    await floor.mouth.through(floor.ways);
    expect(floor.done.at(-1)).toBe("open private");
  });
});

describe("interruption", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is told when it lasts, and its end too", () => {
    const interruption = new Interruption();
    interruption.see(true);
    vi.advanceTimersByTime(GRACE_MS - 1);
    expect(interruption.state.get()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(interruption.state.get()).toBe(true);
    interruption.see(false);
    vi.advanceTimersByTime(GRACE_MS);
    expect(interruption.state.get()).toBe(false);
  });

  it("is not told of blips", () => {
    const interruption = new Interruption();
    const told: boolean[] = [];
    interruption.state.subscribe(() => told.push(interruption.state.get()));
    for (let i = 0; i < 10; i++) {
      interruption.see(i % 2 === 0);
      vi.advanceTimersByTime(GRACE_MS - 1);
    }
    expect(told).toEqual([]);
    interruption.see(true);
    vi.advanceTimersByTime(GRACE_MS);
    interruption.forget();
    expect(told).toEqual([true, false]);
  });
});
