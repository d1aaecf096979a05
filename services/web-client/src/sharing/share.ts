// A share: how a meeting was made known to somebody who is not a member, and until when it holds.

export type ShareForm =
  | { kind: "link" }
  | { kind: "users"; userIds: readonly string[] }
  | { kind: "email"; addresses: readonly string[] };

export interface Share {
  readonly id: string;
  readonly form: ShareForm;
  readonly createdBy: string;
  /** Unix time in ms. */
  readonly createdAtMs: number;
  /** Unix time in ms; undefined: it does not end by itself. */
  readonly expiresAtMs: number | undefined;
  /** Unix time in ms; undefined if it was not revoked. */
  readonly revokedAtMs: number | undefined;
}

/** What is passed on. The server shows the secret in it this one time. */
export interface ShareLink {
  readonly url: string;
  /** An invitation in words, with the link. */
  readonly text: string;
  readonly qrSvg: string;
  readonly qrPng: Uint8Array;
}

export type ShareState = "holds" | "expired" | "revoked";

export function stateOf(share: Share, nowMs: number): ShareState {
  if (share.revokedAtMs !== undefined) return "revoked";
  return share.expiresAtMs !== undefined && share.expiresAtMs <= nowMs ? "expired" : "holds";
}

export const LIFETIMES = ["hour", "day", "week", "never"] as const;
export type Lifetime = (typeof LIFETIMES)[number];

const HOUR_MS = 3600 * 1000;
const LENGTH_MS: Record<Exclude<Lifetime, "never">, number> = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 7 * 24 * HOUR_MS,
};

/** When a share made now ends: Unix time in ms, undefined: never. */
export function endOf(lifetime: Lifetime, nowMs: number): number | undefined {
  return lifetime === "never" ? undefined : nowMs + LENGTH_MS[lifetime];
}

export function isLifetime(value: string): value is Lifetime {
  return (LIFETIMES as readonly string[]).includes(value);
}

/** Addresses that one e-mail share may have. */
export const ADDRESSES_MAX = 50;

/** The addresses in what was typed, separated by commas, semicolons, spaces or lines, each once. */
export function addressesIn(typed: string): string[] {
  return [...new Set(typed.split(/[\s,;，；、]+/).filter(Boolean))];
}

/** The first of the addresses that can't be one; the server judges the rest. */
export function wrongAddress(addresses: readonly string[]): string | undefined {
  return addresses.find((address) => !/^[^@\s"<>()[\]]+@[^@\s"<>()[\]]+$/.test(address));
}

/** The picture for an image element, by an address that the page's policy allows. */
export function qrImage(qrSvg: string): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(qrSvg)}`;
}
