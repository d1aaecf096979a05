// Whether something else, such as a phone call, has taken the microphone: true only when it lasts, so
// that nobody is told of blips.

import { Store } from "../app/store";

/** What lasts shorter is told to nobody, in ms. */
export const GRACE_MS = 2000;

export class Interruption {
  readonly state = new Store(false);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private seen = false;

  see(taken: boolean): void {
    if (taken === this.seen) return;
    this.seen = taken;
    clearTimeout(this.timer);
    if (taken === this.state.get()) return;
    this.timer = setTimeout(() => this.state.set(taken), GRACE_MS);
  }

  /** Without a microphone there is nothing to be taken. */
  forget(): void {
    clearTimeout(this.timer);
    this.seen = false;
    this.state.set(false);
  }
}
