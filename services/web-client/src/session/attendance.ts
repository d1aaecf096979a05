// One stay in one meeting, from the first try to join until it is over: joins, stays, and comes
// back as the same participant whenever the connection is lost.

import type { Store } from "../app/store";
import { backoffMs, pause } from "./backoff";
import type { Connection, Unasked } from "./connection";
import type { TerminalKey } from "./key";
import { followMuted } from "./muting";
import { afterFailure } from "./recovery";
import type { Step } from "./recovery";
import { wasUnheard } from "./refusal";
import type { FailureReason, RefusalReason } from "./refusal";
import type { SessionAction, SessionState } from "./state";
import type { TabMemory } from "./tab";
import { meetingOf, numberedChangeOf, snapshotOf, timeOf } from "./wire";
import type { Identity } from "./wire";

/** How often a refused identity is replaced before its owner is asked. */
const IDENTITY_RENEWALS_MAX = 3;
/** A missing event is waited for this long, in ms. */
const GAP_MAX_MS = 1500;

/** The way of audio to and from the relay. */
export interface AudioLink {
  /** True while nothing of the microphone is to be heard. */
  readonly muted: Store<boolean>;
  /**
   * Makes a new peer connection by `exchange` (offer in, answer out), and again whenever it fails,
   * until `exchange` finds the relay's connection lost. The old one is used until then.
   */
  connect(exchange: (offer: string) => Promise<string>): void;
  disconnect(): void;
}

/** What a stay needs from the session. */
export interface Surroundings {
  readonly audio: AudioLink;
  readonly key: () => Promise<TerminalKey>;
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  /** The open connection, or a new one. Rejects with `ConnectionLost` or `Refused`. */
  readonly dial: () => Promise<Connection>;
  /** A new identity in place of one that was refused, if that needs nobody's password. */
  readonly renewIdentity: () => Promise<Identity | undefined>;
  readonly memory: TabMemory;
  /** The terminal is in for the first time. */
  readonly joined: () => void;
  /** Members, attachments or the like were changed, or may have been while nobody listened. */
  readonly detailsChanged: () => void;
}

interface HeldCredential {
  readonly joinCredential: string;
  readonly expiresAtMs: number;
}

