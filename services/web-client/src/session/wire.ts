// From the relay's messages to the words of this client. Nothing else reads generated types of
// meetings and participants.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type * as credential from "../gen/tributary/credential/v1/credential_pb";
import type * as event from "../gen/tributary/event/v1/event_pb";
import { LeaveReason } from "../gen/tributary/event/v1/event_pb";
import type * as registry from "../gen/tributary/registry/v1/registry_pb";
import type * as terminal from "../gen/tributary/terminal/v1/terminal_pb";
import type { Change, NumberedChange, Participant, Snapshot } from "../meeting/roster";

export interface Identity {
  readonly token: string;
  readonly userId: string;
  readonly displayName: string;
  readonly guest: boolean;
  /** Unix time in ms. */
  readonly expiresAtMs: number;
}

export interface Meeting {
  readonly id: string;
  readonly subject: string;
  readonly organiserUserId: string;
}

export function identityOf(message: credential.Identity): Identity {
  return {
    token: message.identityToken,
    userId: message.userId,
    displayName: message.displayName,
    guest: message.guest,
    expiresAtMs: timeOf(message.expiresAt),
  };
}

export function meetingOf(message: registry.Meeting | undefined, meetingId: string): Meeting {
  return {
    id: message?.meetingId || meetingId,
    subject: message?.subject ?? "",
    organiserUserId: message?.organiserUserId ?? "",
  };
}

export function snapshotOf(message: terminal.Roster | undefined): Snapshot {
  return {
    participants: (message?.participants ?? []).map(participantOf),
    eventNumber: message?.eventNumber ?? 0n,
  };
}

export function numberedChangeOf(message: event.MeetingEvent): NumberedChange {
  return { number: message.number, change: changeOf(message.body) };
}

/** Unix time in ms; without a time, for ever. */
export function timeOf(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? Number.POSITIVE_INFINITY : timestampMs(timestamp);
}

function participantOf(message: event.Participant): Participant {
  return {
    id: message.participantId,
    userId: message.userId,
    displayName: message.displayName,
    guest: message.guest,
    relayId: message.relayId,
    relayName: message.relayName,
    muted: message.muted,
  };
}

function changeOf(body: event.MeetingEvent["body"]): Change {
  switch (body.case) {
    case "joined":
      if (body.value.participant === undefined) return { kind: "unknown" };
      return { kind: "joined", participant: participantOf(body.value.participant) };
    case "left":
      return {
        kind: "left",
        participantId: body.value.participantId,
        lost:
          body.value.reason === LeaveReason.TERMINAL_LOST ||
          body.value.reason === LeaveReason.RELAY_LOST,
      };
    case "muted":
      return {
        kind: "muted",
        participantId: body.value.participantId,
        muted: body.value.muted,
      };
    case "ended":
      return { kind: "ended" };
    case undefined:
      return { kind: "unknown" };
  }
}
