// Holding and latching private talk: from what the person does to the operations that say it.

import { TARGETS_MAX } from "../operations/act";
import { isWished } from "./talk";
import type { OwnTalk, TalkAction } from "./talk";

export interface Surroundings {
  /** The own talk in the live meeting; undefined outside of one. */
  readonly own: () => OwnTalk | undefined;
  /** Sends a `talkTo`; its operation id, undefined if that is not possible now. */
  readonly talkTo: (targetIds: readonly number[]) => string | undefined;
  readonly dispatch: (action: TalkAction) => void;
}

export class Whisper {
  constructor(private readonly around: Surroundings) {}

  /** Held down: talks to these until it is let go; to nobody if there is none. */
  press(targetIds: readonly number[]): void {
    this.wish(targetIds, false);
  }

  /** Talks to these without being held; without ids, what is held goes on so. */
  latch(targetIds?: readonly number[]): void {
    const own = this.around.own();
    const same = targetIds === undefined || sameIds(targetIds, own?.targetIds ?? []);
    if (own !== undefined && isWished(own) && same) this.around.dispatch({ kind: "latched" });
    else if (targetIds !== undefined) this.wish(targetIds, true);
  }

  /** Let go: back to the floor, unless it is latched. */
  release(): void {
    if (this.around.own()?.latched === false) this.stop();
  }

  /** Back to the floor. */
  stop(): void {
    this.around.dispatch({ kind: "letGo" });
    this.end();
  }

  /** Ends what is in force without the person: who has begun it goes on unheard. */
  end(): void {
    const own = this.around.own();
    if (own === undefined || (!isWished(own) && own.phase !== "adrift")) return;
    const operationId = this.around.talkTo([]);
    // What can't be sent now is sent later: it is adrift until then.
    if (operationId !== undefined) this.around.dispatch({ kind: "ending", operationId });
  }

  private wish(targetIds: readonly number[], latched: boolean): void {
    const own = this.around.own();
    const ids = [...new Set(targetIds)].slice(0, TARGETS_MAX);
    if (own === undefined) return;
    if (isWished(own) && own.latched === latched && sameIds(ids, own.targetIds)) return;
    const operationId = ids.length === 0 ? undefined : this.around.talkTo(ids);
    if (operationId === undefined) this.around.dispatch({ kind: "failed", latched });
    else this.around.dispatch({ kind: "wished", targetIds: ids, latched, operationId });
  }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
