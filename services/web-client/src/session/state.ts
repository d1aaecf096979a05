// What the page knows about its session: who, where, with whom. Pure; the session dispatches.

import { NO_NOTICES, reduceNotices } from "../notices/notices";
import type { NoticeAction, Notices } from "../notices/notices";
import type { NumberedChange } from "../meeting/events";
import type { Snapshot } from "../meeting/roster";
import type { Pending } from "../operations/outbox";
import { NO_HINTS, answersAsked, hintOf, withHint, withoutAsked, withoutHint } from "./hints";
import type { HintBody, Hints } from "./hints";
import {
  afterOver,
  atMeeting,
  entryAt,
  gone,
  hindered,
  joined,
  joining,
  letIn,
  meetingIdAt,
  subjectOf,
  switched,
  withStay,
} from "./places";
import type { Place, Entry, Places } from "./places";
import type { Hindrance, OverReason } from "./recovery";
import type { FailureReason } from "./refusal";
import type { StayAction } from "./stay";
import { STRAIGHT } from "./way";
import type { Way } from "./way";
import type { Identity, LogInOptions, Meeting } from "./wire";
import type { MeetingDetails } from "./wire-details";

export { entryAt, liveStay, meetingIdAt, otherStay, stayAt, stays } from "./places";
export type { Entry, Place } from "./places";

/** What a screen waits for. */
export type Activity = "logIn" | "guest" | "oidc" | "create" | "join" | "switch";

/** Why something that a person asked for did not happen. */
export interface Problem {
  readonly during: Activity;
  readonly reason: FailureReason;
}

/** What is known of the meeting that is looked at: before, during or after it. */
export interface Reading {
  readonly meetingId: string;
  readonly status: "reading" | "known" | "refused";
  /** The latest that was read; it stays while it is read again. */
  readonly details: MeetingDetails | undefined;
  readonly reason: FailureReason | undefined;
}

export interface SessionState {
  readonly identity: Identity | undefined;
  /** Name of the core relay that this page is connected to. */
  readonly coreName: string | undefined;
  /** What the meetings go over. */
  readonly way: Way;
  /** Where the terminal is, or wants to be, live. */
  readonly place: Place;
  /** The second meeting, whose place is kept while the terminal is live in the first. */
  readonly other: Entry | undefined;
  /** Away by choice. */
  readonly away: boolean;
  /** What is being asked for, while the answer is awaited. */
  readonly busy: Activity | undefined;
  readonly problem: Problem | undefined;
  readonly hints: Hints;
  readonly reading: Reading | undefined;
  readonly notices: Notices;
  /** How one can log in; undefined until it is known. */
  readonly logInOptions: LogInOptions | undefined;
}

export type SessionAction =
  | { kind: "asked"; activity: Activity }
  | { kind: "answered" }
  | { kind: "failed"; problem: Problem }
  | { kind: "problemSeen" }
  | { kind: "connected"; coreName: string }
  | { kind: "way"; way: Way }
  | { kind: "entered"; identity: Identity }
  | { kind: "logInOptions"; options: LogInOptions }
  | { kind: "refreshed"; identity: Identity }
  | { kind: "identityGone"; problem: Problem | undefined }
  /** `held`: beside the meeting that the terminal is live in. */
  | { kind: "joining"; meetingId: string; held: boolean }
  | { kind: "hindered"; meetingId: string; hindrance: Hindrance | undefined }
  | {
      kind: "joined";
      meeting: Meeting;
      selfId: number;
      /** Undefined: missed events follow, or a host must let the terminal in first. */
      snapshot: Snapshot | undefined;
      waiting: boolean;
      pending: readonly Pending[];
    }
  /** A roster that came by itself. */
  | { kind: "roster"; meetingId: string; snapshot: Snapshot; pending: readonly Pending[] }
  | { kind: "event"; meetingId: string; event: NumberedChange }
  | { kind: "stay"; meetingId: string; action: StayAction }
  /** The terminal is live in the other meeting now. */
  | { kind: "switched"; meetingId: string }
  | { kind: "notJoined"; meetingId: string; reason: FailureReason }
  | { kind: "away"; away: boolean }
  | { kind: "hint"; meetingId: string; body: HintBody }
  | { kind: "hintSeen"; id: number }
  | { kind: "reading"; meetingId: string }
  | { kind: "read"; details: MeetingDetails }
  | { kind: "readRefused"; meetingId: string; reason: FailureReason }
  | { kind: "notices"; action: NoticeAction }
  | { kind: "over"; meetingId: string; reason: OverReason }
  /** The page goes, and leaves. */
  | { kind: "gone" }
  | { kind: "outside" };

