// Own messages that are being sent: shown after what is in the chat already.

import type { Pending } from "../operations/outbox";

export interface PendingMessage {
  /** The operation. */
  readonly id: string;
  readonly text: string;
  /** Empty: to everybody. */
  readonly toIds: readonly number[];
  readonly madeAtMs: number;
}

export function pendingChat({
  pending,
}: {
  readonly pending: readonly Pending[];
}): PendingMessage[] {
  return pending.flatMap(({ id, act, madeAtMs }) =>
    act.kind === "sendChat" ? [{ id, text: act.text, toIds: act.to, madeAtMs }] : [],
  );
}
