// Where the page is, by the address's fragment: the start (`#/`) or a meeting (`#/m/<id>`).

export type Route = { kind: "start" } | { kind: "meeting"; meetingId: string };

/** A meeting id is an unsigned 64-bit number in decimal. */
const MEETING_ID_MAX = 2n ** 64n - 1n;

export function routeOf(hash: string): Route {
  const match = /^#?\/m\/(\d{1,20})\/?$/.exec(hash);
  const meetingId = match?.[1] === undefined ? undefined : meetingIdOf(match[1]);
  return meetingId === undefined ? { kind: "start" } : { kind: "meeting", meetingId };
}

/** The meeting that a person has typed or pasted: an id, with or without spaces, or a link. */
export function meetingIdOf(input: string): string | undefined {
  const fromLink = /#\/m\/(\d{1,20})(?:\D|$)/.exec(input)?.[1];
  const digits = fromLink ?? input.replace(/[\s-]/g, "");
  if (!/^\d{1,20}$/.test(digits)) return undefined;
  const id = BigInt(digits);
  return id > 0n && id <= MEETING_ID_MAX ? id.toString() : undefined;
}

export function meetingHash(meetingId: string): string {
  return `#/m/${meetingId}`;
}

/** The link to hand on: this page's address without the query, which belongs to one person. */
export function meetingLink(page: string, meetingId: string): string {
  const url = new URL(page);
  url.search = "";
  url.hash = meetingHash(meetingId);
  return url.toString();
}
