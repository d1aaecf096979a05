import { describe, expect, it } from "vitest";
import { OperationMemory } from "../src/operations/memory";
import {
  EMPTY_OUTBOX,
  doneIn,
  lastPending,
  nextToSend,
  reduceOutbox,
} from "../src/operations/outbox";
import type { Outbox, OutboxAction } from "../src/operations/outbox";
import { pendingChat } from "../src/chat/pending";
import { FakeStorage } from "./storage";

const follow = (outbox: Outbox, ...actions: OutboxAction[]) => actions.reduce(reduceOutbox, outbox);
const bytes = (n: number) => new Uint8Array([n, 200, n]);
const made = (id: string): OutboxAction => ({
  kind: "made",
  id,
  act: { kind: "sendChat", text: id, to: [] },
  nowMs: 7,
});
const signed = (id: string): OutboxAction => ({
  kind: "signed",
  id,
  signed: { envelope: bytes(1), signature: bytes(2) },
});
const sent = (id: string): OutboxAction => ({ kind: "sent", id });
const received = (id: string): OutboxAction => ({ kind: "received", id });
const next = (outbox: Outbox) => nextToSend(outbox).map(({ id }) => id);
const ready = (...ids: string[]) =>
  follow(EMPTY_OUTBOX, ...ids.flatMap((id) => [made(id), signed(id)]));

describe("outbox", () => {
  it("counts operations from 1, also over those that are settled", () => {
    const outbox = follow(ready("a", "b"), { kind: "settled", id: "a" }, made("c"));
    expect(outbox.pending.map(({ id, sequence }) => [id, sequence])).toEqual([
      ["b", 2],
      ["c", 3],
    ]);
  });

  it("sends in order, nothing before it is signed, and nothing past what is not", () => {
    const outbox = follow(EMPTY_OUTBOX, made("a"), made("b"), signed("b"));
    expect(next(outbox)).toEqual([]);
    expect(next(follow(outbox, signed("a")))).toEqual(["a", "b"]);
  });

  it("does not send twice what is on its way or has arrived", () => {
    const outbox = follow(ready("a", "b", "c"), sent("a"), received("a"), sent("b"));
    expect(next(outbox)).toEqual(["c"]);
  });

  it("has no more than 8 under way, and no more than 32 without a result", () => {
    const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
    let outbox = ready(...ids);
    expect(next(outbox)).toEqual(ids.slice(0, 8));
    outbox = follow(outbox, ...ids.slice(0, 32).map(received));
    expect(next(outbox)).toEqual([]);
    outbox = follow(outbox, { kind: "settled", id: "0" });
    expect(next(outbox)).toEqual(["32"]);
  });

  it("sends everything again in order that has no result when the connection is lost", () => {
    const outbox = follow(ready("a", "b", "c"), sent("a"), received("a"), sent("b"));
    expect(next(follow(outbox, { kind: "unsent" }))).toEqual(["a", "b", "c"]);
  });

  it("is not changed by a result that nobody waits for", () => {
    const outbox = ready("a");
    expect(follow(outbox, { kind: "settled", id: "x" })).toBe(outbox);
  });

  it("knows what is being sent", () => {
    const outbox = follow(ready("a"), {
      kind: "made",
      id: "h",
      act: { kind: "setHand", raised: true },
      nowMs: 8,
    });
    expect(lastPending(outbox.pending, "setHand")).toEqual({ kind: "setHand", raised: true });
    expect(lastPending(outbox.pending, "setMuted")).toBeUndefined();
    expect(pendingChat(outbox)).toEqual([{ id: "a", text: "a", toIds: [], madeAtMs: 7 }]);
  });
});

describe("operations of a tab", () => {
  it("outlive a reload with session, counter and the very bytes", () => {
    const storage = new FakeStorage();
    const before = new OperationMemory(storage);
    const { sessionId } = before.open("42", "u");
    const outbox = follow(ready("a", "b"), sent("a"), { kind: "settled", id: "b" });
    before.keep("42", "u", { sessionId, participantId: 3, outbox });
    const kept = new OperationMemory(storage).open("42", "u");
    expect(kept).toMatchObject({ sessionId, participantId: 3 });
    expect(kept.outbox.nextSequence).toBe(3);
    expect(kept.outbox.pending).toMatchObject([
      { id: "a", sequence: 1, progress: "waiting", carried: true, act: { text: "a" } },
    ]);
    expect(kept.outbox.pending[0]?.signed).toEqual({ envelope: bytes(1), signature: bytes(2) });
  });

  it("leave no gap for what was not signed yet", () => {
    const memory = new OperationMemory(new FakeStorage());
    const outbox = follow(ready("a"), made("b"));
    memory.keep("42", "u", { sessionId: "s", participantId: 3, outbox });
    const kept = memory.open("42", "u").outbox;
    expect(kept.pending.map(({ id }) => id)).toEqual(["a"]);
    expect(kept.nextSequence).toBe(2);
  });

  it("keep what fills a number, and do not count again what was signed after it", () => {
    const memory = new OperationMemory(new FakeStorage());
    const refused: OutboxAction = { kind: "refused", id: "a", fillerId: "f" };
    const keep = (outbox: Outbox) => {
      memory.keep("42", "u", { sessionId: "s", participantId: 3, outbox });
      return memory.open("42", "u").outbox;
    };
    const unsigned = follow(ready("a", "b"), refused);
    expect(next(unsigned)).toEqual([]);
    expect(keep(unsigned)).toMatchObject({ nextSequence: 3, pending: [{ id: "b", sequence: 2 }] });
    const filled = follow(unsigned, signed("f"));
    expect(next(filled)).toEqual(["f", "b"]);
    expect(doneIn(filled).map(({ id }) => id)).toEqual(["b"]);
    const kept = keep(filled);
    expect(kept.pending).toMatchObject([{ id: "f", sequence: 1 }, { id: "b" }]);
    expect(doneIn(kept).map(({ id }) => id)).toEqual(["b"]);
  });

  it("are of one user in one meeting, and of nobody else", () => {
    const memory = new OperationMemory(new FakeStorage());
    memory.keep("42", "u", { sessionId: "s", participantId: 3, outbox: ready("a") });
    for (const [meetingId, userId] of [
      ["43", "u"],
      ["42", "v"],
    ] as const) {
      const other = memory.open(meetingId, userId);
      expect(other.sessionId).not.toBe("s");
      expect(other.outbox).toEqual(EMPTY_OUTBOX);
    }
    memory.forget("42", "u");
    expect(memory.open("42", "u").sessionId).not.toBe("s");
  });

  it.each(["", "null", "7", "[7]", '[["42/u",7]]', '[["42/u",{"sessionId":"s"}]]'])(
    "are not made of %s",
    (text) => {
      const storage = new FakeStorage();
      storage.setItem("tributary.operations", text);
      expect(new OperationMemory(storage).open("42", "u").outbox).toEqual(EMPTY_OUTBOX);
    },
  );
});
