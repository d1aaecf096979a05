import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { en } from "../src/i18n/en";
import { BATCH_MAX, NameFinder } from "../src/members/finder";
import { NameBook } from "../src/members/names";
import type { FoundUser, Member } from "../src/members/people";
import type { FailureReason, Outcome } from "../src/session/refusal";
import { membersText } from "../src/start/PreJoinScreen";

/** An organisation where everybody has a name but those whose id begins with `x`. */
class Office {
  readonly book = new NameBook(undefined);
  readonly asked: string[][] = [];
  failNext: FailureReason[] = [];
  private asker: string | undefined = "ada";
  private changed = () => {};
  readonly finder = new NameFinder(this.book, {
    asker: () => this.asker,
    subscribe: (listener) => (this.changed = listener),
    find: (userIds) => this.find(userIds),
  });

  logIn(asker: string | undefined): void {
    this.asker = asker;
    this.book.forget();
    this.changed();
  }

  name(userId: string): string | undefined {
    return this.book.names.get().get(userId);
  }

  private async find(userIds: readonly string[]): Promise<Outcome<readonly FoundUser[]>> {
    this.asked.push([...userIds]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const reason = this.failNext.shift();
    if (reason !== undefined) return { ok: false, reason };
    const known = userIds.filter((userId) => !userId.startsWith("x"));
    const value = known.map((userId) => ({ userId, userName: userId, displayName: `N ${userId}` }));
    return { ok: true, value };
  }
}

describe("names of users never seen", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const settle = () => vi.advanceTimersByTimeAsync(1000);

  it("are asked for together and once, whether somebody is known or not", async () => {
    const office = new Office();
    office.book.learn([{ userId: "seen", displayName: "Seen" }]);
    office.finder.want(["a", "x1", "seen"]);
    office.finder.want(["b", "a", "", "not an id"]);
    await settle();
    expect(office.asked).toEqual([["a", "x1", "b"]]);
    expect([office.name("a"), office.name("b"), office.name("x1")]).toEqual([
      "N a",
      "N b",
      undefined,
    ]);
    office.finder.want(["a", "b", "x1", "seen"]);
    await settle();
    expect(office.asked).toHaveLength(1);
  });

  it("come in batches, one after the other", async () => {
    const office = new Office();
    const all = Array.from({ length: 2 * BATCH_MAX + 1 }, (_, i) => `u${i}`);
    office.finder.want(all);
    await vi.advanceTimersByTimeAsync(60);
    expect(office.asked).toHaveLength(1);
    await settle();
    expect(office.asked.map(({ length }) => length)).toEqual([BATCH_MAX, BATCH_MAX, 1]);
    expect(all.every((userId) => office.name(userId) !== undefined)).toBe(true);
  });

  it("are asked for again after a failure that passes, and only then", async () => {
    const office = new Office();
    office.failNext = ["unreachable", "tryAgain"];
    office.finder.want(["a"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(office.name("a")).toBe("N a");
    expect(office.asked).toHaveLength(3);
    office.failNext = ["unsupported"];
    office.finder.want(["b"]);
    await vi.advanceTimersByTimeAsync(100_000);
    office.finder.want(["b"]);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(office.asked).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are not asked for by guests, and what one person was told is not the next one's", async () => {
    const office = new Office();
    office.logIn(undefined);
    office.finder.want(["a"]);
    await settle();
    expect(office.asked).toHaveLength(0);
    office.logIn("ada");
    office.finder.want(["a", "x1"]);
    await vi.advanceTimersByTimeAsync(30);
    expect(office.asked).toHaveLength(1);
    office.logIn("grace");
    await settle();
    expect(office.name("a")).toBeUndefined();
    office.finder.want(["a", "x1"]);
    await settle();
    expect(office.asked).toEqual([
      ["a", "x1"],
      ["a", "x1"],
    ]);
    expect(office.name("a")).toBe("N a");
  });

  it("are told before a meeting if its members are few and all known", () => {
    const names: Record<string, string> = { a: "Zoe", b: "Ada", c: "Bob" };
    const text = (ids: string) => {
      const members = [...ids].map((userId, i): Member => ({
        userId,
        role: i === 0 ? "organiser" : "member",
      }));
      return membersText(en, members, (id) => names[id] ?? id, "en");
    };
    expect(text("")).toBe("");
    expect(text("a")).toBe("1 member");
    expect(text("acb")).toBe("Members: Zoe, Ada, and Bob");
    expect(text("ax")).toBe("2 members");
    expect(text("abcab")).toBe("5 members");
  });
});
