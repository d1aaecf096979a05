// Where the page is, by the address's fragment: the start (`#/`) or a meeting (`#/m/<id>`), with the
// share secret of a link behind it (`#/m/<id>/<secret>`), and perhaps the relay that is to be gone
// through (`?relay=<relay id>` at the end). A fragment is never sent to a server.

/** A meeting as an address names it. */
export interface MeetingAddress {
  readonly meetingId: string;
  /** 22 characters of base64url; empty if the address has none. */
  readonly secret: string;
  /** Id of a relay, 1 to 64 characters; empty if the address has none. */
  readonly relay: string;
}

export type Route = { kind: "start" } | ({ kind: "meeting" } & MeetingAddress);

/** A meeting id is an unsigned 64-bit number in decimal. */
const MEETING_ID_MAX = 2n ** 64n - 1n;
const SECRET = /^\/([A-Za-z0-9_-]{22})\/?$/;
const RELAY = /(?:^|&)relay=([A-Za-z0-9_-]{1,64})(?![A-Za-z0-9_-])/;

export function routeOf(hash: string): Route {
  const [path = "", query = ""] = hash.split("?", 2);
  const match = /^#?\/m\/(\d{1,20})(\/.*)?$/.exec(path);
  const meetingId = idOf(match?.[1]);
  if (meetingId === undefined) return { kind: "start" };
  // A link that was cut off still says which meeting is meant.
  const secret = SECRET.exec(match?.[2] ?? "")?.[1] ?? "";
  return { kind: "meeting", meetingId, secret, relay: relayIn(query) };
}

/** The meeting that a person has typed or pasted: an id, with or without spaces, or a link. */
export function meetingAddressOf(input: string): MeetingAddress | undefined {
  const link = /#\/m\/(\d{1,20})(?:(\/[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])|\D|$)/.exec(input);
  const meetingId = idOf(link === null ? input.replace(/[\s-]/g, "") : link[1]);
  if (meetingId === undefined) return undefined;
  const query = /#[^\s?]*\?([^\s#]*)/.exec(input)?.[1] ?? "";
  return { meetingId, secret: link?.[2]?.slice(1) ?? "", relay: relayIn(query) };
}

function relayIn(query: string): string {
  return RELAY.exec(query)?.[1] ?? "";
}

export function meetingHash(meetingId: string, secret = "", relay = ""): string {
  const path = secret === "" ? `#/m/${meetingId}` : `#/m/${meetingId}/${secret}`;
  return relay === "" ? path : `${path}?relay=${relay}`;
}

/**
 * The link to hand on: this page's address without the query, which belongs to one person, and without
 * the relay, which is for those who are near it.
 */
export function meetingLink(page: string, meetingId: string, secret = ""): string {
  const url = new URL(page);
  url.search = "";
  url.hash = meetingHash(meetingId, secret);
  return url.toString();
}

function idOf(digits: string | undefined): string | undefined {
  if (digits === undefined || !/^\d{1,20}$/.test(digits)) return undefined;
  const id = BigInt(digits);
  return id > 0n && id <= MEETING_ID_MAX ? id.toString() : undefined;
}
