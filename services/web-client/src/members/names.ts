// Names of users, by id. Member lists carry ids alone; names come from whoever was found or asked for,
// seen in a meeting, or told about in a notice, and are kept for the tab.

import { Store } from "../app/store";
import type { Notice } from "../notices/notices";
import { stayAt, stays } from "../session/state";
import type { SessionState } from "../session/state";
import type { Meeting } from "../session/wire";

const KEY = "tributary.names";
/** So many are remembered; those not seen for longest are forgotten first. */
const NAMES_MAX = 1000;

export type Names = ReadonlyMap<string, string>;

export class NameBook {
  readonly names: Store<Names>;

  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | undefined) {
    this.names = new Store<Names>(new Map(parse(this.read())));
  }

  /** Takes names in; empty ones say nothing. */
  learn(known: Iterable<{ userId: string; displayName: string }>): void {
    const before = this.names.get();
    const news = [...known].filter(
      ({ userId, displayName }) => displayName !== "" && before.get(userId) !== displayName,
    );
    if (news.length === 0) return;
    const names = new Map(before);
    for (const { userId, displayName } of news) {
      names.delete(userId);
      names.set(userId, displayName);
    }
    for (const oldest of names.keys()) {
      if (names.size <= NAMES_MAX) break;
      names.delete(oldest);
    }
    this.names.set(names);
    this.write();
  }

  /** When somebody logs out, whom they knew is theirs. */
  forget(): void {
    this.names.set(new Map());
    this.write();
  }

  private write(): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify([...this.names.get()]));
    } catch {
      // Full or forbidden: then ids are shown after a reload.
    }
  }

  private read(): string | null {
    try {
      return this.storage?.getItem(KEY) ?? null;
    } catch {
      return null;
    }
  }
}

function parse(text: string | null): [string, string][] {
  try {
    const stored: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(stored) ? stored.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(entry: unknown): entry is [string, string] {
  return Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "string";
}

/** Learns from whatever the session gets to know; what one person knew is not the next one's. */
export function followNames(state: Store<SessionState>, names: NameBook): void {
  let last = state.get();
  const follow = () => {
    const now = state.get();
    const { identity, reading, notices } = now;
    if (last.identity !== undefined && last.identity.userId !== identity?.userId) names.forget();
    if (identity !== last.identity && identity !== undefined) names.learn([identity]);
    for (const stay of stays(now)) {
      const before = stayAt(last, stay.meeting.id);
      if (before?.meeting !== stay.meeting) names.learn([organiserOf(stay.meeting)]);
      const { participants } = stay.roster;
      if (before?.roster.participants !== participants) names.learn(participants.values());
    }
    if (reading !== last.reading && reading?.details !== undefined) {
      names.learn([organiserOf(reading.details.meeting), ...reading.details.participants]);
    }
    if (notices !== last.notices) names.learn(notices.pending.map(senderOf));
    last = now;
  };
  if (last.identity !== undefined) names.learn([last.identity]);
  state.subscribe(follow);
}

function organiserOf(meeting: Meeting) {
  return { userId: meeting.organiserUserId, displayName: meeting.organiserName };
}

function senderOf(notice: Notice) {
  return { userId: notice.fromUserId, displayName: notice.fromName };
}
