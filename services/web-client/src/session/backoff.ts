// How long to wait before trying again: doubling, bounded, with jitter so that a whole office does
// not come back at the same moment.

const FIRST_MS = 300;
const LONGEST_MS = 3000;

/**
 * Delay in ms before try `attempt` (0 is the first repetition); `random` is in [0, 1). What nobody
 * waits for may be given a higher `longestMs`.
 */
export function backoffMs(attempt: number, random: number, longestMs = LONGEST_MS): number {
  const ceiling = Math.min(longestMs, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(Math.max(FIRST_MS, ceiling * (0.5 + random / 2)));
}

/** Resolves after `ms`, or at once when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
