// The address and the meeting that the terminal is live in, kept together: a switch changes the
// address; an address that a person has chosen switches, or leaves.

import { entryAt, meetingIdAt } from "../session/state";
import type { SessionState } from "../session/state";
import type { Route } from "./route";
import type { Store } from "./store";

/** What of the page is used. */
export interface Surroundings {
  readonly state: Store<SessionState>;
  readonly route: Store<Route>;
  /** The meeting is in a small window: other pages are looked at beneath it, and nothing is left. */
  readonly beneath: () => boolean;
  readonly nowAtMeeting: (meetingId: string) => void;
  readonly switchTo: (meetingId: string) => void;
  readonly leaveAll: () => void;
}

/** What a change of the address asks for. */
export type Turn = "nothing" | "switch" | "leave";

export function turnFor(state: SessionState, route: Route, beneath: boolean): Turn {
  const here = meetingIdAt(state.place);
  const wanted = route.kind === "meeting" ? route.meetingId : undefined;
  if (here === undefined || here === wanted) return "nothing";
  const other = wanted === undefined ? undefined : entryAt(state, wanted);
  if (other?.kind === "inside") return "switch";
  return beneath && state.place.kind === "inside" ? "nothing" : "leave";
}

/** Keeps both together from now on. */
export function followAddress(around: Surroundings): void {
  let live = meetingIdAt(around.state.get().place);
  around.route.subscribe(() => {
    const route = around.route.get();
    const turn = turnFor(around.state.get(), route, around.beneath());
    if (turn === "switch" && route.kind === "meeting") around.switchTo(route.meetingId);
    else if (turn === "leave") around.leaveAll();
  });
  around.state.subscribe(() => {
    const { place } = around.state.get();
    const now = meetingIdAt(place);
    const before = live;
    live = now;
    // Going from one meeting into another is a switch; everything else follows the address.
    if (now === undefined || before === undefined || now === before) return;
    const route = around.route.get();
    const there = route.kind === "meeting" && route.meetingId === now;
    if (!there && place.kind !== "over") around.nowAtMeeting(now);
  });
}
