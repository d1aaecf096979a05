// The text for a problem: what was being done decides how the same refusal reads.

import type { Problem } from "../session/state";
import type { Messages } from "./messages";

export function problemText(t: Messages, { during, reason }: Problem): string {
  switch (reason) {
    case "unreachable":
    case "insecure":
    case "expired":
      return t.problem[reason];
    case "notLoggedIn":
      return during === "logIn" ? t.problem.wrongPassword : t.refusal.notLoggedIn;
    case "notAdmitted":
      return during === "join" ? t.problem.notAdmittedJoin : t.refusal.notAdmitted;
    case "limit":
      return during === "join" ? t.problem.full : t.refusal.limit;
    default:
      return t.refusal[reason];
  }
}
