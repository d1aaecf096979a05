// The operations that have no result yet, in order, as a pure function of what happened to them. One
// is kept until an event that it caused comes, is sent again in order after a lost connection, and
// stays through a reload of the page.

import type { Act } from "./act";

/** An operation as it travels: the same bytes each time. */
export interface Signed {
  readonly envelope: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

export type Progress =
  /** Not sent by this connection yet, or to be sent again. */
  | "waiting"
  | "sent"
  /** On its way to the registry: it can't be lost any more. */
  | "received";

export interface Pending {
  /** A UUID. */
  readonly id: string;
  /** Counts the operations of the session in this meeting, from 1. */
  readonly sequence: number;
  readonly act: Act;
  /** Unix time in ms by this terminal's clock. */
  readonly madeAtMs: number;
  readonly progress: Progress;
  /** True if its result may have come and gone: the page was loaded anew since it was made. */
  readonly carried: boolean;
  /** Undefined while it is being signed. */
  readonly signed: Signed | undefined;
  /**
   * True if nobody has done it: it takes the number of one that the relay has refused for good, so that
   * the registry does not wait for that before later ones.
   */
  readonly filler?: boolean;
}

export interface Outbox {
  readonly pending: readonly Pending[];
  readonly nextSequence: number;
}

export type OutboxAction =
  | { kind: "made"; id: string; act: Act; nowMs: number }
  | { kind: "signed"; id: string; signed: Signed }
  | { kind: "sent"; id: string }
  | { kind: "received"; id: string }
  /** The relay can't take it now; neither can it take what comes after it. */
  | { kind: "putOff"; id: string }
  /** The connection is lost: what has no result is to be sent again. */
  | { kind: "unsent" }
  /** The relay will never take it; a filler takes its number. */
  | { kind: "refused"; id: string; fillerId: string }
  /** Results up to now may have been passed over. */
  | { kind: "passedOver" }
  /** The result has come, or will never. */
  | { kind: "settled"; id: string };

/** More are not kept; relays take 32 at a time. */
export const PENDING_MAX = 200;
/** So many are on their way to the relay at a time. */
const IN_FLIGHT_MAX = 8;
/** So many may be without a result at a time; the relay takes no more. */
const UNRESOLVED_MAX = 32;

/** Says nothing, and is signed so that it is too late in any case. */
const FILLER: Act = { kind: "checkIn" };

export const EMPTY_OUTBOX: Outbox = { pending: [], nextSequence: 1 };

export function reduceOutbox(outbox: Outbox, action: OutboxAction): Outbox {
  switch (action.kind) {
    case "made": {
      const pending: Pending = {
        id: action.id,
        sequence: outbox.nextSequence,
        act: action.act,
        madeAtMs: action.nowMs,
        progress: "waiting",
        carried: false,
        signed: undefined,
      };
      return { pending: [...outbox.pending, pending], nextSequence: outbox.nextSequence + 1 };
    }
    case "signed":
      return change(outbox, action.id, { signed: action.signed });
    case "sent":
      return change(outbox, action.id, { progress: "sent" });
    case "received":
      return change(outbox, action.id, { progress: "received" });
    case "putOff":
      return change(outbox, action.id, { progress: "waiting" });
    case "unsent":
      return all(outbox, { progress: "waiting" });
    case "refused":
      return change(outbox, action.id, {
        id: action.fillerId,
        act: FILLER,
        progress: "waiting",
        signed: undefined,
        filler: true,
      });
    case "passedOver":
      return all(outbox, { carried: true });
    case "settled": {
      const pending = outbox.pending.filter(({ id }) => id !== action.id);
      return pending.length === outbox.pending.length ? outbox : { ...outbox, pending };
    }
  }
}

/** What somebody has done. */
export function doneIn({ pending }: Outbox): readonly Pending[] {
  return pending.some(({ filler }) => filler) ? pending.filter(({ filler }) => !filler) : pending;
}

/** What is to be sent now, in order: none overtakes one that has to wait. */
export function nextToSend({ pending }: Outbox): Pending[] {
  let room = IN_FLIGHT_MAX - pending.filter(({ progress }) => progress === "sent").length;
  const next: Pending[] = [];
  for (const operation of pending.slice(0, UNRESOLVED_MAX)) {
    if (operation.progress !== "waiting") continue;
    if (operation.signed === undefined || room-- <= 0) break;
    next.push(operation);
  }
  return next;
}

/** The last act of this kind that has no result yet. */
export function lastPending<K extends Act["kind"]>(
  pending: readonly Pending[],
  kind: K,
): Extract<Act, { kind: K }> | undefined {
  const act = pending.findLast((operation) => operation.act.kind === kind)?.act;
  return act as Extract<Act, { kind: K }> | undefined;
}

function change(outbox: Outbox, id: string, more: Partial<Pending>): Outbox {
  if (!outbox.pending.some((operation) => operation.id === id)) return outbox;
  const pending = outbox.pending.map((operation) =>
    operation.id === id ? { ...operation, ...more } : operation,
  );
  return { ...outbox, pending };
}

function all(outbox: Outbox, more: Partial<Pending>): Outbox {
  if (outbox.pending.length === 0) return outbox;
  return { ...outbox, pending: outbox.pending.map((operation) => ({ ...operation, ...more })) };
}
