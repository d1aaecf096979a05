import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { timerBeat, workerBeat } from "../src/app/beat";

class FakeWorker {
  onmessage: (() => void) | null = null;
  onerror: (() => void) | null = null;
}

describe("beat", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("comes from the worker, to everybody who listens", () => {
    const worker = new FakeWorker();
    const beat = workerBeat(() => worker as unknown as Worker);
    const heard: string[] = [];
    const stop = beat(() => heard.push("a"));
    beat(() => heard.push("b"));
    worker.onmessage?.();
    stop();
    worker.onmessage?.();
    expect(heard).toEqual(["a", "b", "b"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("comes from a timer when the worker can't be loaded, or there are none", () => {
    const worker = new FakeWorker();
    const beat = workerBeat(() => worker as unknown as Worker);
    let heard = 0;
    beat(() => heard++);
    worker.onerror?.();
    vi.advanceTimersByTime(3000);
    expect(heard).toBe(3);
    const none = workerBeat(() => {
      throw new Error("no workers");
    });
    expect(none).toBe(timerBeat);
  });
});
