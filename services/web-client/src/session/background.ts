// What goes on while somebody with an account is on the page: notices are received, and ended ones
// taken away.

import { nextEndMs } from "../notices/notices";
import { backoffMs, pause } from "./backoff";
import type { Connection } from "./connection";
import { Refused } from "./refusal";
import type { SessionAction, SessionState } from "./state";
import { noticeOf } from "./wire-sharing";

/** Nobody waits for notices: connecting is tried at most this rarely, in ms. */
const LONGEST_PAUSE_MS = 30_000;
/** Timers can't be set for longer, in ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Surroundings {
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  readonly dial: () => Promise<Connection>;
  /** True if another identity token may be accepted where this one was not. */
  readonly refusedIdentity: (token: string) => Promise<boolean>;
}

/** Receives notices on every connection that comes, until `signal` fires. */
export async function receiveNotices(around: Surroundings, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  for (let attempt = 0; !signal.aborted; attempt++) {
    const token = around.state().identity?.token ?? "";
    try {
      const connection = await around.dial();
      if (signal.aborted) return;
      await subscribe(around, connection, token, signal);
      attempt = 0;
      await Promise.race([connection.ended, stopped]);
    } catch (failure) {
      if (signal.aborted) return;
      if (failure instanceof Refused && !(await mayPass(around, failure, token))) return;
    }
    await pause(backoffMs(attempt, Math.random(), LONGEST_PAUSE_MS), signal);
  }
}

/** Calls `ended` whenever the next of the notices means nothing any more; the result stops it. */
export function watchEnds(state: SessionState, ended: (nowMs: number) => void): () => void {
  const end = nextEndMs(state.notices);
  if (!Number.isFinite(end)) return () => {};
  const wait = Math.min(Math.max(0, end - Date.now()) + 1, TIMER_MAX_MS);
  const timer = setTimeout(() => ended(Date.now()), wait);
  return () => clearTimeout(timer);
}

async function subscribe(
  { dispatch }: Surroundings,
  connection: Connection,
  identityToken: string,
  signal: AbortSignal,
): Promise<void> {
  connection.onNotice = (message) => {
    if (signal.aborted) return;
    dispatch({ kind: "notices", action: { kind: "told", notice: noticeOf(message) } });
  };
  const { notices } = await connection.request("receiveNotices", { identityToken });
  if (signal.aborted) return;
  dispatch({ kind: "notices", action: { kind: "kept", notices: notices.map(noticeOf) } });
}

async function mayPass(around: Surroundings, refused: Refused, token: string): Promise<boolean> {
  switch (refused.reason) {
    case "tryAgain":
    case "limit":
      return true;
    case "notLoggedIn":
      return around.refusedIdentity(token);
    default:
      return false;
  }
}
