// What the user is told outside of a meeting, as a pure function of what the relay has said: each
// notice once, oldest first, gone when it was dismissed or means nothing any more.

export interface Notice {
  readonly id: string;
  readonly meetingId: string;
  readonly subject: string;
  readonly fromUserId: string;
  readonly fromName: string;
  /** Unix time in ms, infinity if it never ends. */
  readonly expiresAtMs: number;
  readonly kind: NoticeKind;
}

export type NoticeKind =
  /** A scheduled meeting begins. */
  | { kind: "begins" }
  /** The user was put on the member list of a running meeting. */
  | { kind: "added" }
  /** A meeting was shared with the user; undefined: it runs already. */
  | { kind: "shared"; startsAtMs: number | undefined };

export interface Notices {
  readonly pending: readonly Notice[];
  /** Dismissed here; what the relay has sent before it knew is not shown again. */
  readonly dismissed: readonly string[];
  /** By id, until when it is not shown: Unix time in ms by this terminal's clock. */
  readonly putOff: ReadonlyMap<string, number>;
}

export type NoticeAction =
  /** All that the relay keeps for the user. */
  | { kind: "kept"; notices: readonly Notice[] }
  | { kind: "told"; notice: Notice }
  | { kind: "dismissed"; noticeId: string }
  | { kind: "putOff"; noticeId: string; untilMs: number }
  | { kind: "timePassed"; nowMs: number };

/** More than these are not held; the oldest give way. */
const PENDING_MAX = 100;

export const NO_NOTICES: Notices = { pending: [], dismissed: [], putOff: new Map() };

export function reduceNotices(notices: Notices, action: NoticeAction): Notices {
  switch (action.kind) {
    case "kept":
      return action.notices.reduce(take, { ...notices, pending: [] });
    case "told":
      return take(notices, action.notice);
    case "dismissed":
      return {
        ...notices,
        pending: notices.pending.filter(({ id }) => id !== action.noticeId),
        dismissed: [...notices.dismissed, action.noticeId].slice(-PENDING_MAX),
      };
    case "putOff": {
      const putOff = new Map(notices.putOff).set(action.noticeId, action.untilMs);
      return { ...notices, putOff: new Map([...putOff].slice(-PENDING_MAX)) };
    }
    case "timePassed": {
      const pending = notices.pending.filter(({ expiresAtMs }) => expiresAtMs > action.nowMs);
      const putOff = [...notices.putOff].filter(([, untilMs]) => untilMs > action.nowMs);
      const same =
        pending.length === notices.pending.length && putOff.length === notices.putOff.size;
      return same ? notices : { ...notices, pending, putOff: new Map(putOff) };
    }
  }
}

/** When the next notice ends or comes again: Unix time in ms, infinity if none does. */
export function nextEndMs({ pending, putOff }: Notices): number {
  const ends = pending.map(({ expiresAtMs }) => expiresAtMs);
  return Math.min(Number.POSITIVE_INFINITY, ...ends, ...putOff.values());
}

/** Those to show: newest first, one per meeting, none of a meeting that the user is in. */
export function toShow({ pending, putOff }: Notices, hereIds: readonly string[]): Notice[] {
  const byMeeting = new Map<string, Notice>();
  for (const notice of pending) {
    byMeeting.delete(notice.meetingId);
    if (!hereIds.includes(notice.meetingId)) byMeeting.set(notice.meetingId, notice);
  }
  // What is put off is put off for its meeting, unless something newer was told of it.
  return [...byMeeting.values()].filter(({ id }) => !putOff.has(id)).reverse();
}

function take(notices: Notices, notice: Notice): Notices {
  const known = notices.pending.some(({ id }) => id === notice.id);
  if (known || notices.dismissed.includes(notice.id)) return notices;
  return { ...notices, pending: [...notices.pending, notice].slice(-PENDING_MAX) };
}
