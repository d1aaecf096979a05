// From what somebody does to the bytes that are signed and travel.

import { create, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  OfflineReason as WireOffline,
  OperationSchema,
  PresenceWish,
} from "../gen/tributary/operation/v1/operation_pb";
import type { Act, HostAct } from "../operations/act";

export interface Letterhead {
  /** A UUID. */
  readonly operationId: string;
  readonly sequence: number;
  readonly organisation: string;
  readonly meetingId: string;
  readonly participantId: number;
  /** A UUID. */
  readonly sessionId: string;
  /** Unix time in ms by the server's clock. */
  readonly notAfterMs: number;
}

type Body = Exclude<MessageInitShape<typeof OperationSchema>["body"], undefined>;

/** The encoded `tributary.operation.v1.Operation`. */
export function envelopeOf(head: Letterhead, act: Act): Uint8Array<ArrayBuffer> {
  const message = create(OperationSchema, {
    operationId: head.operationId,
    clientSequence: BigInt(head.sequence),
    organisation: head.organisation,
    meetingId: head.meetingId,
    participantId: head.participantId,
    sessionId: head.sessionId,
    notAfter: timestampFromMs(head.notAfterMs),
    body: bodyOf(act),
  });
  return new Uint8Array(toBinary(OperationSchema, message));
}

function bodyOf(act: Act): Body {
  switch (act.kind) {
    case "setMuted":
      return { case: "setMuted", value: { muted: act.muted } };
    case "setHand":
      return { case: "setHand", value: { raised: act.raised } };
    case "checkIn":
      return { case: "checkIn", value: {} };
    case "sendChat":
      return { case: "sendChat", value: { text: act.text, toParticipantIds: [...act.to] } };
    case "setPresence": {
      const presence = WISHES[act.presence];
      const reason = act.reason === undefined ? WireOffline.UNSPECIFIED : OFFLINE[act.reason];
      return { case: "setPresence", value: { presence, reason } };
    }
    case "talkTo":
      return { case: "talkTo", value: { participantIds: [...act.to] } };
    case "setName":
      return { case: "setName", value: { displayName: act.displayName } };
    default:
      return hostBodyOf(act);
  }
}

function hostBodyOf(act: HostAct): Body {
  switch (act.kind) {
    case "muteParticipant":
    case "askToUnmute":
    case "removeParticipant":
      return { case: act.kind, value: { participantId: act.participantId } };
    case "setLocked":
      return { case: "setLocked", value: { locked: act.locked } };
    case "answerLobby": {
      const { participantId, admitted } = act;
      return { case: "answerLobby", value: { participantId, admitted } };
    }
    case "setHost": {
      const { participantId, host } = act;
      return { case: "setHost", value: { participantId, host } };
    }
    case "setSpotlight":
    case "lowerHand":
      return { case: act.kind, value: { participantId: act.participantId ?? 0 } };
    case "end":
      return { case: "end", value: {} };
  }
}

const WISHES = {
  online: PresenceWish.ONLINE,
  away: PresenceWish.AWAY,
  offline: PresenceWish.OFFLINE,
} as const;

const OFFLINE = {
  otherMeeting: WireOffline.OTHER_MEETING,
  interrupted: WireOffline.INTERRUPTED,
} as const;
