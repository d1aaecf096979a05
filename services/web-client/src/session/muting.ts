// Tells the meeting whether the microphone is off, until the meeting knows what is true now.

import type { Store } from "../app/store";
import { backoffMs, pause } from "./backoff";
import type { Connection } from "./connection";
import { Refused } from "./refusal";

/** Follows `muted` on one connection. `told` is what the meeting knows already. */
export async function followMuted(
  connection: Connection,
  muted: Store<boolean>,
  told: boolean,
  signal: AbortSignal,
): Promise<void> {
  // Unknown after an attempt that may or may not have reached the relay: then it is said again.
  let known: boolean | undefined = told;
  while (connection.open && !signal.aborted) {
    if (muted.get() === known) await changed(muted, connection, signal);
    else known = await tell(connection, muted, signal);
  }
}

/** Sends one operation, repeating it under its id while the relay says to try again. */
async function tell(
  connection: Connection,
  muted: Store<boolean>,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const operationId = crypto.randomUUID();
  const wanted = muted.get();
  const operation = { operationId, body: { case: "setMuted", value: { muted: wanted } } } as const;
  for (let attempt = 0; connection.open && !signal.aborted; attempt++) {
    try {
      await connection.request("operate", { operation });
      return wanted;
    } catch (failure) {
      if (!(failure instanceof Refused)) return undefined;
      if (failure.reason !== "tryAgain" && failure.reason !== "limit") return wanted;
      await pause(backoffMs(attempt, Math.random()), signal);
      if (muted.get() !== wanted) return undefined;
    }
  }
  return undefined;
}

function changed(
  muted: Store<boolean>,
  connection: Connection,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      unsubscribe();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = muted.subscribe(done);
    signal.addEventListener("abort", done);
    connection.ended.catch(done);
  });
}