/** `putOff`: the notices that are not to be shown yet. */
export function initialState(
  identity: Identity | undefined,
  putOff: Notices["putOff"] = NO_NOTICES.putOff,
): SessionState {
  return {
    identity,
    coreName: undefined,
    way: STRAIGHT,
    place: { kind: "outside" },
    other: undefined,
    away: false,
    busy: undefined,
    problem: undefined,
    hints: NO_HINTS,
    reading: undefined,
    notices: { ...NO_NOTICES, putOff },
    logInOptions: undefined,
  };
}

export function reduce(state: SessionState, action: SessionAction): SessionState {
  switch (action.kind) {
    case "asked":
      return { ...state, busy: action.activity, problem: undefined };
    case "answered":
      return { ...state, busy: undefined };
    case "failed":
      return { ...leftBehind(state), busy: undefined, problem: action.problem };
    case "problemSeen":
      return { ...state, problem: undefined };
    case "connected":
      return { ...state, coreName: action.coreName };
    case "way":
      return { ...state, way: action.way };
    case "entered":
      // What somebody else could read and was told is not this person's.
      return { ...state, identity: action.identity, busy: undefined, ...nothingKnown };
    case "logInOptions":
      return { ...state, logInOptions: action.options };
    case "refreshed":
      return { ...state, identity: action.identity };
    case "identityGone":
      return {
        ...state,
        identity: undefined,
        busy: undefined,
        problem: action.problem,
        ...nowhere,
        ...nothingKnown,
      };
    case "reading":
    case "read":
    case "readRefused":
      return { ...state, reading: reduceReading(state.reading, action) };
    case "notices":
      return { ...state, notices: reduceNotices(state.notices, action.action) };
    case "hint":
      return hinted(state, action.meetingId, action.body);
    case "hintSeen":
      return { ...state, hints: withoutHint(state.hints, action.id) };
    case "away":
      return { ...state, away: action.away };
    case "gone":
      return { ...state, ...gone(state) };
    case "outside":
      return { ...state, ...nowhere, problem: undefined };
    default:
      return reducePlaces(state, action);
  }
}

type PlaceAction = Extract<
  SessionAction,
  {
    kind:
      | "joining"
      | "hindered"
      | "joined"
      | "roster"
      | "event"
      | "stay"
      | "switched"
      | "notJoined"
      | "over";
  }
>;

function reducePlaces(state: SessionState, action: PlaceAction): SessionState {
  switch (action.kind) {
    case "joining": {
      const problem = action.held ? state.problem : undefined;
      return { ...state, ...joining(state, action.meetingId, action.held), problem };
    }
    case "hindered":
      return { ...state, ...hindered(state, action.meetingId, action.hindrance) };
    case "joined":
      return { ...state, ...joined(state, action) };
    case "roster":
      return rosterCame(state, action);
    case "event":
      return happened(state, action.meetingId, action.event);
    case "stay":
      return { ...state, ...withStay(state, action.meetingId, action.action) };
    case "switched":
      return { ...state, ...switched(state, action.meetingId) };
    case "notJoined": {
      const { meetingId, reason } = action;
      if (state.other === undefined || meetingIdAt(state.other) !== meetingId) return state;
      return { ...hinted(state, meetingId, { kind: "notJoined", reason }), other: undefined };
    }
    case "over":
      return over(state, action.meetingId, action.reason);
  }
}

