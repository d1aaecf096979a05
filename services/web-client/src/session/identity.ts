// The identity of this tab: kept through a reload, refreshed while the tab is used, gone with it.

import type { Identity } from "./wire";

const KEY = "tributary.identity";
/** On coming back to the page an identity older than this is refreshed, in ms. */
const OLD_AFTER_MS = 5 * 60 * 1000;

export function loadIdentity(nowMs: number): Identity | undefined {
  try {
    return parseIdentity(sessionStorage.getItem(KEY), nowMs);
  } catch {
    return undefined;
  }
}

export function saveIdentity(identity: Identity | undefined): void {
  try {
    if (identity === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify(identity));
  } catch {
    // Without storage a reload asks for the name again.
  }
}

/** An identity that is complete and has not expired. */
export function parseIdentity(text: string | null, nowMs: number): Identity | undefined {
  if (text === null) return undefined;
  let stored: Partial<Record<keyof Identity, unknown>> | null;
  try {
    stored = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { token, userId, displayName, guest, obtainedAtMs, clockOffsetMs } = stored ?? {};
  // JSON has no infinity: no number means that the token does not expire.
  const expiresAtMs = stored?.expiresAtMs ?? Number.POSITIVE_INFINITY;
  if (
    typeof token !== "string" ||
    typeof userId !== "string" ||
    typeof displayName !== "string" ||
    typeof guest !== "boolean" ||
    typeof obtainedAtMs !== "number" ||
    typeof clockOffsetMs !== "number" ||
    typeof expiresAtMs !== "number" ||
    expiresAtMs <= nowMs
  ) {
    return undefined;
  }
  return { token, userId, displayName, guest, obtainedAtMs, clockOffsetMs, expiresAtMs };
}

/** When three quarters of its life are over: Unix time in ms by this terminal's clock. */
export function refreshDueMs({ obtainedAtMs, expiresAtMs }: Identity): number {
  return obtainedAtMs + (expiresAtMs - obtainedAtMs) * 0.75;
}

/** True if the identity is to be refreshed when somebody comes back to the page. */
export function refreshOnReturn(identity: Identity, nowMs: number): boolean {
  return nowMs >= Math.min(identity.obtainedAtMs + OLD_AFTER_MS, refreshDueMs(identity));
}

/**
 * How far the server's clock is ahead of this terminal's, in ms, by the time of issue that a fresh
 * token carries; 0 if it carries none. Proofs of possession are dated by the server's clock.
 */
export function clockOffsetOf(token: string, nowMs: number): number {
  try {
    const payload = token.split(".")[1] ?? "";
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    const issuedAt = (claims as { iat?: unknown } | null)?.iat;
    return typeof issuedAt === "number" ? issuedAt * 1000 - nowMs : 0;
  } catch {
    return 0;
  }
}
