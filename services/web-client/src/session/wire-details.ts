// From the relay's messages to the words of this client: what a meeting is about, its members and
// its attachments.

import { Role as WireRole } from "../gen/tributary/access/v1/access_pb";
import type * as credential from "../gen/tributary/credential/v1/credential_pb";
import { MemberRole as WireMemberRole } from "../gen/tributary/registry/v1/registry_pb";
import type * as registry from "../gen/tributary/registry/v1/registry_pb";
import type * as terminal from "../gen/tributary/terminal/v1/terminal_pb";
import type { Attachment } from "../attachments/attachment";
import type { Participant } from "../meeting/participant";
import type { FoundUser, Member, MemberRole, Role } from "../members/people";
import { meetingOf, timeOf } from "./wire";
import type { Meeting } from "./wire";
import { participantOf } from "./wire-events";

/** What somebody who may read a meeting knows of it. */
export interface MeetingDetails {
  readonly meeting: Meeting;
  readonly role: Role;
  /** Empty for outsiders. */
  readonly members: readonly Member[];
  readonly attachments: readonly Attachment[];
  /** Who is in now. */
  readonly participants: readonly Participant[];
}

export function detailsOf(message: terminal.MeetingDetails, meetingId: string): MeetingDetails {
  return {
    meeting: meetingOf(message.meeting, meetingId),
    role: roleOf(message.role),
    members: message.members.map(({ userId, role }) => ({ userId, role: memberRoleOf(role) })),
    attachments: message.attachments.map(attachmentOf),
    participants: message.participants.map(participantOf),
  };
}

export function foundUserOf(message: credential.FoundUser): FoundUser {
  const { userId, userName, displayName } = message;
  return { userId, userName, displayName: displayName || userName };
}

export function wireMemberRole(role: MemberRole): WireMemberRole {
  return role === "host" ? WireMemberRole.HOST : WireMemberRole.MEMBER;
}

/** What is not said gives no rights. */
function roleOf(role: WireRole): Role {
  switch (role) {
    case WireRole.ORGANISER:
      return "organiser";
    case WireRole.HOST:
      return "host";
    case WireRole.MEMBER:
      return "member";
    default:
      return "outsider";
  }
}

function memberRoleOf(role: WireMemberRole): MemberRole {
  switch (role) {
    case WireMemberRole.ORGANISER:
      return "organiser";
    case WireMemberRole.HOST:
      return "host";
    default:
      return "member";
  }
}

function attachmentOf(message: registry.Attachment): Attachment {
  return {
    id: message.attachmentId,
    fileName: message.fileName,
    mediaType: message.mediaType,
    size: Number(message.size),
    attachedBy: message.attachedBy,
    attachedAtMs: timeOf(message.attachedAt),
  };
}
