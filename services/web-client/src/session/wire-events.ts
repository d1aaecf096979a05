// From the relay's messages to the words of this client: who is in a meeting and what happens there.

import type * as event from "../gen/tributary/event/v1/event_pb";
import {
  LeaveReason as WireLeave,
  Presence as WirePresence,
} from "../gen/tributary/event/v1/event_pb";
import { OperationRefusal } from "../gen/tributary/event/v1/event_pb";
import { OfflineReason as WireOffline } from "../gen/tributary/operation/v1/operation_pb";
import type * as terminal from "../gen/tributary/terminal/v1/terminal_pb";
import type { Cause, Change, LeaveReason, NumberedChange } from "../meeting/events";
import type { OfflineReason, Participant, Presence } from "../meeting/participant";
import type { Snapshot } from "../meeting/roster";
import type { ActRefusal } from "../operations/act";
import { optionalTimeOf } from "./wire";

export function snapshotOf(message: terminal.Roster): Snapshot {
  return {
    participants: message.participants.map(participantOf),
    eventNumber: message.eventNumber,
    locked: message.state?.locked ?? false,
    spotlightId: idOf(message.state?.spotlightParticipantId ?? 0),
    talks: message.talks.map(({ participantId, targetIds }) => ({ participantId, targetIds })),
  };
}

export function numberedChangeOf(message: event.MeetingEvent): NumberedChange {
  return {
    number: message.number,
    atMs: optionalTimeOf(message.at) ?? 0,
    cause: causeOf(message.cause),
    change: changeOf(message.body),
  };
}

export function participantOf(message: event.Participant): Participant {
  return {
    id: message.participantId,
    userId: message.userId,
    displayName: message.displayName,
    guest: message.guest,
    relayId: message.relayId,
    relayName: message.relayName,
    relayDepth: message.relayDepth,
    relayPath: message.relayPath,
    relayItself: message.relayItself,
    unreachable: message.unreachable,
    muted: message.muted,
    presence: presenceOf(message.presence),
    offlineReason: offlineReasonOf(message.offlineReason),
    handRaised: message.handRaised,
    checkedInAtMs: optionalTimeOf(message.checkedInAt),
    host: message.host,
    waiting: message.presence === WirePresence.WAITING,
  };
}

function causeOf(cause: event.Cause | undefined): Cause | undefined {
  if (cause === undefined) return undefined;
  return { participantId: cause.participantId, operationId: cause.operationId };
}

function changeOf(body: event.MeetingEvent["body"]): Change {
  switch (body.case) {
    case "joined":
      if (body.value.participant === undefined) return { kind: "unknown" };
      return { kind: "joined", participant: participantOf(body.value.participant) };
    case "left": {
      const { participantId, reason } = body.value;
      return { kind: "left", participantId, reason: leaveReasonOf(reason) };
    }
    case "muted": {
      const { participantId, muted, byParticipantId } = body.value;
      return { kind: "muted", participantId, muted, byId: idOf(byParticipantId) };
    }
    case "presenceChanged": {
      const { participantId, presence, reason, unreachable } = body.value;
      return {
        kind: "presence",
        participantId,
        presence: presenceOf(presence),
        reason: offlineReasonOf(reason),
        unreachable,
      };
    }
    case "handChanged": {
      const { participantId, raised, byParticipantId } = body.value;
      return { kind: "hand", participantId, raised, byId: idOf(byParticipantId) };
    }
    default:
      return otherChangeOf(body);
  }
}

function otherChangeOf(
  body: Exclude<
    event.MeetingEvent["body"],
    { case: "joined" | "left" | "muted" | "presenceChanged" | "handChanged" }
  >,
): Change {
  switch (body.case) {
    case "checkedIn":
      return { kind: "checkedIn", participantId: body.value.participantId };
    case "chatMessage": {
      const { participantId, displayName, text, toParticipantIds } = body.value;
      const toIds = toParticipantIds;
      return { kind: "chat", fromId: participantId, fromName: displayName, text, toIds };
    }
    case "talkChanged": {
      const { participantId, targetIds } = body.value;
      return { kind: "talk", participantId, targetIds };
    }
    case "askedToUnmute": {
      const { participantId, byParticipantId } = body.value;
      return { kind: "askedToUnmute", participantId, byId: byParticipantId };
    }
    case "lockChanged":
      return { kind: "locked", locked: body.value.locked };
    case "hostChanged": {
      const { participantId, host } = body.value;
      return { kind: "host", participantId, host };
    }
    case "spotlightChanged":
      return { kind: "spotlight", participantId: idOf(body.value.participantId) };
    case "nameChanged": {
      const { participantId, displayName } = body.value;
      return { kind: "named", participantId, displayName };
    }
    case "operationRefused":
      return { kind: "refused", reason: actRefusalOf(body.value.reason) };
    case "operationDone":
      return { kind: "done" };
    case "announcement":
      return { kind: "announcement", text: body.value.text };
    case "ended":
      return { kind: "ended" };
    case "meetingChanged":
      return { kind: "renamed", subject: body.value.subject };
    case "membersChanged":
    case "attachmentsChanged":
      return { kind: "detailsChanged" };
    case undefined:
      return { kind: "unknown" };
  }
}

function leaveReasonOf(reason: WireLeave): LeaveReason {
  switch (reason) {
    case WireLeave.TERMINAL_LOST:
    case WireLeave.RELAY_LOST:
      return "lost";
    case WireLeave.MEETING_ENDED:
      return "ended";
    case WireLeave.REMOVED:
      return "removed";
    case WireLeave.NOT_ADMITTED:
      return "notAdmitted";
    default:
      return "left";
  }
}

/** Who waits in the lobby is online there. */
function presenceOf(presence: WirePresence): Presence {
  switch (presence) {
    case WirePresence.AWAY:
      return "away";
    case WirePresence.OFFLINE:
      return "offline";
    default:
      return "online";
  }
}

function offlineReasonOf(reason: WireOffline): OfflineReason | undefined {
  switch (reason) {
    case WireOffline.OTHER_MEETING:
      return "otherMeeting";
    case WireOffline.INTERRUPTED:
      return "interrupted";
    default:
      return undefined;
  }
}

const REFUSALS = {
  [OperationRefusal.UNSPECIFIED]: "unspecified",
  [OperationRefusal.INVALID]: "invalid",
  [OperationRefusal.UNSUPPORTED]: "unsupported",
  [OperationRefusal.NOT_HOST]: "notHost",
  [OperationRefusal.EXPIRED]: "expired",
  [OperationRefusal.OVERTAKEN]: "overtaken",
  [OperationRefusal.SESSION_OVER]: "sessionOver",
  [OperationRefusal.NOT_IN]: "notIn",
  [OperationRefusal.MEETING_ENDED]: "meetingEnded",
  [OperationRefusal.ID_REUSED]: "idReused",
  [OperationRefusal.NOT_POSSIBLE]: "notPossible",
} as const satisfies Record<OperationRefusal, ActRefusal>;

function actRefusalOf(reason: OperationRefusal): ActRefusal {
  // A newer registry may send a reason that this client does not know.
  return (REFUSALS as Record<number, ActRefusal>)[reason] ?? "unspecified";
}

/** Numbers begin at 1; 0 stands for nobody. */
function idOf(participantId: number): number | undefined {
  return participantId === 0 ? undefined : participantId;
}
