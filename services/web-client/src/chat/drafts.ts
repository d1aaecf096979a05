// What is being written and to whom, by meeting: it stays while one looks at something else.

import { Store } from "../app/store";

export interface Draft {
  readonly text: string;
  /** Participants; empty: everybody. */
  readonly to: readonly number[];
}

const NOTHING: Draft = { text: "", to: [] };

export class Drafts {
  readonly all = new Store<ReadonlyMap<string, Draft>>(new Map());

  of(meetingId: string): Draft {
    return this.all.get().get(meetingId) ?? NOTHING;
  }

  set(meetingId: string, draft: Draft): void {
    this.all.set(new Map(this.all.get()).set(meetingId, draft));
  }
}
