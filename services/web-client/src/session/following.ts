// What a meeting is told by itself, so that it knows what is true here: whether the microphone is
// off, and whether somebody is there. Pure: what is to be said, if anything.

import type { Act } from "../operations/act";
import { lastPending } from "../operations/outbox";
import { selfIn } from "./stay";
import type { Stay } from "./stay";

export interface Wishes {
  /** False in the meeting whose place is kept. */
  readonly live: boolean;
  readonly muted: boolean;
  readonly away: boolean;
  /** Something else has taken the microphone, such as a phone call. */
  readonly interrupted: boolean;
}

type Said = Extract<Act, { kind: "setPresence" }>;

/** What this meeting is to be told so that it knows. */
export function dueActs(stay: Stay, wishes: Wishes): Act[] {
  const self = selfIn(stay);
  // Whoever is not in can say nothing; coming back says it.
  if (self === undefined) return [];
  const acts: Act[] = [];
  const muted = lastPending(stay.pending, "setMuted")?.muted ?? self.muted;
  // The microphone is in the live meeting only.
  if (wishes.live && muted !== wishes.muted) acts.push({ kind: "setMuted", muted: wishes.muted });
  const told = lastPending(stay.pending, "setPresence") ?? {
    presence: self.presence,
    reason: self.offlineReason,
  };
  const wished = presenceFor(wishes);
  const differs = told.presence !== wished.presence || told.reason !== wished.reason;
  return differs ? [...acts, wished] : acts;
}

export function presenceFor({ live, away, interrupted }: Wishes): Said {
  if (!live) return { kind: "setPresence", presence: "offline", reason: "otherMeeting" };
  if (interrupted) return { kind: "setPresence", presence: "offline", reason: "interrupted" };
  return { kind: "setPresence", presence: away ? "away" : "online", reason: undefined };
}

/** True if a host's muting holds: nothing that was done here since then says otherwise. */
export function isMutedByHost(stay: Stay): boolean {
  return lastPending(stay.pending, "setMuted")?.muted !== false;
}
