// What is known of one meeting while the terminal is in it, as a pure function of what the relay has
// said and what was done here.

import type { ChatAction, Chat } from "../chat/chat";
import { emptyChat, entryOf, reduceChat } from "../chat/chat";
import type { NumberedChange } from "../meeting/events";
import type { Participant } from "../meeting/participant";
import { EMPTY_ROSTER, rosterOf, withEvent, withSpeakers } from "../meeting/roster";
import type { Roster, Snapshot } from "../meeting/roster";
import type { Pending } from "../operations/outbox";
import type { TalkAction, Talks } from "../talk/talk";
import { NO_TALKS, reduceTalks, talksOf, withTalkDropped, withTalkEvent } from "../talk/talk";
import type { Meeting } from "./wire";

export interface Stay {
  readonly meeting: Meeting;
  readonly selfId: number;
  /** Number of the last event that this terminal has; numbers may have holes. */
  readonly cursor: bigint;
  readonly roster: Roster;
  readonly chat: Chat;
  readonly talks: Talks;
  /** What was done here and has no result yet, in order. */
  readonly pending: readonly Pending[];
}

export type StayAction =
  | { kind: "snapshot"; snapshot: Snapshot }
  | { kind: "event"; event: NumberedChange }
  | { kind: "speakers"; ids: readonly number[] }
  | { kind: "chat"; action: ChatAction }
  | { kind: "talk"; action: TalkAction }
  | { kind: "pending"; pending: readonly Pending[] }
  /** The relay has not taken the operation. */
  | { kind: "dropped"; operationId: string };

export function beginStay(
  meeting: Meeting,
  selfId: number,
  snapshot: Snapshot,
  pending: readonly Pending[],
): Stay {
  return {
    meeting,
    selfId,
    cursor: snapshot.eventNumber,
    roster: rosterOf(EMPTY_ROSTER, snapshot),
    chat: emptyChat(snapshot.eventNumber),
    talks: talksOf(NO_TALKS, snapshot.talks, selfId),
    pending,
  };
}

export function reduceStay(stay: Stay, action: StayAction): Stay {
  switch (action.kind) {
    case "snapshot": {
      // Events up to it may still come: what they wrote is not in it.
      const roster = rosterOf(stay.roster, action.snapshot);
      const talks = talksOf(stay.talks, action.snapshot.talks, stay.selfId);
      return { ...stay, roster, talks };
    }
    case "event":
      return action.event.number <= stay.cursor ? stay : withStayEvent(stay, action.event);
    case "speakers":
      return { ...stay, roster: withSpeakers(stay.roster, action.ids) };
    case "chat":
      return { ...stay, chat: reduceChat(stay.chat, action.action) };
    case "talk":
      return { ...stay, talks: reduceTalks(stay.talks, action.action) };
    case "pending":
      return { ...stay, pending: action.pending };
    case "dropped":
      return { ...stay, talks: withTalkDropped(stay.talks, action.operationId) };
  }
}

/** This terminal's own entry in the roster; undefined while the meeting thinks it gone. */
export function selfIn({ roster, selfId }: Stay): Participant | undefined {
  return roster.participants.get(selfId);
}

function withStayEvent(stay: Stay, event: NumberedChange): Stay {
  const entry = entryOf(event, stay.selfId);
  const { change } = event;
  const subject = change.kind === "renamed" ? change.subject : stay.meeting.subject;
  return {
    ...stay,
    meeting: subject === stay.meeting.subject ? stay.meeting : { ...stay.meeting, subject },
    cursor: event.number,
    roster: withEvent(stay.roster, event),
    chat: entry === undefined ? stay.chat : reduceChat(stay.chat, { kind: "told", entry }),
    talks: withTalkEvent(stay.talks, event, stay.selfId),
  };
}
