// What is done in one meeting, from the wish to its result: signed, sent in order, sent again after a
// lost connection, kept until the meeting has answered.

import type { Act, ActRefusal } from "../operations/act";
import type { OperationMemory } from "../operations/memory";
import { EMPTY_OUTBOX, PENDING_MAX, doneIn, nextToSend, reduceOutbox } from "../operations/outbox";
import type { Outbox, OutboxAction, Pending } from "../operations/outbox";
import { backoffMs, pause } from "./backoff";
import type { Connection } from "./connection";
import type { TerminalKey } from "./key";
import { Refused } from "./refusal";
import { envelopeOf } from "./wire-operations";

/** What is done is not to be applied later than so long after, in ms. */
const APPLY_WITHIN_MS = 10 * 60 * 1000;
/** What is only there for its number is too late by so much, in ms. */
const TOO_LATE_MS = 24 * 60 * 60 * 1000;
/**
 * What was made before a reload may have had its result before it; as it can't be lost any more once
 * the relay has it, nobody needs to be kept waiting longer than this, in ms.
 */
const CARRIED_MAX_MS = 10_000;

export interface Surroundings {
  readonly key: () => Promise<TerminalKey>;
  readonly memory: OperationMemory;
  /** How far the server's clock is ahead of this terminal's, in ms. */
  readonly clockOffsetMs: () => number;
  readonly changed: (pending: readonly Pending[]) => void;
  /** There will be no result: the relay did not take it. */
  readonly dropped: (operation: Pending, reason: ActRefusal) => void;
}

/** What changes what is kept for after a reload. */
const KEPT: ReadonlySet<OutboxAction["kind"]> = new Set(["signed", "settled", "refused"]);

/** Who does it, as known from joining. */
export interface Self {
  readonly organisation: string;
  readonly participantId: number;
}

export class Operator {
  readonly sessionId: string;
  private outbox: Outbox;
  private self: Self | undefined;
  private connection: Connection | undefined;
  private signing: Promise<void> = Promise.resolve();
  private participantId: number;
  private attempt = 0;
  private resting = false;
  private readonly stopped = new AbortController();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(
    private readonly around: Surroundings,
    readonly meetingId: string,
    readonly userId: string,
  ) {
    const kept = around.memory.open(meetingId, userId);
    this.sessionId = kept.sessionId;
    this.participantId = kept.participantId;
    this.outbox = kept.outbox;
  }

  /** What was done and has no result. */
  get pending(): readonly Pending[] {
    return doneIn(this.outbox);
  }

  /** Does something; its id, or undefined if too much is under way. */
  act(act: Act): string | undefined {
    const { self } = this;
    if (self === undefined || this.outbox.pending.length >= PENDING_MAX) return undefined;
    const id = crypto.randomUUID();
    this.apply({ kind: "made", id, act, nowMs: Date.now() });
    this.sign(id, self);
    return id;
  }

  /** The terminal is in by this connection: what has no result is sent again, in order. */
  joined(connection: Connection, self: Self): void {
    if (this.participantId !== 0 && this.participantId !== self.participantId) this.begin();
    this.participantId = self.participantId;
    this.self = self;
    this.connection = connection;
    this.attempt = 0;
    this.apply({ kind: "unsent" });
    this.keep();
    this.pump();
  }

  /** The terminal was given a roster instead of the events that it missed. */
  passedOver(): void {
    this.apply({ kind: "passedOver" });
  }

  /** The operation has a result. Undefined if it was not waited for. */
  settle(id: string): Pending | undefined {
    const operation = this.find(id);
    if (operation === undefined) return undefined;
    this.apply({ kind: "settled", id });
    this.pump();
    return operation;
  }

  /** The stay is over; what is pending is given up, or kept for after a reload of the page. */
  stop(keep: boolean): void {
    this.stopped.abort();
    this.connection = undefined;
    for (const timer of this.timers) clearTimeout(timer);
    if (!keep) this.around.memory.forget(this.meetingId, this.userId);
  }

