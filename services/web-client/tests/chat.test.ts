import { describe, expect, it } from "vitest";
import { emptyChat, entryOf, reduceChat } from "../src/chat/chat";
import type { Chat, ChatAction, ChatEntry } from "../src/chat/chat";
import { event } from "./meetings";

const entry = (number: number, own = false): ChatEntry => ({
  number: BigInt(number),
  atMs: number,
  kind: "message",
  fromId: own ? 3 : 8,
  fromName: "x",
  text: `${number}`,
  toIds: [],
  own,
});
const follow = (chat: Chat, ...actions: ChatAction[]) => actions.reduce(reduceChat, chat);
const told = (number: number, own = false): ChatAction => ({
  kind: "told",
  entry: entry(number, own),
});
const read = (more: boolean, ...numbers: number[]): ChatAction => ({
  kind: "read",
  entries: numbers.map((number) => entry(number)),
  more,
});
const texts = (chat: Chat) => chat.entries.map(({ text }) => text);

describe("chat", () => {
  it("is in the order of its numbers, each entry once, however it became known", () => {
    const chat = follow(emptyChat(10n), told(11), told(13), read(false, 5, 9, 11, 13), told(14));
    expect(texts(chat)).toEqual(["5", "9", "11", "13", "14"]);
  });

  it("counts what others wrote since it was last looked at", () => {
    let chat = follow(emptyChat(10n), told(11), told(12, true), told(13));
    expect(chat.unread).toBe(2);
    chat = follow(chat, { kind: "opened", open: true });
    expect(chat.unread).toBe(0);
    chat = follow(chat, told(14));
    expect(chat.unread).toBe(0);
    chat = follow(chat, { kind: "opened", open: false }, told(15));
    expect(chat.unread).toBe(1);
  });

  it("does not count as new what was written before one came", () => {
    const chat = follow(emptyChat(10n), { kind: "reading" }, read(true, 8, 9, 10));
    expect(chat).toMatchObject({ unread: 0, history: "more" });
    expect(follow(chat, { kind: "reading" }, read(false, 1)).history).toBe("whole");
  });

  it("can be read again when reading failed", () => {
    const chat = follow(emptyChat(0n), { kind: "reading" }, { kind: "notRead" });
    expect(chat.history).toBe("unread");
  });

  it("is bounded, and what gave way can be read again", () => {
    let chat = follow(emptyChat(0n), read(false));
    for (let number = 1; number <= 1005; number++) chat = follow(chat, told(number));
    expect(chat.entries).toHaveLength(1000);
    expect(texts(chat)[0]).toBe("6");
    expect(chat.history).toBe("more");
  });

  it("has what people and the platform say", () => {
    const said = { kind: "chat", fromId: 3, fromName: "Ada", text: "hi", toIds: [8] } as const;
    expect(entryOf(event(11n, said), 3)).toMatchObject({
      kind: "message",
      own: true,
      toIds: [8],
      atMs: 1_000_011,
    });
    const announced = entryOf(event(12n, { kind: "announcement", text: "Five minutes" }), 3);
    expect(announced).toMatchObject({ kind: "announcement", text: "Five minutes", own: false });
    expect(entryOf(event(13n, { kind: "done" }), 3)).toBeUndefined();
  });
});
