// The page's session with its relay: entering, creating meetings, and the stay in one of them.
// Everything it learns goes into `state`; it touches no DOM.

import { Store } from "../app/store";
import { Attendance } from "./attendance";
import type { AudioLink } from "./attendance";
import { backoffMs, pause } from "./backoff";
import { Connection } from "./connection";
import type { Socket } from "./connection";
import { TerminalKey, keysAvailable } from "./key";
import { ConnectionLost, Refused } from "./refusal";
import { initialState, reduce } from "./state";
import type { Activity, SessionAction, SessionState } from "./state";
import { identityOf } from "./wire";
import type { Identity } from "./wire";

/** A form's request is tried so many times when the relay can't be reached. */
const DIALS_MAX = 4;
/** Leaving does not wait longer than this for the relay's word, in ms. */
const LEAVE_WAIT_MS = 1000;

export interface World {
  openSocket(): Socket;
  readonly audio: AudioLink;
  readonly identity: Identity | undefined;
  saveIdentity(identity: Identity | undefined): void;
}

export class Session {
  readonly state: Store<SessionState>;
  private connection: Connection | undefined;
  private dialing: Promise<Connection> | undefined;
  private attendance: Attendance | undefined;
  private key: Promise<TerminalKey> | undefined;
  private readonly lifetime = new AbortController();

  constructor(private readonly world: World) {
    this.state = new Store(initialState(world.identity));
  }

  /** True when an identity is there afterwards; if not, the state has the problem. */
  logIn(userName: string, password: string): Promise<boolean> {
    return this.enter("logIn", async (connection) =>
      identityOf(await connection.request("logIn", { userName, password })),
    );
  }

  enterAsGuest(displayName: string): Promise<boolean> {
    return this.enter("guest", async (connection) =>
      identityOf(await connection.request("enterAsGuest", { displayName })),
    );
  }

  logOut(): void {
    this.world.saveIdentity(undefined);
    this.dispatch({ kind: "identityGone", problem: undefined });
  }

  /** The new meeting's id; if there is none, the state has the problem. */
  async createMeeting(
    subject: string,
    password: string,
    shared: boolean,
  ): Promise<string | undefined> {
    const identityToken = this.state.get().identity?.token ?? "";
    const created = await this.ask("create", (connection) =>
      connection.request("createMeeting", { identityToken, subject, password, shared }),
    );
    if (created === undefined) return undefined;
    this.dispatch({ kind: "answered" });
    return created.meetingId;
  }

  /** Joins and stays; a stay in another meeting ends. */
  join(meetingId: string, password: string): void {
    if (!keysAvailable()) {
      const problem = { during: "join", reason: "insecure" } as const;
      return this.dispatch({ kind: "failed", problem });
    }
    if (this.attendance !== undefined) void this.sayLeave();
    const attendance = new Attendance(
      {
        audio: this.world.audio,
        key: () => (this.key ??= TerminalKey.generate()),
        state: () => this.state.get(),
        dispatch: (action) => this.dispatch(action),
        dial: () => this.dial(),
        renewIdentity: () => this.renewGuest(),
      },
      meetingId,
      password,
    );
    this.attendance = attendance;
    void attendance.run().finally(() => {
      if (this.attendance === attendance) this.hangUp();
    });
  }

  /** Leaves the meeting, or gives up joining it. */
  leave(): void {
    const inside = this.state.get().place.kind === "inside";
    this.dispatch(inside ? { kind: "over", reason: "left" } : { kind: "outside" });
    void this.sayLeave();
  }

  /** Ends the meeting for everybody. */
  async endMeeting(): Promise<void> {
    const ended = await this.ask("end", (connection) => connection.request("endMeeting", {}));
    if (ended === undefined) return;
    this.dispatch({ kind: "over", reason: "ended" });
    this.hangUp();
  }

  /** From the end of a meeting back to the start. */
  back(): void {
    this.dispatch({ kind: "outside" });
  }

  forgetProblem(): void {
    this.dispatch({ kind: "problemSeen" });
  }

  private dispatch(action: SessionAction): void {
    this.state.set(reduce(this.state.get(), action));
    if (action.kind === "identityGone") this.world.saveIdentity(undefined);
  }

  private async enter(
    activity: Activity,
    request: (connection: Connection) => Promise<Identity>,
  ): Promise<boolean> {
    const identity = await this.ask(activity, request);
    if (identity === undefined) return false;
    this.world.saveIdentity(identity);
    this.dispatch({ kind: "entered", identity });
    return true;
  }

  /** One request of a form. Undefined when it failed; the state then has the problem. */
  private async ask<T>(
    activity: Activity,
    request: (connection: Connection) => Promise<T>,
  ): Promise<T | undefined> {
    this.dispatch({ kind: "asked", activity });
    try {
      return await request(await this.dialPatiently());
    } catch (failure) {
      this.fail(activity, failure);
      return undefined;
    }
  }

  private fail(during: Activity, failure: unknown): void {
    if (!(failure instanceof Refused)) {
      return this.dispatch({ kind: "failed", problem: { during, reason: "unreachable" } });
    }
    const identityRefused = failure.reason === "notLoggedIn" && during === "create";
    if (identityRefused) {
      const problem = { during, reason: "expired" } as const;
      return this.dispatch({ kind: "identityGone", problem });
    }
    this.dispatch({ kind: "failed", problem: { during, reason: failure.reason } });
  }

  private async renewGuest(): Promise<Identity | undefined> {
    const { identity } = this.state.get();
    if (identity === undefined || !identity.guest) return undefined;
    try {
      const connection = await this.dial();
      const { displayName } = identity;
      const renewed = identityOf(await connection.request("enterAsGuest", { displayName }));
      this.world.saveIdentity(renewed);
      this.dispatch({ kind: "entered", identity: renewed });
      return renewed;
    } catch (failure) {
      // A lost connection says nothing about the identity: it is tried again with the old one.
      return failure instanceof ConnectionLost ? identity : undefined;
    }
  }

  private async dialPatiently(): Promise<Connection> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.dial();
      } catch (failure) {
        if (failure instanceof Refused || attempt + 1 >= DIALS_MAX) throw failure;
        await pause(backoffMs(attempt, Math.random()), this.lifetime.signal);
      }
    }
  }

  private dial(): Promise<Connection> {
    if (this.connection?.open) return Promise.resolve(this.connection);
    this.dialing ??= this.open().finally(() => (this.dialing = undefined));
    return this.dialing;
  }

  private async open(): Promise<Connection> {
    const connection = await Connection.open(this.world.openSocket());
    this.connection = connection;
    this.dispatch({ kind: "connected", relayName: connection.welcome.relayName });
    return connection;
  }

  /** Tells the relay and closes; what comes next starts on a new connection. */
  private async sayLeave(): Promise<void> {
    const { connection, attendance } = this;
    this.connection = undefined;
    this.attendance = undefined;
    attendance?.stop();
    if (connection === undefined) return;
    if (attendance !== undefined) {
      const left = connection.request("leave", {}).catch(() => undefined);
      await Promise.race([left, pause(LEAVE_WAIT_MS, this.lifetime.signal)]);
    }
    connection.close();
  }

  private hangUp(): void {
    this.attendance?.stop();
    this.attendance = undefined;
    this.connection?.close();
    this.connection = undefined;
  }
}
