import { describe, expect, it } from "vitest";
import {
  NO_TALKS,
  isForSome,
  isUnheard,
  outletOf,
  reduceTalks,
  talksAnew,
  talksOf,
  withTalkDropped,
  withTalkEvent,
} from "../src/talk/talk";
import type { Talks } from "../src/talk/talk";
import { Whisper } from "../src/talk/whisper";
import { event } from "./meetings";

const SELF = 3;
let number = 100n;
const wished = (talks: Talks, operationId: string, ...targetIds: number[]) =>
  reduceTalks(talks, { kind: "wished", targetIds, latched: false, operationId });
const ending = (talks: Talks, operationId: string) =>
  reduceTalks(talks, { kind: "ending", operationId });
const letGo = (talks: Talks) => reduceTalks(talks, { kind: "letGo" });
const end = (talks: Talks, operationId: string) => ending(letGo(talks), operationId);
const talk = (participantId: number, ...targetIds: number[]) =>
  ({ kind: "talk", participantId, targetIds }) as const;
const told = (talks: Talks, change: Parameters<typeof event>[1], operationId?: string) =>
  withTalkEvent(talks, event(number++, change, operationId), SELF);
const refused = { kind: "refused", reason: "notPossible" } as const;

describe("private talk", () => {
  it("leaves the floor at once, and is heard only when the meeting has answered", () => {
    expect(outletOf(NO_TALKS)).toBe("floor");
    const asking = wished(NO_TALKS, "a", 8);
    expect(outletOf(asking)).toBe("nowhere");
    expect(outletOf(told(asking, talk(SELF, 8), "another"))).toBe("nowhere");
    expect(outletOf(told(asking, talk(SELF, 8)))).toBe("nowhere");
    const talking = told(asking, talk(SELF, 8), "a");
    expect(outletOf(talking)).toBe("private");
    expect(outletOf(letGo(talking))).toBe("nowhere");
    const back = end(talking, "b");
    expect(outletOf(back)).toBe("nowhere");
    expect(outletOf(told(back, talk(SELF), "b"))).toBe("floor");
  });

  it("is not heard by anybody when it was let go before the answer came", () => {
    let talks = end(wished(NO_TALKS, "a", 8), "b");
    talks = told(talks, talk(SELF, 8), "a");
    expect(outletOf(talks)).toBe("nowhere");
    expect(outletOf(told(talks, talk(SELF), "b"))).toBe("floor");
  });

  it("goes nowhere while its targets change", () => {
    let talks = told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a");
    talks = wished(talks, "b", 8, 9);
    expect(outletOf(talks)).toBe("nowhere");
    talks = told(talks, talk(SELF, 8, 9), "b");
    expect(talks.own.targetIds).toEqual([8, 9]);
    expect(outletOf(talks)).toBe("private");
  });

  it("is in force as asked for when that has changed nothing", () => {
    const talks = told(wished(NO_TALKS, "a", 8), { kind: "done" }, "a");
    expect(talks.own).toMatchObject({ phase: "private", targetIds: [8] });
    expect(outletOf(told(end(talks, "b"), { kind: "done" }, "b"))).toBe("floor");
  });

  it("follows when the registry ends it or takes somebody out", () => {
    const talking = told(wished(NO_TALKS, "a", 8, 9), talk(SELF, 8, 9), "a");
    const fewer = told(talking, talk(SELF, 9));
    expect(fewer.own).toMatchObject({ phase: "private", targetIds: [9] });
    expect(told(fewer, talk(SELF)).own.phase).toBe("unheard");
  });

  it("that ends by itself does not put anybody on the floor who has not let go", () => {
    const talking = told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a");
    const latched = reduceTalks(talking, { kind: "latched" });
    for (const held of [talking, latched]) {
      for (const over of [
        told(held, talk(SELF)),
        told(ending(held, "b"), talk(SELF), "b"),
        told(ending(held, "b"), { kind: "done" }, "b"),
        told(ending(held, "b"), refused, "b"),
        withTalkDropped(ending(held, "b"), "b"),
        talksOf(held, [], SELF),
        talksAnew(held),
        told(ending(told(wished(NO_TALKS, "a", 8), refused, "a"), "b"), { kind: "done" }, "b"),
      ]) {
        expect(over.own).toMatchObject({ phase: "unheard", begun: true });
        expect(outletOf(over)).toBe("nowhere");
        expect(outletOf(letGo(over))).toBe("floor");
        expect(letGo(over)).toEqual(NO_TALKS);
      }
    }
  });

  it("is what a key is for while somebody is chosen, there or not, and while it is not let go", () => {
    expect(isForSome([], NO_TALKS.own)).toBe(false);
    expect(isForSome([8], NO_TALKS.own)).toBe(true);
    const over = told(told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a"), talk(SELF));
    expect(isForSome([], over.own)).toBe(true);
    expect(isForSome([], end(over, "b").own)).toBe(false);
  });

  it("is heard by nobody when all have left whom it is for, or when it has ended", () => {
    const asking = wished(NO_TALKS, "a", 8, 9);
    const talking = told(asking, talk(SELF, 8, 9), "a");
    expect(isUnheard(asking.own, new Set())).toBe(false);
    expect(isUnheard(talking.own, new Set([9]))).toBe(false);
    expect(isUnheard(talking.own, new Set([7]))).toBe(true);
    expect(isUnheard(told(talking, talk(SELF)).own, new Set([8]))).toBe(true);
    expect(isUnheard(letGo(told(talking, talk(SELF))).own, new Set())).toBe(false);
  });

  it("can be begun again by who is unheard", () => {
    const over = told(told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a"), talk(SELF));
    expect(outletOf(told(wished(over, "b", 9), talk(SELF, 9), "b"))).toBe("private");
    expect(told(over, talk(SELF, 9)).own.phase).toBe("adrift");
  });

  it("is back on the floor when it was let go while it ended by itself", () => {
    const talking = told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a");
    const talks = letGo(ending(talking, "b"));
    expect(outletOf(talks)).toBe("nowhere");
    expect(outletOf(told(talks, talk(SELF), "b"))).toBe("floor");
  });

  it("is to be ended if it was refused: an earlier one may be in force", () => {
    const talking = told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a");
    const adrift = told(wished(talking, "b", 9), refused, "b");
    expect(adrift.own.phase).toBe("adrift");
    expect(outletOf(adrift)).toBe("nowhere");
    expect(outletOf(told(end(adrift, "c"), refused, "c"))).toBe("floor");
    expect(withTalkDropped(wished(NO_TALKS, "d", 8), "d").own.phase).toBe("adrift");
    const asking = wished(NO_TALKS, "d", 8);
    expect(withTalkDropped(asking, "e")).toBe(asking);
  });

  it("of before a reload is not gone on with", () => {
    const talks = talksOf(NO_TALKS, [talk(SELF, 8), talk(8, SELF)], SELF);
    expect(talks.own).toMatchObject({ phase: "adrift", targetIds: [8] });
    expect([...talks.incoming]).toEqual([[8, [SELF]]]);
    expect(told(NO_TALKS, talk(SELF, 8)).own.phase).toBe("adrift");
  });

  it("of others is known to whom it is for, until it ends or they leave", () => {
    let talks = told(NO_TALKS, talk(8, SELF, 9));
    talks = told(talks, talk(9, SELF));
    expect([...talks.incoming.keys()]).toEqual([8, 9]);
    talks = told(talks, talk(8, 9));
    talks = told(talks, { kind: "left", participantId: 9, reason: "lost" });
    expect(talks.incoming.size).toBe(0);
  });
});

class Hands {
  talks = NO_TALKS;
  readonly sent: (readonly number[])[] = [];
  possible = true;
  readonly whisper = new Whisper({
    own: () => this.talks.own,
    talkTo: (ids) => (this.possible ? `${this.sent.push(ids)}` : undefined),
    dispatch: (action) => (this.talks = reduceTalks(this.talks, action)),
  });

  answered(): void {
    const ids = this.sent.at(-1) ?? [];
    this.talks = told(this.talks, talk(SELF, ...ids), `${this.sent.length}`);
  }
}

describe("whispering", () => {
  it("lasts as long as it is held", () => {
    const hands = new Hands();
    hands.whisper.press([8]);
    hands.whisper.press([8]);
    expect(hands.sent).toEqual([[8]]);
    hands.answered();
    hands.whisper.press([8]);
    hands.whisper.release();
    hands.whisper.release();
    expect(hands.sent).toEqual([[8], []]);
  });

  it("goes on without being held when it is latched, until it is stopped", () => {
    const hands = new Hands();
    hands.whisper.press([8]);
    hands.whisper.latch();
    hands.whisper.release();
    expect(hands.sent).toEqual([[8]]);
    expect(hands.talks.own.latched).toBe(true);
    hands.whisper.latch([8, 9]);
    expect(hands.sent).toEqual([[8], [8, 9]]);
    hands.whisper.stop();
    expect(hands.sent.at(-1)).toEqual([]);
  });

  it("needs somebody to talk to, each once", () => {
    const hands = new Hands();
    hands.whisper.press([]);
    hands.whisper.latch();
    expect(hands.sent).toEqual([]);
    hands.whisper.latch([8, 8]);
    expect(hands.sent).toEqual([[8]]);
  });

  it("is heard by nobody when nothing can be sent or nobody is there, until it is let go", () => {
    for (const ids of [[8], []]) {
      const hands = new Hands();
      hands.possible = ids.length === 0;
      hands.whisper.press(ids);
      expect(outletOf(hands.talks)).toBe("nowhere");
      hands.whisper.release();
      expect(outletOf(hands.talks)).toBe("floor");
      hands.whisper.latch(ids);
      hands.whisper.release();
      expect(outletOf(hands.talks)).toBe("nowhere");
      hands.whisper.stop();
      expect(outletOf(hands.talks)).toBe("floor");
      expect(hands.sent).toEqual([]);
    }
  });

  it("ends as soon as that can be sent, and is heard by nobody until then", () => {
    const hands = new Hands();
    hands.whisper.press([8]);
    hands.answered();
    hands.possible = false;
    hands.whisper.press([9]);
    expect(outletOf(hands.talks)).toBe("nowhere");
    hands.whisper.release();
    expect(hands.talks.own.phase).toBe("adrift");
    hands.possible = true;
    hands.whisper.end();
    expect(hands.sent).toEqual([[8], []]);
    hands.answered();
    expect(outletOf(hands.talks)).toBe("floor");
  });

  it("that was ended for the person goes on unheard until the person lets go", () => {
    const hands = new Hands();
    hands.whisper.press([8]);
    hands.answered();
    hands.whisper.end();
    hands.answered();
    expect(outletOf(hands.talks)).toBe("nowhere");
    hands.whisper.release();
    expect(outletOf(hands.talks)).toBe("floor");
    expect(hands.sent).toEqual([[8], []]);
  });
});
