// The identity of this tab, kept through a reload, gone with the tab.

import type { Identity } from "./wire";

const KEY = "tributary.identity";

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
  const { token, userId, displayName, guest } = stored ?? {};
  // JSON has no infinity: no number means that the token does not expire.
  const expiresAtMs = stored?.expiresAtMs ?? Number.POSITIVE_INFINITY;
  if (
    typeof token !== "string" ||
    typeof userId !== "string" ||
    typeof displayName !== "string" ||
    typeof guest !== "boolean" ||
    typeof expiresAtMs !== "number" ||
    expiresAtMs <= nowMs
  ) {
    return undefined;
  }
  return { token, userId, displayName, guest, expiresAtMs };
}
