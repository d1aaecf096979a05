// What this person may know of a meeting beside what happens in it: read when it is the live one, and
// again when it was changed.

import type { Answer } from "./connection";
import type { Outcome } from "./refusal";
import { detailsOn, liveStay } from "./state";
import type { SessionAction, SessionState } from "./state";
import { detailsOf } from "./wire-details";

/** Changes of a meeting that come within this time are read together, in ms. */
const READ_AFTER_MS = 300;

export interface Surroundings {
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  /** The password that has let this person in, empty if none. */
  readonly passwordOf: (meetingId: string) => string;
  readonly ask: (meetingId: string, password: string) => Promise<Outcome<Answer<"readMeeting">>>;
}

export class DetailsReader {
  /** By meeting. */
  private readonly rereading = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly around: Surroundings) {}

  async read(meetingId: string): Promise<void> {
    const { state, dispatch } = this.around;
    const userId = state().identity?.userId;
    const password = this.around.passwordOf(meetingId);
    dispatch({ kind: "reading", meetingId });
    const answer = await this.around.ask(meetingId, password);
    if (state().identity?.userId !== userId) return;
    if (answer.ok) return dispatch({ kind: "read", details: detailsOf(answer.value, meetingId) });
    const needed = answer.reason === "wrongPassword" && password === "";
    const reason = needed ? "passwordNeeded" : answer.reason;
    dispatch({ kind: "readRefused", meetingId, reason });
  }

  /** Of the live meeting only: one at a time is known. */
  know(meetingId: string): void {
    const { identity } = this.around.state();
    if (!this.isLive(meetingId)) return;
    // What somebody with an account may do in the meeting is to be known; guests can do nothing more.
    const unread = detailsOn(this.around.state(), meetingId) === undefined;
    if (unread && identity?.guest === false) void this.read(meetingId);
  }

  /** Outsiders' reads are counted as accesses: for them it is read when they ask for it. */
  changed(meetingId: string): void {
    const role = detailsOn(this.around.state(), meetingId)?.role ?? "outsider";
    if (role === "outsider" || this.rereading.has(meetingId)) return;
    const timer = setTimeout(() => {
      this.rereading.delete(meetingId);
      if (this.isLive(meetingId)) void this.read(meetingId);
    }, READ_AFTER_MS);
    this.rereading.set(meetingId, timer);
  }

  private isLive(meetingId: string): boolean {
    return liveStay(this.around.state())?.meeting.id === meetingId;
  }
}
