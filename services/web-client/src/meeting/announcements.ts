// What a screen reader is told about comings and goings: collected for a while, then one sentence.

import type { Participant } from "./roster";

/** Comings and goings within this time are told together, in ms. */
export const ANNOUNCE_EVERY_MS = 2500;

export interface Movement {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Display names of those who are in only one of the rosters, oneself not counted. */
export function movementBetween(
  before: ReadonlyMap<number, Participant>,
  after: ReadonlyMap<number, Participant>,
  selfId: number | undefined,
): Movement {
  const missing = (from: typeof before, other: typeof before) =>
    [...from.values()].filter((p) => p.id !== selfId && !other.has(p.id)).map((p) => p.displayName);
  return { joined: missing(after, before), left: missing(before, after) };
}
