// Where the terminal is: live in one meeting, and perhaps with its place kept in another. Pure.

import type { Snapshot } from "../meeting/roster";
import type { Pending } from "../operations/outbox";
import { talksAnew, talksOf } from "../talk/talk";
import type { Hindrance, OverReason } from "./recovery";
import { beginStay, reduceStay } from "./stay";
import type { Stay, StayAction } from "./stay";
import type { Meeting } from "./wire";

/** On the way into a meeting, before its door, or in it. */
export type Entry =
  | { kind: "joining"; meetingId: string; hindrance: Hindrance | undefined }
  /** In the lobby: a host must let the terminal in. */
  | { kind: "waiting"; meeting: Meeting; selfId: number; hindrance: Hindrance | undefined }
  | { kind: "inside"; stay: Stay; hindrance: Hindrance | undefined };

export type Place =
  | { kind: "outside" }
  | Entry
  | { kind: "over"; meetingId: string; subject: string; reason: OverReason };

export interface Places {
  readonly place: Place;
  readonly other: Entry | undefined;
}

export interface JoinedAs {
  readonly meeting: Meeting;
  readonly selfId: number;
  readonly snapshot: Snapshot | undefined;
  readonly waiting: boolean;
  readonly pending: readonly Pending[];
}

/** The meeting that this place is about. */
export function meetingIdAt(place: Place): string | undefined {
  switch (place.kind) {
    case "outside":
      return undefined;
    case "inside":
      return place.stay.meeting.id;
    case "waiting":
      return place.meeting.id;
    default:
      return place.meetingId;
  }
}

export function atMeeting(place: Place | undefined, meetingId: string): boolean {
  return place !== undefined && meetingIdAt(place) === meetingId;
}

/** The place in this meeting, wherever it is. */
export function entryAt({ place, other }: Places, meetingId: string): Entry | undefined {
  if (isEntry(place) && atMeeting(place, meetingId)) return place;
  return atMeeting(other, meetingId) ? other : undefined;
}

/** The meeting that the terminal is live in. */
export function liveStay({ place }: Pick<Places, "place">): Stay | undefined {
  return place.kind === "inside" ? place.stay : undefined;
}

/** The meeting whose place is kept. */
export function otherStay({ other }: Pick<Places, "other">): Stay | undefined {
  return other?.kind === "inside" ? other.stay : undefined;
}

export function stayAt(places: Places, meetingId: string): Stay | undefined {
  const entry = entryAt(places, meetingId);
  return entry?.kind === "inside" ? entry.stay : undefined;
}

export function stays(places: Places): Stay[] {
  return [liveStay(places), otherStay(places)].filter((stay) => stay !== undefined);
}

/** Empty if it is not known. */
export function subjectOf(places: Places, meetingId: string): string {
  const entry = entryAt(places, meetingId);
  if (entry?.kind === "inside") return entry.stay.meeting.subject;
  return entry?.kind === "waiting" ? entry.meeting.subject : "";
}

export function joining(places: Places, meetingId: string, held: boolean): Places {
  const entry: Entry = { kind: "joining", meetingId, hindrance: undefined };
  return held ? { place: places.place, other: entry } : { place: entry, other: places.other };
}

export function hindered(
  places: Places,
  meetingId: string,
  hindrance: Hindrance | undefined,
): Places {
  return withEntry(places, meetingId, (entry) => {
    if (entry.kind !== "inside" || hindrance === undefined) return { ...entry, hindrance };
    // Who speaks is not known any more; who is in is unlikely to have changed.
    const stay = reduceStay(entry.stay, { kind: "speakers", ids: [] });
    return { ...entry, stay, hindrance };
  });
}

export function joined(places: Places, as: JoinedAs): Places {
  const { meeting, selfId, snapshot, waiting, pending } = as;
  return withEntry(places, meeting.id, (entry) => {
    const hindrance = undefined;
    if (waiting) return { kind: "waiting", meeting, selfId, hindrance };
    const before = entry.kind === "inside" ? entry.stay : undefined;
    const same = before?.selfId === selfId;
    if (before !== undefined && snapshot === undefined) {
      // A guest who had to be made anew is another participant from here on.
      const talks = same ? before.talks : talksAnew(before.talks);
      const stay = { ...before, meeting, selfId, talks, pending };
      return { kind: "inside", stay, hindrance };
    }
    if (before === undefined || snapshot === undefined || !same) {
      const stay = beginStay(meeting, selfId, snapshot ?? NOTHING, pending);
      if (before === undefined || snapshot === undefined)
        return { kind: "inside", stay, hindrance };
      const talks = talksOf(talksAnew(before.talks), snapshot.talks, selfId);
      return { kind: "inside", stay: { ...stay, talks }, hindrance };
    }
    const again = reduceStay({ ...before, meeting }, { kind: "snapshot", snapshot });
    return { kind: "inside", stay: { ...again, cursor: snapshot.eventNumber }, hindrance };
  });
}

export function letIn(
  places: Places,
  meetingId: string,
  snapshot: Snapshot,
  pending: readonly Pending[],
): Places {
  return withEntry(places, meetingId, (entry) => {
    if (entry.kind !== "waiting") return entry;
    const stay = beginStay(entry.meeting, entry.selfId, snapshot, pending);
    return { kind: "inside", stay, hindrance: entry.hindrance };
  });
}

export function withStay(places: Places, meetingId: string, action: StayAction): Places {
  return withEntry(places, meetingId, (entry) => {
    if (entry.kind !== "inside") return entry;
    const stay = reduceStay(entry.stay, action);
    return stay === entry.stay ? entry : { ...entry, stay };
  });
}

/** The other meeting becomes the live one, and the live one the other. */
export function switched(places: Places, meetingId: string): Places {
  const { place, other } = places;
  if (other === undefined || !atMeeting(other, meetingId)) return places;
  return { place: other, other: isEntry(place) ? place : undefined };
}

/** Undefined if the terminal is not in that meeting. */
export function afterOver(
  places: Places,
  meetingId: string,
  reason: OverReason,
): Places | undefined {
  const { place, other } = places;
  if (atMeeting(other, meetingId)) return { place, other: undefined };
  if (!isEntry(place) || !atMeeting(place, meetingId)) return undefined;
  if (other !== undefined) return { place: other, other: undefined };
  const subject = subjectOf(places, meetingId);
  return { place: { kind: "over", meetingId, subject, reason }, other: undefined };
}

/** Both meetings are left. */
export function gone(places: Places): Places {
  const stay = liveStay(places);
  if (stay === undefined) {
    const { place } = places;
    return { place: place.kind === "over" ? place : { kind: "outside" }, other: undefined };
  }
  const { id, subject } = stay.meeting;
  return { place: { kind: "over", meetingId: id, subject, reason: "left" }, other: undefined };
}

export function isEntry(place: Place): place is Entry {
  return place.kind !== "outside" && place.kind !== "over";
}

const NOTHING: Snapshot = {
  participants: [],
  eventNumber: 0n,
  locked: false,
  spotlightId: undefined,
  talks: [],
};

function withEntry(places: Places, meetingId: string, change: (entry: Entry) => Entry): Places {
  const { place, other } = places;
  if (isEntry(place) && atMeeting(place, meetingId)) return { place: change(place), other };
  if (other !== undefined && atMeeting(other, meetingId)) return { place, other: change(other) };
  return places;
}