const nothingKnown = { reading: undefined, notices: NO_NOTICES } as const;
const nowhere = {
  place: { kind: "outside" },
  other: undefined,
  away: false,
  hints: NO_HINTS,
} as const;

/** The details of this meeting, if they are known. */
export function detailsOn(state: SessionState, meetingId: string): MeetingDetails | undefined {
  return state.reading?.meetingId === meetingId ? state.reading.details : undefined;
}

function reduceReading(
  reading: Reading | undefined,
  action: Extract<SessionAction, { kind: "reading" | "read" | "readRefused" }>,
): Reading | undefined {
  if (action.kind === "reading") {
    const details = reading?.meetingId === action.meetingId ? reading.details : undefined;
    return { meetingId: action.meetingId, status: "reading", details, reason: undefined };
  }
  const meetingId = action.kind === "read" ? action.details.meeting.id : action.meetingId;
  // An answer about a meeting that nobody looks at any more.
  if (reading?.meetingId !== meetingId) return reading;
  if (action.kind === "read") {
    return { meetingId, status: "known", details: action.details, reason: undefined };
  }
  const { reason } = action;
  // What was known stays true where only the asking failed.
  const details = isVerdict(reason) ? undefined : reading.details;
  return { meetingId, status: "refused", details, reason };
}

function isVerdict(reason: FailureReason): boolean {
  return reason === "notAdmitted" || reason === "wrongPassword" || reason === "expired";
}

function rosterCame(
  state: SessionState,
  { meetingId, snapshot, pending }: Extract<SessionAction, { kind: "roster" }>,
): SessionState {
  const waited = entryAt(state, meetingId)?.kind === "waiting";
  if (!waited) return { ...state, ...withStay(state, meetingId, { kind: "snapshot", snapshot }) };
  const inside = { ...state, ...letIn(state, meetingId, snapshot, pending) };
  return atMeeting(inside.other, meetingId) ? hinted(inside, meetingId, { kind: "letIn" }) : inside;
}

function happened(state: SessionState, meetingId: string, event: NumberedChange): SessionState {
  const entry = entryAt(state, meetingId);
  if (entry?.kind !== "inside" || event.number <= entry.stay.cursor) return state;
  const next = { ...state, ...withStay(state, meetingId, { kind: "event", event }) };
  if (answersAsked(entry.stay, event)) {
    return { ...next, hints: withoutAsked(next.hints, meetingId) };
  }
  const hint = hintOf(entry.stay, event);
  return hint === undefined ? next : hinted(next, meetingId, hint);
}

function hinted(state: SessionState, meetingId: string, body: HintBody): SessionState {
  const hints = withHint(state.hints, meetingId, subjectOf(state, meetingId), body);
  return { ...state, hints };
}

/** Joining that fails leads back to the form; being inside goes on. */
function leftBehind(state: SessionState): SessionState {
  const { kind } = state.place;
  const atTheDoor = kind === "joining" || kind === "waiting";
  return atTheDoor ? { ...state, place: { kind: "outside" } } : state;
}

/** Who is live in one meeting when it ends goes on in the other; else it is over. */
function over(state: SessionState, meetingId: string, reason: OverReason): SessionState {
  const places: Places | undefined = afterOver(state, meetingId, reason);
  if (places === undefined) return state;
  const wasLive = atMeeting(state.place, meetingId);
  const next = { ...state, ...places, busy: undefined };
  if (next.place.kind === "over") return { ...next, hints: NO_HINTS, away: false };
  if (reason === "left") return next;
  const hints = withHint(state.hints, meetingId, subjectOf(state, meetingId), {
    kind: "meetingOver",
    reason,
    wasLive,
  });
  return { ...next, hints };
}
