// From the relay's messages to the words of this client, and back: shares and notices.

import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ShareFormSchema } from "../gen/tributary/access/v1/access_pb";
import type * as access from "../gen/tributary/access/v1/access_pb";
import type * as notice from "../gen/tributary/notice/v1/notice_pb";
import { InvitationOccasion } from "../gen/tributary/notice/v1/notice_pb";
import type { Notice, NoticeKind } from "../notices/notices";
import type { Share, ShareForm, ShareLink } from "../sharing/share";
import { optionalTimeOf, timeOf } from "./wire";

export function shareOf(message: access.Share): Share {
  return {
    id: message.shareId,
    form: formOf(message.form),
    createdBy: message.createdBy,
    createdAtMs: timeOf(message.createdAt),
    expiresAtMs: optionalTimeOf(message.expiresAt),
    revokedAtMs: optionalTimeOf(message.revokedAt),
  };
}

export function shareLinkOf(message: access.ShareLink | undefined): ShareLink | undefined {
  if (message === undefined || message.url === "") return undefined;
  const { url, text, qrSvg, qrPng } = message;
  return { url, text, qrSvg, qrPng };
}

/** The alternative of `ShareForm` that says this. */
export function wireForm(form: ShareForm): access.ShareForm {
  return create(ShareFormSchema, { form: alternativeOf(form) });
}

export function noticeOf(message: notice.Notice): Notice {
  return {
    id: message.noticeId,
    meetingId: message.meetingId,
    subject: message.subject,
    fromUserId: message.fromUserId,
    fromName: message.fromDisplayName,
    expiresAtMs: timeOf(message.expiresAt),
    kind: noticeKindOf(message.kind),
  };
}

function noticeKindOf(kind: notice.Notice["kind"]): NoticeKind {
  if (kind.case === "shared") {
    return { kind: "shared", startsAtMs: optionalTimeOf(kind.value.startsAt) };
  }
  const added = kind.value?.occasion === InvitationOccasion.ADDED;
  return { kind: added ? "added" : "begins" };
}

type Alternative = Exclude<MessageInitShape<typeof ShareFormSchema>["form"], undefined>;

function alternativeOf(form: ShareForm): Alternative {
  switch (form.kind) {
    case "link":
      return { case: "link", value: {} };
    case "users":
      return { case: "users", value: { userIds: [...form.userIds] } };
    case "email":
      return { case: "email", value: { addresses: [...form.addresses] } };
  }
}

function formOf(message: access.ShareForm | undefined): ShareForm {
  switch (message?.form.case) {
    case "users":
      return { kind: "users", userIds: message.form.value.userIds };
    case "email":
      return { kind: "email", addresses: message.form.value.addresses };
    default:
      return { kind: "link" };
  }
}
