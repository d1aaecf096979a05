// The way back from a relay whose own way to everybody else is lost: to the core, as soon as that
// answers; until then this terminal stays with those who are behind the relay too.

import { pause } from "./backoff";
import type { Dialer } from "./dialer";
import { wasUnheard } from "./refusal";

/** Everybody behind the relay is told at the same moment, and comes to the core within this, in ms. */
const SPREAD_MS = 2000;
/** From one try to reach the core to the next, in ms; a quarter of it more or less. */
const RETRY_MS = 15_000;

/** What a relay has said of its uplink while that is lost. */
export interface LostUplink {
  /** For so long others keep the places of those behind the relay, in ms from the loss. */
  readonly holdMs: number;
  /** How long it had been lost when the relay said so, in ms. */
  readonly lostMs: number;
}

/** Nobody keeps the places of those behind the relay any more: who has another way should take it. */
export function isForsaken(uplink: LostUplink | undefined): boolean {
  return uplink !== undefined && uplink.lostMs >= uplink.holdMs;
}

/**
 * Looks for the core until it answers, and calls `found` then; until `signal` fires, nothing more happens.
 * A connection to the core that was there before is believed only after it has answered anew.
 */
export async function seekCore(
  core: Dialer,
  signal: AbortSignal,
  found: () => void,
): Promise<void> {
  await pause(Math.random() * SPREAD_MS, signal);
  while (!signal.aborted) {
    const there = await answers(core);
    if (signal.aborted) return;
    if (there) return found();
    await pause(RETRY_MS * (0.75 + Math.random() / 2), signal);
  }
}

async function answers(core: Dialer): Promise<boolean> {
  // What the core had let go unused is opened anew.
  const first = await greeted(core);
  return first === "unheard" ? (await greeted(core)) === "there" : first === "there";
}

async function greeted(core: Dialer): Promise<"there" | "unheard" | "gone"> {
  try {
    const connection = await core.dial();
    await connection.request("ping", {});
    return connection.open ? "there" : "gone";
  } catch (failure) {
    return wasUnheard(failure) ? "unheard" : "gone";
  }
}