  /** Another participant: what an earlier one did is not this one's to send. */
  private begin(): void {
    this.outbox = EMPTY_OUTBOX;
  }

  /** One after the other, so that none is sent before its predecessors. */
  private sign(id: string, self: Self): void {
    this.signing = this.signing.then(async () => {
      const operation = this.find(id);
      if (operation === undefined || this.stopped.signal.aborted) return;
      const goodForMs = operation.filler === true ? -TOO_LATE_MS : APPLY_WITHIN_MS;
      const key = await this.around.key();
      const envelope = envelopeOf(
        {
          operationId: id,
          sequence: operation.sequence,
          organisation: self.organisation,
          meetingId: this.meetingId,
          participantId: self.participantId,
          sessionId: this.sessionId,
          notAfterMs: Date.now() + this.around.clockOffsetMs() + goodForMs,
        },
        operation.act,
      );
      const signature = await key.signOperation(envelope);
      this.apply({ kind: "signed", id, signed: { envelope, signature } });
      this.pump();
    });
    this.signing = this.signing.catch(() => this.drop(id, "unspecified"));
  }

  private pump(): void {
    const { connection } = this;
    if (connection === undefined || !connection.open || this.resting) return;
    for (const operation of nextToSend(this.outbox)) {
      this.apply({ kind: "sent", id: operation.id });
      void this.send(connection, operation);
    }
  }

  private async send(connection: Connection, { id, signed }: Pending): Promise<void> {
    if (signed === undefined) return;
    try {
      const { publicKey } = await this.around.key();
      await connection.request("operate", { operation: { ...signed, publicKey } });
      if (this.connection !== connection) return;
      this.attempt = 0;
      this.received(id);
    } catch (failure) {
      // A lost connection: it is sent again by the next one.
      if (this.connection !== connection || !(failure instanceof Refused)) return;
      const final = refusalOf(failure);
      if (final !== undefined) return this.drop(id, final);
      this.apply({ kind: "putOff", id });
      await this.rest();
    }
    this.pump();
  }

  private received(id: string): void {
    this.apply({ kind: "received", id });
    if (this.find(id)?.carried !== true) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.settle(id);
    }, CARRIED_MAX_MS);
    this.timers.add(timer);
  }

  /** Nothing is sent for a while, so that nothing overtakes what was put off. */
  private async rest(): Promise<void> {
    if (this.resting) return;
    this.resting = true;
    await pause(backoffMs(this.attempt++, Math.random()), this.stopped.signal);
    this.resting = false;
  }

  /** Its number would be waited for at the registry: it is filled, unless that is refused too. */
  private drop(id: string, reason: ActRefusal): void {
    const { self } = this;
    const operation = this.find(id);
    if (operation === undefined) return;
    if (operation.filler === true || reason === "meetingEnded" || self === undefined) {
      this.settle(id);
    } else {
      const fillerId = crypto.randomUUID();
      this.apply({ kind: "refused", id, fillerId });
      this.sign(fillerId, self);
    }
    if (operation.filler !== true) this.around.dropped(operation, reason);
  }

  private find(id: string): Pending | undefined {
    return this.outbox.pending.find((operation) => operation.id === id);
  }

  private apply(action: OutboxAction): void {
    const next = reduceOutbox(this.outbox, action);
    if (next === this.outbox || this.stopped.signal.aborted) return;
    this.outbox = next;
    // How far the relay has got with it is nothing to be remembered.
    if (KEPT.has(action.kind)) this.keep();
    this.around.changed(this.pending);
  }

  private keep(): void {
    const { sessionId, participantId, outbox } = this;
    this.around.memory.keep(this.meetingId, this.userId, { sessionId, participantId, outbox });
  }
}

/** Undefined if the relay may take it later. */
function refusalOf({ reason }: Refused): ActRefusal | undefined {
  switch (reason) {
    case "meetingEnded":
    case "unsupported":
      return reason;
    case "operationConflict":
      return "idReused";
    case "malformed":
      return "invalid";
    case "badCredential":
    case "forbidden":
      return "notTaken";
    default:
      return undefined;
  }
}
