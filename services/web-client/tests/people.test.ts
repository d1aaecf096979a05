import { describe, expect, it } from "vitest";
import { panelsFor } from "../src/meeting/panels";
import { NameBook } from "../src/members/names";
import { inOrder } from "../src/members/people";
import { NO_SEARCH, reduceSearch } from "../src/members/search";
import type { Search, SearchAction } from "../src/members/search";
import { NO_NOTICES, nextEndMs, reduceNotices, toShow } from "../src/notices/notices";
import type { Notice } from "../src/notices/notices";
import { PostponedMemory } from "../src/notices/postponed";
import { FakeStorage } from "./storage";

describe("search for people", () => {
  const users = ["Ada", "Grace"].map((name) => ({
    userId: name,
    userName: name.toLowerCase(),
    displayName: name,
  }));
  const after = (...actions: SearchAction[]): Search => actions.reduce(reduceSearch, NO_SEARCH);

  it("highlights the first that was found and moves in a circle", () => {
    const found = after({ kind: "typed", text: "a " }, { kind: "found", text: "a", users });
    expect(found).toMatchObject({ open: true, active: 0, status: "found" });
    expect(reduceSearch(found, { kind: "moved", by: -1 }).active).toBe(1);
    const down = reduceSearch(found, { kind: "moved", by: 1 });
    expect(reduceSearch(down, { kind: "moved", by: 1 }).active).toBe(0);
  });

  it("opens a closed list again before it moves", () => {
    const closed = after(
      { kind: "typed", text: "a" },
      { kind: "found", text: "a", users },
      { kind: "closed" },
    );
    expect(closed.open).toBe(false);
    expect(reduceSearch(closed, { kind: "moved", by: 1 })).toMatchObject({ open: true, active: 0 });
  });

  it("ignores answers to what is not typed any more, and clears with the text", () => {
    const typing = after({ kind: "typed", text: "a" }, { kind: "typed", text: "ab" });
    expect(reduceSearch(typing, { kind: "found", text: "a", users })).toBe(typing);
    expect(reduceSearch(typing, { kind: "failed", text: "a" })).toBe(typing);
    expect(reduceSearch(typing, { kind: "failed", text: "ab" }).status).toBe("failed");
    expect(reduceSearch(typing, { kind: "typed", text: " " })).toMatchObject({
      status: "idle",
      typed: " ",
      options: [],
    });
    expect(after({ kind: "moved", by: 1 })).toBe(NO_SEARCH);
  });
});

describe("members", () => {
  it("are listed by what they are, then by name", () => {
    const names: Record<string, string> = { a: "Zoe", b: "Ada", c: "Bob", d: "Carl" };
    const sorted = inOrder(
      [
        { userId: "a", role: "member" },
        { userId: "b", role: "member" },
        { userId: "c", role: "organiser" },
        { userId: "d", role: "host" },
      ],
      (id) => names[id] ?? id,
      "en",
    );
    expect(sorted.map(({ userId }) => userId)).toEqual(["c", "d", "b", "a"]);
  });

  it("get names as they are seen, and the next person does not know them", () => {
    const storage = new FakeStorage();
    const book = new NameBook(storage);
    book.learn([
      { userId: "a", displayName: "Ada" },
      { userId: "b", displayName: "" },
    ]);
    expect([...new NameBook(storage).names.get()]).toEqual([["a", "Ada"]]);
    const before = book.names.get();
    book.learn([{ userId: "a", displayName: "Ada" }]);
    expect(book.names.get()).toBe(before);
    book.learn(Array.from({ length: 1500 }, (_, i) => ({ userId: `u${i}`, displayName: "N" })));
    expect(book.names.get().size).toBe(1000);
    book.forget();
    expect(new NameBook(storage).names.get().size).toBe(0);
  });

  it("open what their role allows", () => {
    expect(panelsFor("organiser", false)).toEqual([
      "share",
      "members",
      "files",
      "attendance",
      "details",
    ]);
    expect(panelsFor("host", false)).toContain("members");
    expect(panelsFor("member", false)).toEqual(["files"]);
    expect(panelsFor(undefined, false)).toEqual(["files"]);
    expect(panelsFor("organiser", true)).toEqual(["files", "attendance"]);
  });
});

