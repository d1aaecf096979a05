// What is written in a meeting, as a pure function of what was told and read: in the order of the
// event numbers, each once, and how much of it is new.

import type { NumberedChange } from "../meeting/events";

export interface ChatEntry {
  /** Number of its event. */
  readonly number: bigint;
  /** Unix time in ms by the registry's clock. */
  readonly atMs: number;
  readonly kind: "message" | "announcement";
  /** 0 for an announcement. */
  readonly fromId: number;
  /** The name at that time; empty for an announcement. */
  readonly fromName: string;
  readonly text: string;
  /** Empty: to everybody. */
  readonly toIds: readonly number[];
  readonly own: boolean;
}

export interface Chat {
  /** By number. */
  readonly entries: readonly ChatEntry[];
  /** Whether what was written before has been read; `more`: there is earlier still. */
  readonly history: "unread" | "reading" | "more" | "whole";
  /** Entries of others since the chat was last looked at. */
  readonly unread: number;
  /** Number of the last event that was there when the chat was last looked at. */
  readonly seen: bigint;
  /** The chat is being looked at. */
  readonly open: boolean;
}

export type ChatAction =
  | { kind: "told"; entry: ChatEntry }
  | { kind: "reading" }
  /** What was read before the first known entry, by number. */
  | { kind: "read"; entries: readonly ChatEntry[]; more: boolean }
  | { kind: "notRead" }
  | { kind: "opened"; open: boolean };

/** More entries than this are not held; the oldest give way, and can be read again. */
const ENTRIES_MAX = 1000;

/** `seen`: what was written up to this event was there before the terminal came. */
export function emptyChat(seen: bigint): Chat {
  return { entries: [], history: "unread", unread: 0, seen, open: false };
}

export function reduceChat(chat: Chat, action: ChatAction): Chat {
  switch (action.kind) {
    case "told":
      return counted(bounded(withEntries(chat, [action.entry])));
    case "reading":
      return { ...chat, history: "reading" };
    case "read": {
      const read = withEntries(chat, action.entries);
      return counted({ ...read, history: action.more ? "more" : "whole" });
    }
    case "notRead":
      return { ...chat, history: "unread" };
    case "opened":
      return counted({ ...chat, open: action.open });
  }
}

/** The entry that an event is, if it is one. */
export function entryOf(
  { number, atMs, change }: NumberedChange,
  selfId: number,
): ChatEntry | undefined {
  switch (change.kind) {
    case "chat": {
      const { fromId, fromName, text, toIds } = change;
      const own = fromId === selfId;
      return { number, atMs, kind: "message", fromId, fromName, text, toIds, own };
    }
    case "announcement": {
      const { text } = change;
      const nobody = { fromId: 0, fromName: "", toIds: [], own: false };
      return { number, atMs, kind: "announcement", text, ...nobody };
    }
    default:
      return undefined;
  }
}

function withEntries(chat: Chat, entries: readonly ChatEntry[]): Chat {
  const known = new Set(chat.entries.map(({ number }) => number));
  const added = entries.filter(({ number }) => !known.has(number));
  if (added.length === 0) return chat;
  const all = [...chat.entries, ...added].sort((a, b) => (a.number < b.number ? -1 : 1));
  return { ...chat, entries: all };
}

/** Of more than are held the oldest go; what was read back stays while one reads. */
function bounded(chat: Chat): Chat {
  if (chat.entries.length <= ENTRIES_MAX) return chat;
  return { ...chat, entries: chat.entries.slice(-ENTRIES_MAX), history: "more" };
}

function counted(chat: Chat): Chat {
  const last = chat.entries.at(-1)?.number ?? 0n;
  const seen = chat.open && last > chat.seen ? last : chat.seen;
  const unread = chat.entries.filter(({ number, own }) => !own && number > seen).length;
  return { ...chat, seen, unread };
}
