// Finds out the names of users who were never seen on this page: what the screens show is asked for in
// batches, each user once.

import { backoffMs } from "../session/backoff";
import type { FailureReason, Outcome } from "../session/refusal";
import type { NameBook } from "./names";
import type { FoundUser } from "./people";

/** What one screen shows comes together within this time, in ms. */
const GATHER_MS = 20;
/** Users per request: their ids and names fit into a message. */
export const BATCH_MAX = 100;
/** Users that are remembered as unknown, and asked for, at most. */
const ASKED_MAX = 5000;
/** The longest pause before asking again for what could not be answered, in ms. */
const LONGEST_PAUSE_MS = 60_000;
/** Letters that user ids are made of; others the server would refuse, and the batch with them. */
const USER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Failures that pass by themselves. */
const PASSING: ReadonlySet<FailureReason> = new Set<FailureReason>([
  "unreachable",
  "tryAgain",
  "limit",
]);

export interface Surroundings {
  /** Who asks; undefined where nobody may: guests, and who is not logged in. */
  readonly asker: () => string | undefined;
  /** Calls `listener` whenever that may have changed. */
  readonly subscribe: (listener: () => void) => void;
  readonly find: (userIds: readonly string[]) => Promise<Outcome<readonly FoundUser[]>>;
}

export class NameFinder {
  /** About to be asked for, or asked for in vain: those that nobody knows keep their ids. */
  private readonly asked = new Set<string>();
  private waiting: string[] = [];
  private failures = 0;
  private asker: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;

  constructor(
    private readonly names: NameBook,
    private readonly around: Surroundings,
  ) {
    around.subscribe(() => this.follow());
  }

  /** These users are shown: who of them is not known yet will be. */
  want(userIds: readonly string[]): void {
    this.follow();
    if (this.asker === undefined) return;
    const known = this.names.names.get();
    for (const userId of userIds) {
      if (known.has(userId) || this.asked.has(userId) || !USER_ID.test(userId)) continue;
      if (this.asked.size >= ASKED_MAX) break;
      this.asked.add(userId);
      this.waiting.push(userId);
    }
    this.askIn(GATHER_MS);
  }

  /** Whoever else is logged in now asks anew. */
  private follow(): void {
    const asker = this.around.asker();
    if (asker === this.asker) return;
    this.asker = asker;
    this.asked.clear();
    this.waiting = [];
    this.failures = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private askIn(ms: number): void {
    if (this.waiting.length === 0 || this.asking || this.timer !== undefined) return;
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  private async ask(): Promise<void> {
    this.timer = undefined;
    this.follow();
    const { asker } = this;
    const batch = this.waiting.splice(0, BATCH_MAX);
    if (asker === undefined || batch.length === 0) return;
    this.asking = true;
    const answer = await this.around.find(batch);
    this.asking = false;
    this.follow();
    // What somebody else was told is not for who is logged in now.
    if (asker === this.asker) this.take(batch, answer);
    const pause = backoffMs(this.failures, Math.random(), LONGEST_PAUSE_MS);
    this.askIn(this.failures === 0 ? 0 : pause);
  }

  private take(batch: readonly string[], answer: Outcome<readonly FoundUser[]>): void {
    if (answer.ok) {
      this.failures = 0;
      this.names.learn(answer.value);
      for (const { userId } of answer.value) this.asked.delete(userId);
    } else if (PASSING.has(answer.reason)) {
      this.failures += 1;
      this.waiting.unshift(...batch);
    }
  }
}
