// What somebody does in a meeting, in the words of this client.

import type { OfflineReason } from "../meeting/participant";

export type Act =
  | { kind: "setMuted"; muted: boolean }
  | { kind: "setHand"; raised: boolean }
  | { kind: "checkIn" }
  /** To participants; empty: to everybody. */
  | { kind: "sendChat"; text: string; to: readonly number[] }
  | {
      kind: "setPresence";
      presence: "online" | "away" | "offline";
      reason?: OfflineReason | undefined;
    }
  /** To participants; empty: to everybody again. */
  | { kind: "talkTo"; to: readonly number[] }
  | { kind: "setName"; displayName: string }
  | HostAct;

/** What only hosts may do. */
export type HostAct =
  | { kind: "muteParticipant"; participantId: number }
  | { kind: "askToUnmute"; participantId: number }
  | { kind: "removeParticipant"; participantId: number }
  | { kind: "setLocked"; locked: boolean }
  | { kind: "answerLobby"; participantId: number; admitted: boolean }
  | { kind: "setHost"; participantId: number; host: boolean }
  /** Undefined: nobody. */
  | { kind: "setSpotlight"; participantId: number | undefined }
  /** Undefined: everybody's. */
  | { kind: "lowerHand"; participantId: number | undefined }
  | { kind: "end" };

export type ActKind = Act["kind"];

/** Why the meeting did not apply an act. */
export type ActRefusal =
  | "unspecified"
  | "invalid"
  | "unsupported"
  | "notHost"
  | "expired"
  | "overtaken"
  | "sessionOver"
  | "notIn"
  | "meetingEnded"
  | "idReused"
  | "notPossible"
  /** Too many are under way already. */
  | "tooMany"
  /** The relay did not take it. */
  | "notTaken";

/** Characters of a chat message. */
export const CHAT_MAX = 4000;
/** Participants that a message or a private talk can be for. */
export const TARGETS_MAX = 32;
/** Characters of a name. */
export const NAME_MAX = 64;
