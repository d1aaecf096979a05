// A beat every second that goes on while the page is hidden; an ordinary timer where there are no
// workers.

/** Calls back every second until the result is called. */
export type Beat = (listener: () => void) => () => void;

const SECOND_MS = 1000;

export const timerBeat: Beat = (listener) => {
  const timer = setInterval(listener, SECOND_MS);
  return () => clearInterval(timer);
};

export function workerBeat(open: () => Worker): Beat {
  const listeners = new Set<() => void>();
  try {
    const worker = open();
    worker.onmessage = () => [...listeners].forEach((listener) => listener());
    // A worker that can't be loaded never beats: the timer does, for who listens and who will.
    worker.onerror = () => {
      worker.onmessage = null;
      timerBeat(() => [...listeners].forEach((listener) => listener()));
    };
  } catch {
    return timerBeat;
  }
  return (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
}

/** The page's own; opened once. */
export function pageBeat(): Beat {
  return workerBeat(
    () => new Worker(new URL("./beat.worker.ts", import.meta.url), { type: "module" }),
  );
}
