// The operations of this tab without a result, kept through a reload: per meeting and user, with the
// session that they are counted in. Gone with the tab, on leaving, and with the key that signed them.

import { EMPTY_OUTBOX } from "./outbox";
import type { Outbox, Pending } from "./outbox";

const KEY = "tributary.operations";
/** So many meetings are remembered; the oldest are forgotten first. */
const MEETINGS_MAX = 6;

/** What is kept of one user in one meeting. */
export interface KeptOperations {
  /** A UUID. */
  readonly sessionId: string;
  /** 0 until the terminal has been in. */
  readonly participantId: number;
  readonly outbox: Outbox;
}

export class OperationMemory {
  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | undefined) {}

  /** What was kept, or a new session. */
  open(meetingId: string, userId: string): KeptOperations {
    const kept = new Map(this.read()).get(nameOf(meetingId, userId));
    const known = kept === undefined ? undefined : parseKept(kept);
    return known ?? { sessionId: crypto.randomUUID(), participantId: 0, outbox: EMPTY_OUTBOX };
  }

  keep(meetingId: string, userId: string, operations: KeptOperations): void {
    const name = nameOf(meetingId, userId);
    const others = this.read().filter(([other]) => other !== name);
    this.write([...others, [name, storedOf(operations)] as const].slice(-MEETINGS_MAX));
  }

  forget(meetingId: string, userId: string): void {
    const name = nameOf(meetingId, userId);
    this.write(this.read().filter(([other]) => other !== name));
  }

  /** Who had the tab before, or the key that signed, is gone. */
  forgetAll(): void {
    this.write([]);
  }

  private read(): [string, unknown][] {
    try {
      const stored: unknown = JSON.parse(this.storage?.getItem(KEY) ?? "[]");
      return Array.isArray(stored) ? stored.filter(isEntry) : [];
    } catch {
      return [];
    }
  }

  private write(entries: readonly (readonly [string, unknown])[]): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify(entries));
    } catch {
      // Full or forbidden: then what is pending does not outlive a reload.
    }
  }
}

function nameOf(meetingId: string, userId: string): string {
  return `${meetingId}/${userId}`;
}

function isEntry(entry: unknown): entry is [string, unknown] {
  return Array.isArray(entry) && typeof entry[0] === "string";
}

/** What was not signed yet was never sent: its number is free. */
function storedOf({ sessionId, participantId, outbox }: KeptOperations) {
  const signed = outbox.pending.filter((operation) => operation.signed !== undefined);
  const last = signed.at(-1)?.sequence ?? 0;
  const unsigned = outbox.pending.find(
    ({ sequence, signed: bytes }) => bytes === undefined && sequence > last,
  );
  return {
    sessionId,
    participantId,
    nextSequence: unsigned?.sequence ?? outbox.nextSequence,
    pending: signed.map(({ id, sequence, act, madeAtMs, signed: bytes, filler }) => ({
      id,
      sequence,
      act,
      madeAtMs,
      filler: filler === true,
      envelope: textOf(bytes?.envelope),
      signature: textOf(bytes?.signature),
    })),
  };
}

type Stored = ReturnType<typeof storedOf>;

function parseKept(value: unknown): KeptOperations | undefined {
  const { sessionId, participantId, nextSequence, pending } = (value ?? {}) as Partial<Stored>;
  if (
    typeof sessionId !== "string" ||
    typeof participantId !== "number" ||
    typeof nextSequence !== "number" ||
    !Array.isArray(pending)
  ) {
    return undefined;
  }
  try {
    return {
      sessionId,
      participantId,
      outbox: { nextSequence, pending: pending.map(parsePending) },
    };
  } catch {
    return undefined;
  }
}

function parsePending(stored: Stored["pending"][number]): Pending {
  const { id, sequence, act, madeAtMs, filler, envelope, signature } = stored;
  if (typeof id !== "string" || typeof sequence !== "number" || typeof act?.kind !== "string") {
    throw new Error("not an operation");
  }
  const signed = { envelope: bytesOf(envelope), signature: bytesOf(signature) };
  return { id, sequence, act, madeAtMs, progress: "waiting", carried: true, signed, filler };
}

function textOf(bytes: Uint8Array | undefined): string {
  let binary = "";
  for (const byte of bytes ?? []) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
