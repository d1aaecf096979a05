// What the page knows about its session: who, where, with whom. Pure; the session dispatches.

import type { RosterAction, Roster } from "../meeting/roster";
import { EMPTY_ROSTER, reduceRoster } from "../meeting/roster";
import type { Hindrance, OverReason } from "./recovery";
import type { RefusalReason } from "./refusal";
import type { Identity, Meeting } from "./wire";

export type Place =
  | { kind: "outside" }
  | { kind: "joining"; meetingId: string; hindrance: Hindrance | undefined }
  | { kind: "inside"; meeting: Meeting; selfId: number; hindrance: Hindrance | undefined }
  | { kind: "over"; meetingId: string; reason: OverReason };

export type Activity = "logIn" | "guest" | "create" | "join" | "end";

/** Why something that a person asked for did not happen. */
export interface Problem {
  readonly during: Activity;
  readonly reason: RefusalReason | "unreachable" | "insecure" | "expired";
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
}

export type SessionAction =
  | { kind: "asked"; activity: Activity }
  | { kind: "answered" }
  | { kind: "failed"; problem: Problem }
  | { kind: "problemSeen" }
  | { kind: "connected"; relayName: string }
  | { kind: "entered"; identity: Identity }
  | { kind: "identityGone"; problem: Problem | undefined }
  | { kind: "joining"; meetingId: string }
  | { kind: "hindered"; hindrance: Hindrance }
  | { kind: "joined"; meeting: Meeting; selfId: number }
  | { kind: "roster"; action: RosterAction }
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
      return { ...state, identity: action.identity, busy: undefined };
    case "identityGone":
      return {
        ...state,
        identity: undefined,
        busy: undefined,
        problem: action.problem,
        place: { kind: "outside" },
        roster: EMPTY_ROSTER,
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
    case "roster":
      return { ...state, roster: reduceRoster(state.roster, action.action) };
    case "over":
      return over(state, action.reason);
    case "outside":
      return { ...state, place: { kind: "outside" }, problem: undefined, roster: EMPTY_ROSTER };
  }
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
