// Reads what was written in a meeting before, for whoever is in it.

import { entryOf } from "../chat/chat";
import type { ChatAction } from "../chat/chat";
import type { NumberedChange } from "../meeting/events";
import type { Connection } from "./connection";
import { outcomeOf } from "./refusal";
import { stayAt } from "./state";
import type { SessionAction, SessionState } from "./state";
import { numberedChangeOf } from "./wire-events";

/** So much is read at a time. */
const PAGE = 50;
/** A page with more characters than this may have been cut off. */
const LONG_PAGE = 10_000;

export interface Surroundings {
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  readonly dial: () => Promise<Connection>;
  /** What was read has the results of own operations. */
  readonly settle: (meetingId: string, events: readonly NumberedChange[]) => void;
}

export class ChatReader {
  constructor(private readonly around: Surroundings) {}

  /** The chat is looked at, or no longer. */
  open(meetingId: string, open: boolean): void {
    this.tell(meetingId, { kind: "opened", open });
    const unread = stayAt(this.around.state(), meetingId)?.chat.history === "unread";
    if (open && unread) void this.read(meetingId);
  }

  /** The newest page. */
  read(meetingId: string): Promise<void> {
    return this.readBefore(meetingId, 0n);
  }

  /** The page before what is known, if there is any. */
  async readEarlier(meetingId: string): Promise<void> {
    const chat = stayAt(this.around.state(), meetingId)?.chat;
    if (chat === undefined || chat.history === "reading" || chat.history === "whole") return;
    await this.readBefore(meetingId, chat.entries[0]?.number ?? 0n);
  }

  private async readBefore(meetingId: string, before: bigint): Promise<void> {
    const stay = stayAt(this.around.state(), meetingId);
    if (stay === undefined) return;
    this.tell(meetingId, { kind: "reading" });
    const answer = await outcomeOf(async () => {
      const connection = await this.around.dial();
      return connection.request("readChat", { meetingId, before, limit: PAGE });
    });
    if (!answer.ok) return this.tell(meetingId, { kind: "notRead" });
    const { messages } = answer.value;
    const events = messages.map(numberedChangeOf);
    const entries = events
      .map((event) => entryOf(event, stay.selfId))
      .filter((entry) => entry !== undefined);
    // An answer is bounded in bytes too: what is long comes in shorter pages.
    const length = entries.reduce((sum, { text }) => sum + text.length, 0);
    const more = messages.length >= PAGE || length > LONG_PAGE;
    this.tell(meetingId, { kind: "read", entries, more });
    this.around.settle(meetingId, events);
  }

  private tell(meetingId: string, action: ChatAction): void {
    this.around.dispatch({ kind: "stay", meetingId, action: { kind: "chat", action } });
  }
}