export class Attendance {
  private readonly stopped = new AbortController();
  private readonly whenStopped = new Promise<void>((resolve) =>
    this.stopped.signal.addEventListener("abort", () => resolve()),
  );
  private held: HeldCredential | undefined;
  private inside = false;
  private attempt = 0;
  private renewals = 0;
  private gapTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly around: Surroundings,
    readonly meetingId: string,
    private readonly password: string,
  ) {}

  /** Resolves when the stay is over; how it ended is in the state. */
  async run(): Promise<void> {
    const { signal } = this.stopped;
    this.around.dispatch({ kind: "joining", meetingId: this.meetingId });
    while (!signal.aborted) {
      const heldCredential = this.held !== undefined;
      try {
        const connection = await this.around.dial();
        if (signal.aborted) return;
        await this.enter(connection);
        this.attempt = 0;
        this.renewals = 0;
        await Promise.race([connection.ended, this.whenStopped]);
      } catch (failure) {
        if (signal.aborted) return;
        // The page had been left alone: nobody needs to be told that it connects again.
        if (wasUnheard(failure) && this.attempt++ === 0) continue;
        const situation = { inside: this.inside, heldCredential };
        await this.take(afterFailure(failure, situation));
      }
    }
  }

  /** Ends the stay here; telling the relay is the session's. */
  stop(): void {
    this.stopped.abort();
    clearTimeout(this.gapTimer);
    this.around.audio.disconnect();
  }

  private async take(step: Step): Promise<void> {
    const { dispatch } = this.around;
    switch (step.kind) {
      case "renew":
        this.held = undefined;
        return this.wait(step.hindrance);
      case "retry":
        return this.wait(step.hindrance);
      case "enterAgain":
        return this.enterAgain();
      case "giveUp":
        this.stop();
        return dispatch({ kind: "failed", problem: { during: "join", reason: this.why(step) } });
      case "over":
        this.stop();
        return dispatch({ kind: "over", reason: step.reason });
    }
  }

  /** Nobody is told that a password is wrong who has not typed one. */
  private why({ reason }: { reason: RefusalReason }): FailureReason {
    return reason === "wrongPassword" && this.password === "" ? "passwordNeeded" : reason;
  }

  private async wait(hindrance: "lost" | "draining" | "tryAgain"): Promise<void> {
    this.around.dispatch({ kind: "hindered", hindrance });
    await pause(backoffMs(this.attempt++, Math.random()), this.stopped.signal);
  }

  private async enterAgain(): Promise<void> {
    this.held = undefined;
    const mayRenew = this.renewals++ < IDENTITY_RENEWALS_MAX;
    const identity = mayRenew ? await this.around.renewIdentity() : undefined;
    if (this.stopped.signal.aborted) return;
    if (identity !== undefined) return this.wait("tryAgain");
    this.stop();
    const problem = { during: "join", reason: "expired" } as const;
    this.around.dispatch({ kind: "identityGone", problem });
  }

  /** From a connection to being inside. */
  private async enter(connection: Connection): Promise<void> {
    const { audio, dispatch, state } = this.around;
    const { signal } = this.stopped;
    const key = await this.around.key();
    const joinCredential = await this.credential(connection, key);
    const proof = await key.prove(connection.welcome.nonce, joinCredential);
    if (signal.aborted) return;
    const muted = audio.muted.get();
    const cursor = this.inside ? state().roster.cursor : 0n;
    connection.onUnasked = (message) => this.hear(message, connection);
    const joined = await connection.request("join", {
      joinCredential,
      publicKey: key.publicKey,
      proof,
      muted,
      cursor,
    });
    if (signal.aborted) return;
    const cameBack = this.inside;
    this.inside = true;
    dispatch({ kind: "roster", action: { kind: "snapshot", snapshot: snapshotOf(joined.roster) } });
    const meeting = meetingOf(joined.meeting, this.meetingId);
    dispatch({ kind: "joined", meeting, selfId: joined.participantId });
    audio.connect(async (sdp) => (await connection.request("mediaOffer", { sdp })).sdp);
    void followMuted(connection, audio.muted, muted, signal);
    if (cameBack) this.around.detailsChanged();
    else this.around.joined();
  }

  private async credential(connection: Connection, key: TerminalKey): Promise<string> {
    if (this.held !== undefined && this.held.expiresAtMs > Date.now()) {
      return this.held.joinCredential;
    }
    this.held = undefined;
    const { memory, state } = this.around;
    const { joinCredential, expiresAt } = await connection.request("requestJoinCredential", {
      identityToken: state().identity?.token ?? "",
      meetingId: this.meetingId,
      password: this.password,
      publicKey: key.publicKey,
      shareSecret: memory.secretOf(this.meetingId),
      previousJoinCredential: memory.credentialOf(this.meetingId),
    });
    memory.keep(this.meetingId, { credential: joinCredential });
    this.held = { joinCredential, expiresAtMs: timeOf(expiresAt) };
    return joinCredential;
  }

  private hear(message: Unasked, connection: Connection): void {
    if (this.stopped.signal.aborted || !this.inside) return;
    const { dispatch, state } = this.around;
    switch (message.case) {
      case "speakers": {
        const ids = message.value.speakerIds;
        return dispatch({ kind: "roster", action: { kind: "speakers", ids } });
      }
      case "roster": {
        const snapshot = snapshotOf(message.value);
        dispatch({ kind: "roster", action: { kind: "snapshot", snapshot } });
        break;
      }
      case "event": {
        const event = numberedChangeOf(message.value);
        const isNew = event.number > state().roster.cursor;
        dispatch({ kind: "roster", action: { kind: "event", event } });
        const { change } = event;
        if (isNew && change.kind === "left" && change.participantId === this.selfId()) {
          return this.takenOut(change.lost, connection);
        }
        if (change.kind === "renamed") dispatch({ kind: "renamed", subject: change.subject });
        if (change.kind === "renamed" || change.kind === "detailsChanged") {
          this.around.detailsChanged();
        }
        break;
      }
    }
    if (state().roster.ended) void this.take({ kind: "over", reason: "ended" });
    else this.watchGap();
  }

  private selfId(): number | undefined {
    const { place } = this.around.state();
    return place.kind === "inside" ? place.selfId : undefined;
  }

  /** The meeting thinks that this terminal is gone. If it was only lost, it comes back. */
  private takenOut(lost: boolean, connection: Connection): void {
    if (lost) connection.close();
    else void this.take({ kind: "over", reason: "removed" });
  }

  private watchGap(): void {
    clearTimeout(this.gapTimer);
    if (this.around.state().roster.waiting.length === 0) return;
    this.gapTimer = setTimeout(
      () => this.around.dispatch({ kind: "roster", action: { kind: "gapGivenUp" } }),
      GAP_MAX_MS,
    );
  }
}
