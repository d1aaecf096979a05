import { beforeEach, describe, expect, it, vi } from "vitest";
import { OperationRefusal } from "../src/gen/tributary/event/v1/event_pb";
import type { Operation } from "../src/gen/tributary/operation/v1/operation_pb";
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

  it("ends with the connection, latched or not, and the floor is back when that is known", async () => {
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
    expect(world.audio.at(-1)).toBe("floor");
  });

  it("comes back to the floor after a refusal, and says so", async () => {
    const world = await new World().inside();
    world.session.talk.press([77]);
    const value = { reason: OperationRefusal.INVALID, message: "" };
    world.happen({ case: "operationRefused", value }, await asked(world, 1));
    const end = await asked(world, 2);
    expect(end.body.value).toMatchObject({ participantIds: [] });
    expect(world.audio.at(-1)).toBe("nowhere");
    world.happen({ case: "operationDone", value: {} }, end);
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
    await vi.waitFor(() => expect(talks(again)).toHaveLength(1));
    answer(again, press);
    const end = await asked(again, 2);
    expect(end).toMatchObject({ clientSequence: 2n, body: { value: { participantIds: [] } } });
    answer(again, end);
    expect(again.audio).not.toContain("private");
    expect(again.audio.at(-1)).toBe("floor");
  });

  it("of others shows who speaks to whom", async () => {
    const world = await new World().inside();
    world.happen({ case: "talkChanged", value: { participantId: 8, targetIds: [3, 9] } });
    expect([...world.stay().talks.incoming]).toEqual([[8, [3, 9]]]);
    expect(world.audio).toEqual(["connect"]);
  });
});