describe("notices", () => {
  const notice = (id: string, meetingId = id, expiresAtMs = 1000): Notice => ({
    id,
    meetingId,
    subject: "Plans",
    fromUserId: "u",
    fromName: "Ada",
    expiresAtMs,
    kind: { kind: "begins" },
  });
  const told = (...notices: Notice[]) =>
    notices.reduce((all, one) => reduceNotices(all, { kind: "told", notice: one }), NO_NOTICES);

  it("are told once, and not again after they were dismissed", () => {
    const twice = told(notice("a"), notice("a"));
    expect(twice.pending).toHaveLength(1);
    const dismissed = reduceNotices(twice, { kind: "dismissed", noticeId: "a" });
    expect(dismissed.pending).toHaveLength(0);
    expect(reduceNotices(dismissed, { kind: "told", notice: notice("a") })).toBe(dismissed);
    const kept = reduceNotices(dismissed, { kind: "kept", notices: [notice("a"), notice("b")] });
    expect(kept.pending.map(({ id }) => id)).toEqual(["b"]);
  });

  it("go when they mean nothing any more", () => {
    const both = told(notice("a", "a", 1000), notice("b", "b", 2000));
    expect(nextEndMs(both)).toBe(1000);
    const later = reduceNotices(both, { kind: "timePassed", nowMs: 1000 });
    expect(later.pending.map(({ id }) => id)).toEqual(["b"]);
    expect(reduceNotices(later, { kind: "timePassed", nowMs: 1500 })).toBe(later);
    expect(nextEndMs(NO_NOTICES)).toBe(Number.POSITIVE_INFINITY);
  });

  it("are shown newest first, one per meeting, none of the own meeting", () => {
    const all = told(notice("a", "1"), notice("b", "2"), notice("c", "1"), notice("d", "3"));
    expect(toShow(all, ["3"]).map(({ id }) => id)).toEqual(["c", "b"]);
    expect(toShow(all, ["3", "1"]).map(({ id }) => id)).toEqual(["b"]);
  });

  it("that were put off come again when their time has come, also after a reload", () => {
    const both = told(notice("a", "1", 9e9), notice("b", "2", 9e9));
    const untilMs = 300_000;
    const later = reduceNotices(both, { kind: "putOff", noticeId: "a", untilMs });
    expect(toShow(later, []).map(({ id }) => id)).toEqual(["b"]);
    expect(nextEndMs(later)).toBe(untilMs);
    const memory = new PostponedMemory(new FakeStorage());
    memory.save(later.putOff);
    const kept = { ...both, putOff: memory.load(untilMs - 1) };
    expect(toShow(kept, []).map(({ id }) => id)).toEqual(["b"]);
    const due = reduceNotices(kept, { kind: "timePassed", nowMs: untilMs });
    expect(toShow(due, []).map(({ id }) => id)).toEqual(["b", "a"]);
    expect(memory.load(untilMs).size).toBe(0);
  });

  it("are put off without those that were told since", () => {
    const first = reduceNotices(told(notice("a", "1")), {
      kind: "putOff",
      noticeId: "a",
      untilMs: 9e9,
    });
    const again = reduceNotices(first, { kind: "told", notice: notice("b", "1") });
    expect(toShow(again, []).map(({ id }) => id)).toEqual(["b"]);
  });

  it("are bounded", () => {
    const many = told(...Array.from({ length: 150 }, (_, i) => notice(`n${i}`)));
    expect(many.pending).toHaveLength(100);
    expect(many.pending.at(-1)?.id).toBe("n149");
  });
});
