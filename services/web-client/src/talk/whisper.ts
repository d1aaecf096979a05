// Holding and latching private talk: from what the person does to the operations that say it.

import { TARGETS_MAX } from "../operations/act";
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

  /** Held down: talks to these until it is let go. */
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
    const own = this.around.own();
    if (own !== undefined && (isWished(own) || own.phase === "adrift")) this.send([], false);
  }

  private wish(targetIds: readonly number[], latched: boolean): void {
    const own = this.around.own();
    const ids = [...new Set(targetIds)].slice(0, TARGETS_MAX);
    if (own === undefined || ids.length === 0) return;
    if (isWished(own) && own.latched === latched && sameIds(ids, own.targetIds)) return;
    this.send(ids, latched);
  }

  private send(targetIds: readonly number[], latched: boolean): void {
    const operationId = this.around.talkTo(targetIds);
    if (operationId === undefined) return;
    this.around.dispatch({ kind: "wished", targetIds, latched, operationId });
  }
}

function isWished({ phase }: OwnTalk): boolean {
  return phase === "asking" || phase === "private";
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
