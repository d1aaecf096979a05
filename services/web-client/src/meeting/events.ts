// What happens in a meeting, in the words of this client.

import type { ActRefusal } from "../operations/act";
import type { OfflineReason, Participant, Presence } from "./participant";

export type LeaveReason = "left" | "lost" | "ended" | "removed" | "notAdmitted";

export type Change =
  /** Also who comes into the lobby, and who is let in from there. */
  | { kind: "joined"; participant: Participant }
  | { kind: "left"; participantId: number; reason: LeaveReason }
  /** `byId` is the host who did it; undefined: the participant. */
  | { kind: "muted"; participantId: number; muted: boolean; byId: number | undefined }
  | {
      kind: "presence";
      participantId: number;
      presence: Presence;
      reason: OfflineReason | undefined;
      /** Its relay can't be reached. */
      unreachable: boolean;
    }
  | { kind: "hand"; participantId: number; raised: boolean; byId: number | undefined }
  | { kind: "checkedIn"; participantId: number }
  | { kind: "chat"; fromId: number; fromName: string; text: string; toIds: readonly number[] }
  /** The platform says something. */
  | { kind: "announcement"; text: string }
  /** Somebody talks to these only; empty: to everybody again. */
  | { kind: "talk"; participantId: number; targetIds: readonly number[] }
  | { kind: "askedToUnmute"; participantId: number; byId: number }
  | { kind: "locked"; locked: boolean }
  | { kind: "host"; participantId: number; host: boolean }
  | { kind: "spotlight"; participantId: number | undefined }
  | { kind: "named"; participantId: number; displayName: string }
  /** The operation that caused this was not applied. */
  | { kind: "refused"; reason: ActRefusal }
  /** The operation that caused this has changed nothing. */
  | { kind: "done" }
  | { kind: "ended" }
  /** Subject, time or the like was changed; this is the subject now. */
  | { kind: "renamed"; subject: string }
  /** Members or attachments were changed: to be read again. */
  | { kind: "detailsChanged" }
  /** Something that this client does not know; it only moves the cursor. */
  | { kind: "unknown" };

/** The operation that caused an event. */
export interface Cause {
  readonly participantId: number;
  readonly operationId: string;
}

export interface NumberedChange {
  readonly number: bigint;
  /** Unix time in ms by the registry's clock. */
  readonly atMs: number;
  readonly cause: Cause | undefined;
  readonly change: Change;
}
