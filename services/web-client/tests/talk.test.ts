import { describe, expect, it } from "vitest";
import {
  NO_TALKS,
  outletOf,
  reduceTalks,
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
    const ending = wished(talking, "b");
    expect(outletOf(ending)).toBe("nowhere");
    expect(outletOf(told(ending, talk(SELF), "b"))).toBe("floor");
  });

  it("is not heard by anybody when it was let go before the answer came", () => {
    let talks = wished(wished(NO_TALKS, "a", 8), "b");
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
    expect(outletOf(told(wished(talks, "b"), { kind: "done" }, "b"))).toBe("floor");
  });

  it("follows when the registry ends it or takes somebody out", () => {
    const talking = told(wished(NO_TALKS, "a", 8, 9), talk(SELF, 8, 9), "a");
    const fewer = told(talking, talk(SELF, 9));
    expect(fewer.own).toMatchObject({ phase: "private", targetIds: [9] });
    expect(outletOf(told(fewer, talk(SELF)))).toBe("floor");
  });

  it("is to be ended if it was refused: an earlier one may be in force", () => {
    const talking = told(wished(NO_TALKS, "a", 8), talk(SELF, 8), "a");
    const adrift = told(wished(talking, "b", 9), refused, "b");
    expect(adrift.own.phase).toBe("adrift");
    expect(outletOf(adrift)).toBe("nowhere");
    expect(outletOf(told(wished(adrift, "c"), refused, "c"))).toBe("floor");
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

  it("does not leave the floor when nothing can be sent", () => {
    const hands = new Hands();
    hands.possible = false;
    hands.whisper.press([8]);
    expect(outletOf(hands.talks)).toBe("floor");
  });
});
