// What the page knows about its session: who, where, with whom. Pure; the session dispatches.

import type { RosterAction, Roster } from "../meeting/roster";
import { EMPTY_ROSTER, reduceRoster } from "../meeting/roster";
import { NO_NOTICES, reduceNotices } from "../notices/notices";
import type { NoticeAction, Notices } from "../notices/notices";
import type { Hindrance, OverReason } from "./recovery";
import type { FailureReason } from "./refusal";
import type { Identity, LogInOptions, Meeting } from "./wire";
import type { MeetingDetails } from "./wire-details";

export type Place =
  | { kind: "outside" }
  | { kind: "joining"; meetingId: string; hindrance: Hindrance | undefined }
  | { kind: "inside"; meeting: Meeting; selfId: number; hindrance: Hindrance | undefined }
  | { kind: "over"; meetingId: string; reason: OverReason };

/** What a screen waits for. */
export type Activity = "logIn" | "guest" | "oidc" | "create" | "join" | "end";

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
  /** Name of the relay that this page is connected to. */
  readonly relayName: string | undefined;
  readonly place: Place;
  /** What is being asked for, while the answer is awaited. */
  readonly busy: Activity | undefined;
  readonly problem: Problem | undefined;
  readonly roster: Roster;
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
  | { kind: "connected"; relayName: string }
  | { kind: "entered"; identity: Identity }
  | { kind: "logInOptions"; options: LogInOptions }
  | { kind: "refreshed"; identity: Identity }
  | { kind: "identityGone"; problem: Problem | undefined }
  | { kind: "joining"; meetingId: string }
  | { kind: "hindered"; hindrance: Hindrance }
  | { kind: "joined"; meeting: Meeting; selfId: number }
  | { kind: "renamed"; subject: string }
  | { kind: "roster"; action: RosterAction }
  | { kind: "reading"; meetingId: string }
  | { kind: "read"; details: MeetingDetails }
  | { kind: "readRefused"; meetingId: string; reason: FailureReason }
  | { kind: "notices"; action: NoticeAction }
  | { kind: "over"; reason: OverReason }
  | { kind: "outside" };

export function initialState(identity: Identity | undefined): SessionState {
  return {
    identity,
    relayName: undefined,
    place: { kind: "outside" },
    busy: undefined,
    problem: undefined,
    roster: EMPTY_ROSTER,
    reading: undefined,
    notices: NO_NOTICES,
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
      return { ...state, relayName: action.relayName };
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
        place: { kind: "outside" },
        roster: EMPTY_ROSTER,
        ...nothingKnown,
      };
    case "joining":
      return {
        ...state,
        place: { kind: "joining", meetingId: action.meetingId, hindrance: undefined },
        problem: undefined,
        roster: EMPTY_ROSTER,
      };
    case "hindered":
      // Who speaks is not known any more; who is in is unlikely to have changed.
      return {
        ...state,
        place: hindered(state.place, action.hindrance),
        roster: { ...state.roster, speakers: [] },
      };
    case "joined":
      return {
        ...state,
        place: {
          kind: "inside",
          meeting: action.meeting,
          selfId: action.selfId,
          hindrance: undefined,
        },
      };
    case "renamed":
      return { ...state, place: renamed(state.place, action.subject) };
    case "roster":
      return { ...state, roster: reduceRoster(state.roster, action.action) };
    case "reading":
    case "read":
    case "readRefused":
      return { ...state, reading: reduceReading(state.reading, action) };
    case "notices":
      return { ...state, notices: reduceNotices(state.notices, action.action) };
    case "over":
      return over(state, action.reason);
    case "outside":
      return { ...state, place: { kind: "outside" }, problem: undefined, roster: EMPTY_ROSTER };
  }
}

const nothingKnown = { reading: undefined, notices: NO_NOTICES } as const;

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

function renamed(place: Place, subject: string): Place {
  return place.kind === "inside" ? { ...place, meeting: { ...place.meeting, subject } } : place;
}

/** The meeting that the terminal is in or on its way to. */
export function meetingIdAt(place: Place): string | undefined {
  switch (place.kind) {
    case "outside":
      return undefined;
    case "inside":
      return place.meeting.id;
    default:
      return place.meetingId;
  }
}

function hindered(place: Place, hindrance: Hindrance): Place {
  if (place.kind !== "joining" && place.kind !== "inside") return place;
  return { ...place, hindrance };
}

/** Joining that fails leads back to the form; being inside goes on. */
function leftBehind(state: SessionState): SessionState {
  return state.place.kind === "joining" ? { ...state, place: { kind: "outside" } } : state;
}

function over(state: SessionState, reason: OverReason): SessionState {
  const meetingId = meetingIdAt(state.place);
  if (meetingId === undefined) return state;
  return {
    ...state,
    busy: undefined,
    place: { kind: "over", meetingId, reason },
    roster: EMPTY_ROSTER,
  };
}
