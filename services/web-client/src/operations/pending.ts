// What the screens show of acts that have no result yet.

import type { Act, ActKind } from "./act";
import { lastPending } from "./outbox";
import type { Pending } from "./outbox";

/** The last act of this kind that has no result yet. */
export function pendingOf<K extends ActKind>(
  { pending }: { readonly pending: readonly Pending[] },
  kind: K,
): Extract<Act, { kind: K }> | undefined {
  return lastPending(pending, kind);
}
