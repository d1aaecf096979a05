// Why the relay, or this client itself, did not carry something out. Each reason has a text in
// every language.

import { RefusalCode } from "../gen/tributary/terminal/v1/terminal_pb";

const REASONS = {
  [RefusalCode.UNSPECIFIED]: "unspecified",
  [RefusalCode.MALFORMED]: "malformed",
  [RefusalCode.UNSUPPORTED]: "unsupported",
  [RefusalCode.NOT_LOGGED_IN]: "notLoggedIn",
  [RefusalCode.NOT_ADMITTED]: "notAdmitted",
  [RefusalCode.BAD_CREDENTIAL]: "badCredential",
  [RefusalCode.CREDENTIAL_EXPIRED]: "credentialExpired",
  [RefusalCode.BAD_SESSION_DESCRIPTION]: "badSessionDescription",
  [RefusalCode.OUT_OF_ORDER]: "outOfOrder",
  [RefusalCode.LIMIT]: "limit",
  [RefusalCode.TRY_AGAIN]: "tryAgain",
  [RefusalCode.MEETING_ENDED]: "meetingEnded",
  [RefusalCode.REPLACED]: "replaced",
  [RefusalCode.FORBIDDEN]: "forbidden",
  [RefusalCode.OPERATION_CONFLICT]: "operationConflict",
  [RefusalCode.WRONG_PASSWORD]: "wrongPassword",
  [RefusalCode.MEETING_LOCKED]: "meetingLocked",
  [RefusalCode.REMOVED]: "removed",
  [RefusalCode.SENT_AWAY]: "sentAway",
} as const satisfies Record<RefusalCode, string>;

export type RefusalReason = (typeof REASONS)[RefusalCode];

/** Why something did not happen: refused, or not even asked. */
export type FailureReason =
  | RefusalReason
  | "unreachable"
  /** The page came over plain http: there are no keys. */
  | "insecure"
  /** The identity does not hold any more. */
  | "expired"
  /** A password is wanted and none was typed. */
  | "passwordNeeded";

/** What became of a request, for who asked. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; reason: FailureReason };

export function refusalReason(code: RefusalCode): RefusalReason {
  // A newer relay may send a code that this client does not know.
  return (REASONS as Record<number, RefusalReason>)[code] ?? "unspecified";
}

/** The relay refused a request, or ended the session for a reason. */
export class Refused extends Error {
  constructor(
    readonly reason: RefusalReason,
    detail: string,
  ) {
    super(`refused (${reason}): ${detail}`);
    this.name = "Refused";
  }
}

/**
 * The connection to the relay ended, could not be opened, or does not answer. `unheard`: the relay
 * had let it go before it took the request up, which is asked again on a new one.
 */
export class ConnectionLost extends Error {
  constructor(
    readonly how: "unreachable" | "closed" | "silent" | "draining" | "unheard",
    detail = "",
  ) {
    super(`connection lost (${how}) ${detail}`);
    this.name = "ConnectionLost";
  }
}

/** True if the relay knows nothing of the request: repeating it does no harm. */
export function wasUnheard(failure: unknown): boolean {
  return failure instanceof ConnectionLost && failure.how === "unheard";
}

/** Runs a request; what it rejects with becomes the reason. */
export async function outcomeOf<T>(request: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await request() };
  } catch (failure) {
    return { ok: false, reason: failure instanceof Refused ? failure.reason : "unreachable" };
  }
}
