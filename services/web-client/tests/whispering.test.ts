import { beforeEach, describe, expect, it, vi } from "vitest";
import { OperationRefusal } from "../src/gen/tributary/event/v1/event_pb";
import type { Operation } from "../src/gen/tributary/operation/v1/operation_pb";
import { PENDING_MAX } from "../src/operations/outbox";
import { World, guest } from "./world";

const own = (world: World) => world.stay().talks.own;
const talks = (world: World): Operation[] =>
  world.operations().filter(({ body }) => body.case === "talkTo");

async function asked(world: World, times: number): Promise<Operation> {
  await vi.waitFor(() => expect(talks(world)).toHaveLength(times));
  return talks(world).at(-1) as Operation;
}

function answer(world: World, operation: Operation): void {
  const targetIds = (operation.body.value as { participantIds: number[] }).participantIds;
  world.happen({ case: "talkChanged", value: { participantId: 3, targetIds } }, operation);
}

describe("whispering in a meeting", () => {
  beforeEach(() => void vi.stubGlobal("isSecureContext", true));

  it("leaves the floor at the press, speaks after the answer, and comes back after the next", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    expect(world.audio).toEqual(["connect", "nowhere"]);
    const press = await asked(world, 1);
    expect(world.audio.at(-1)).toBe("nowhere");
    answer(world, press);
    expect(world.audio.at(-1)).toBe("private");
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("nowhere");
    answer(world, await asked(world, 2));
    expect(world.audio).toEqual(["connect", "nowhere", "private", "nowhere", "floor"]);
  });

  it("does not change whether the microphone is muted", async () => {
    const world = new World();
    world.muted.set(true);
    await world.inside();
    world.session.talk.press([8]);
    answer(world, await asked(world, 1));
    expect(world.audio.at(-1)).toBe("private");
    expect(world.muted.get()).toBe(true);
    expect(world.operations().map(({ body }) => body.case)).toEqual(["talkTo"]);
  });

  it("ends with the connection, and nobody is heard on the floor who has not stopped it", async () => {
    const world = await new World().inside();
    world.session.talk.latch([8, 9]);
    answer(world, await asked(world, 1));
    world.line.drop();
    await vi.waitFor(() => expect(world.audio.at(-1)).toBe("nowhere"));
    expect(own(world).phase).toBe("ending");
    await world.back(2);
    const end = await asked(world, 2);
    expect(world.audio.at(-1)).toBe("connect");
    // The registry ended it with the connection; then there is nothing left to do.
    world.happen({ case: "talkChanged", value: { participantId: 3, targetIds: [] } });
    world.happen({ case: "operationDone", value: {} }, end);
    expect(own(world)).toMatchObject({ phase: "unheard", latched: true });
    expect(world.audio).not.toContain("floor");
    world.session.talk.stop();
    expect(world.audio.at(-1)).toBe("floor");
    expect(talks(world)).toHaveLength(2);
  });

  it("ends when those have left whom it is for, and is unheard until it is let go", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    answer(world, await asked(world, 1));
    world.happen({ case: "talkChanged", value: { participantId: 3, targetIds: [] } });
    expect(world.audio.at(-1)).toBe("nowhere");
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("floor");
    expect(talks(world)).toHaveLength(1);
  });

  it("that can't be sent says so, is heard by nobody, and comes back when it is let go", async () => {
    const world = new World();
    world.deaf = true;
    await world.inside();
    for (let i = 0; i < PENDING_MAX; i++) world.session.act({ kind: "checkIn" });
    world.session.talk.press([8]);
    expect(world.audio.at(-1)).toBe("nowhere");
    const { shown } = world.session.state.get().hints;
    expect(shown.at(-1)?.body).toMatchObject({ kind: "refused", act: "talkTo", reason: "tooMany" });
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("floor");
  });

  it("that can't be ended for now is ended when there is room, without a word", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    answer(world, await asked(world, 1));
    world.deaf = true;
    for (let i = 0; i < PENDING_MAX; i++) world.session.act({ kind: "checkIn" });
    world.session.talk.release();
    expect(own(world).phase).toBe("adrift");
    expect(world.session.state.get().hints.shown).toEqual([]);
    world.happen({ case: "operationDone", value: {} }, await world.operation("checkIn"));
    expect(own(world).phase).toBe("ending");
    expect(world.stay().pending.at(-1)?.act).toEqual({ kind: "talkTo", to: [] });
  });

  it("comes back to the floor after a refusal when it is let go, and says so", async () => {
    const world = await new World().inside();
    world.session.talk.press([77]);
    const value = { reason: OperationRefusal.INVALID, message: "" };
    world.happen({ case: "operationRefused", value }, await asked(world, 1));
    const end = await asked(world, 2);
    expect(end.body.value).toMatchObject({ participantIds: [] });
    expect(world.audio.at(-1)).toBe("nowhere");
    world.happen({ case: "operationDone", value: {} }, end);
    expect(world.audio.at(-1)).toBe("nowhere");
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("floor");
    const [hint] = world.session.state.get().hints.shown;
    expect(hint?.body).toMatchObject({ kind: "refused", act: "talkTo", reason: "invalid" });
  });

  it("that was asked for before a reload is ended, and never spoken into", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    const press = await asked(world, 1);
    world.session.pageGone();
    const again = await new World(guest, world.storage, world.key).inside();
    const end = await asked(again, 2);
    expect(again.audio.at(-1)).toBe("nowhere");
    answer(again, press);
    expect(end).toMatchObject({ clientSequence: 2n, body: { value: { participantIds: [] } } });
    answer(again, end);
    expect(again.audio).not.toContain("private");
    expect(again.audio.at(-1)).toBe("floor");
  });

  it("of before a reload that the registry knows already leaves nobody silenced", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    await asked(world, 1);
    world.session.pageGone();
    const again = await new World(guest, world.storage, world.key).inside();
    // The first has no event any more: the relay has closed the floor for it all the same.
    const end = await asked(again, 2);
    expect(own(again).phase).toBe("ending");
    again.happen({ case: "operationDone", value: {} }, end);
    expect(own(again).phase).toBe("floor");
    expect(again.audio.at(-1)).toBe("floor");
  });

  it("that was under way when the relay gives a roster for what was missed is ended", async () => {
    const world = await new World().inside();
    world.session.talk.press([8]);
    await asked(world, 1);
    world.forgetful = true;
    world.line.drop();
    await world.back(2);
    await vi.waitFor(() => expect(talks(world).length).toBeGreaterThan(2));
    await vi.waitFor(() => expect(world.stay().pending.every(({ signed }) => signed)).toBe(true));
    world.happen({ case: "operationDone", value: {} }, talks(world).at(-1));
    expect(own(world).phase).toBe("unheard");
    world.session.talk.release();
    expect(world.audio.at(-1)).toBe("floor");
  });

  it("of others shows who speaks to whom", async () => {
    const world = await new World().inside();
    world.happen({ case: "talkChanged", value: { participantId: 8, targetIds: [3, 9] } });
    expect([...world.stay().talks.incoming]).toEqual([[8, [3, 9]]]);
    expect(world.audio).toEqual(["connect"]);
  });
});
