// What to do when joining or staying in a meeting fails. Pure: the attendance asks, and does it.

import type { RefusalReason } from "./refusal";
import { ConnectionLost, Refused } from "./refusal";

/** Why the terminal is not, or not any more, connected to its meeting. */
export type Hindrance =
  | "lost"
  | "draining"
  | "tryAgain"
  /** The relay has not answered for a moment; the connection may yet live. */
  | "silent";
/** Why a meeting is over for this terminal. */
export type OverReason =
  | "left"
  | "ended"
  | "replaced"
  /** Taken out by a host, or not allowed any more. */
  | "removed"
  /** Not let in from the lobby. */
  | "sentAway";

export type Step =
  /** Wait, connect and join again. */
  | { kind: "retry"; hindrance: Hindrance }
  /** Throw the held join credential away, and try again. */
  | { kind: "renew"; hindrance: Hindrance }
  /** The identity is not accepted any more. */
  | { kind: "enterAgain" }
  /** Back to the form, with the reason. */
  | { kind: "giveUp"; reason: RefusalReason }
  | { kind: "over"; reason: OverReason };

export interface Situation {
  /** True once the terminal has been in. */
  inside: boolean;
  /** True if a join credential from an earlier connection was used. */
  heldCredential: boolean;
  /** True if that was as far as the lobby. */
  waiting?: boolean;
}

export function afterFailure(failure: unknown, situation: Situation): Step {
  if (failure instanceof Refused) return afterRefusal(failure.reason, situation);
  const draining = failure instanceof ConnectionLost && failure.how === "draining";
  return { kind: "retry", hindrance: draining ? "draining" : "lost" };
}

function afterRefusal(reason: RefusalReason, situation: Situation): Step {
  const { inside, heldCredential, waiting = false } = situation;
  switch (reason) {
    case "replaced":
      return { kind: "over", reason: "replaced" };
    case "meetingEnded":
      return { kind: "over", reason: "ended" };
    case "tryAgain":
      return { kind: "retry", hindrance: "tryAgain" };
    case "notLoggedIn":
      return { kind: "enterAgain" };
    case "notAdmitted":
    case "wrongPassword":
    case "forbidden":
      return inside ? { kind: "over", reason: "removed" } : { kind: "giveUp", reason };
    case "meetingLocked":
      // Who was in can always come back; who waited before the door can't.
      if (inside && !waiting) return { kind: "retry", hindrance: "tryAgain" };
      return { kind: "giveUp", reason };
    case "removed":
    case "sentAway":
      return inside ? { kind: "over", reason } : { kind: "giveUp", reason };
    case "credentialExpired":
      return { kind: "renew", hindrance: "tryAgain" };
    case "badCredential":
      if (heldCredential || inside) return { kind: "renew", hindrance: "tryAgain" };
      return { kind: "giveUp", reason };
    default:
      // Whoever was in comes back in: what is refused now may be a service that restarts.
      return inside ? { kind: "retry", hindrance: "tryAgain" } : { kind: "giveUp", reason };
  }
}
