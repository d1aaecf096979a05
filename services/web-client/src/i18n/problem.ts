// The text for a problem: what was being done decides how the same refusal reads.

import type { FailureReason } from "../session/refusal";
import type { Activity, Problem } from "../session/state";
import type { Messages } from "./messages";

/** What was asked for outside of the forms that the session knows. */
export type Doing = Activity | "email" | "other";

export function problemText(t: Messages, { during, reason }: Problem): string {
  return failureText(t, during, reason);
}

export function failureText(t: Messages, during: Doing, reason: FailureReason): string {
  switch (reason) {
    case "unreachable":
      // The mail server may have been given some of it.
      return during === "email" ? t.share.mailUnanswered : t.problem.unreachable;
    case "insecure":
    case "expired":
    case "passwordNeeded":
      return t.problem[reason];
    case "wrongPassword":
      return t.problem.wrongMeetingPassword;
    case "notLoggedIn":
      return notLoggedIn(t, during);
    case "notAdmitted":
      return during === "join" ? t.problem.notAdmittedJoin : t.refusal.notAdmitted;
    case "limit":
      return during === "join" ? t.problem.full : t.refusal.limit;
    case "unsupported":
    case "outOfOrder":
      return during === "email" ? t.share.mailOff : t.refusal[reason];
    case "malformed":
      return during === "email" ? t.share.mailFailed : t.refusal[reason];
    default:
      return t.refusal[reason];
  }
}

function notLoggedIn(t: Messages, during: Doing): string {
  if (during === "logIn") return t.problem.wrongPassword;
  return during === "oidc" ? t.problem.oidc : t.refusal.notLoggedIn;
}
