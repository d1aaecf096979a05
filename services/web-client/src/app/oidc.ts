// A log-in at another site: what is remembered while the browser is away, and what it comes back
// with. The page that it began on is kept with the tab, so that a link leads where it should.

const KEY = "tributary.oidc";
/** What providers put into the query on the way back. */
const RETURNED = [
  "code",
  "state",
  "iss",
  "session_state",
  "error",
  "error_description",
  "error_uri",
];

export interface Away {
  /** The word by which the way back is recognised. */
  readonly state: string;
  /** The fragment of the page that the log-in began on. */
  readonly hash: string;
}

export type WayBack =
  | { kind: "code"; code: string; state: string; issuer: string }
  /** The provider, or the person there, refused. */
  | { kind: "refused"; state: string };

/** What the query says about a log-in, if it says anything. */
export function wayBackOf(search: string): WayBack | undefined {
  const query = new URLSearchParams(search);
  const state = query.get("state");
  if (state === null || state === "") return undefined;
  const code = query.get("code");
  // Who sends the browser back (RFC 9207); not all providers say so.
  const issuer = query.get("iss") ?? "";
  if (code !== null && code !== "") return { kind: "code", code, state, issuer };
  return query.has("error") ? { kind: "refused", state } : undefined;
}

/** The page's address without what the provider has put into it, at the page it began on. */
export function cleanAddress(page: string, hash: string): string {
  const url = new URL(page);
  for (const name of RETURNED) url.searchParams.delete(name);
  url.hash = hash;
  return url.toString();
}

/** Where providers send the browser back to. */
export function redirectUri(page: string): string {
  const url = new URL(page);
  return `${url.origin}${url.pathname}`;
}

export function goAway(away: Away, storage: Pick<Storage, "setItem">): void {
  storage.setItem(KEY, JSON.stringify(away));
}

/** What was remembered, once. */
export function comeBack(storage: Pick<Storage, "getItem" | "removeItem">): Away | undefined {
  try {
    const stored: unknown = JSON.parse(storage.getItem(KEY) ?? "null");
    storage.removeItem(KEY);
    const { state, hash } = (stored ?? {}) as Partial<Record<keyof Away, unknown>>;
    return typeof state === "string" && typeof hash === "string" ? { state, hash } : undefined;
  } catch {
    return undefined;
  }
}
