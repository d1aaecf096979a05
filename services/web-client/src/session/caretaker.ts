// Looks after who is logged in while the page is open: the identity is refreshed in time and when
// somebody comes back to the page, and notices are received.

import { pause } from "./backoff";
import { receiveNotices, watchEnds } from "./background";
import type { Surroundings as Background } from "./background";
import { refreshDueMs, refreshOnReturn } from "./identity";
import type { Identity } from "./wire";

/** After a failure to refresh, the next try, in ms. */
const RETRY_MS = 20_000;
/** Timers can't be set for longer, in ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Surroundings extends Background {
  readonly subscribe: (listener: () => void) => () => void;
  /** True if there is a new identity afterwards. */
  readonly refresh: () => Promise<boolean>;
}

export class Caretaker {
  private current: Identity | undefined;
  private account: string | undefined;
  private timer: AbortController | undefined;
  private receiving: AbortController | undefined;
  private stopWatching: () => void = () => {};
  private watched: unknown;

  constructor(private readonly around: Surroundings) {
    around.subscribe(() => this.follow());
    this.follow();
  }

  /** Somebody comes back to the page. */
  returned(): void {
    const { identity } = this.around.state();
    if (identity !== undefined && refreshOnReturn(identity, Date.now())) void this.refresh();
  }

  private follow(): void {
    const state = this.around.state();
    const { identity } = state;
    if (identity !== this.current) {
      this.current = identity;
      this.schedule(identity);
    }
    const account = identity === undefined || identity.guest ? undefined : identity.userId;
    if (account !== this.account) {
      this.account = account;
      this.receive(account !== undefined);
    }
    if (state.notices !== this.watched) {
      this.watched = state.notices;
      this.stopWatching();
      this.stopWatching = watchEnds(state, (nowMs) =>
        this.around.dispatch({ kind: "notices", action: { kind: "timePassed", nowMs } }),
      );
    }
  }

  private schedule(identity: Identity | undefined): void {
    this.timer?.abort();
    if (identity === undefined || !Number.isFinite(identity.expiresAtMs)) return;
    void this.refreshIn(refreshDueMs(identity) - Date.now());
  }

  private async refreshIn(ms: number): Promise<void> {
    this.timer?.abort();
    const timer = new AbortController();
    this.timer = timer;
    await pause(Math.min(Math.max(0, ms), TIMER_MAX_MS), timer.signal);
    if (!timer.signal.aborted) await this.refresh();
  }

  private async refresh(): Promise<void> {
    const before = this.current;
    const refreshed = await this.around.refresh();
    // Unless it was replaced or has gone, which sets a timer of its own, it is tried again.
    if (!refreshed && before !== undefined && this.current === before) {
      void this.refreshIn(RETRY_MS);
    }
  }

  private receive(on: boolean): void {
    this.receiving?.abort();
    this.receiving = undefined;
    if (!on) return;
    this.receiving = new AbortController();
    void receiveNotices(this.around, this.receiving.signal);
  }
}
