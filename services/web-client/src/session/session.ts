// The page's session: entering, the stay in a meeting, and asking in somebody's name.
// Everything it learns goes into `state`; it touches no DOM.

import type { Beat } from "../app/beat";
import { Store } from "../app/store";
import type { Notice } from "../notices/notices";
import type { PostponedMemory } from "../notices/postponed";
import type { Act } from "../operations/act";
import type { OperationMemory } from "../operations/memory";
import type { Whisper } from "../talk/whisper";
import type { AudioLink } from "./audio";
import { Bearer } from "./bearer";
import { Caretaker } from "./caretaker";
import { ChatReader } from "./chat-reader";
import type { Answer, Connection, RequestInit, RequestKind } from "./connection";
import { DetailsReader } from "./details";
import { Dialer } from "./dialer";
import { keysAvailable } from "./key";
import type { TerminalKey } from "./key";
import { outcomeOf, wasUnheard } from "./refusal";
import type { Outcome } from "./refusal";
import { Road } from "./road";
import { initialState, liveStay, meetingIdAt, reduce } from "./state";
import type { Activity, SessionAction, SessionState } from "./state";
import { Stays } from "./stays";
import type { TabMemory } from "./tab";
import type { Channel, Transport } from "./transport";
import { identityOf, logInOptionsOf } from "./wire";
import type { Identity, LogInOptions } from "./wire";

/** An invitation that was put off is told again after so long, in ms. */
const LATER_MS = 5 * 60 * 1000;
/** What is asked for if it can't be known how one logs in. */
const USUAL_OPTIONS: LogInOptions = { guests: true, providers: [] };

/** Requests that say who asks. */
type Identified = {
  [K in RequestKind]: "identityToken" extends keyof RequestInit<K> ? K : never;
}[RequestKind];

/** Asking twice does no harm: done when the connection is lost before the answer. */
const READS: ReadonlySet<RequestKind> = new Set<RequestKind>([
  "readMeeting",
  "listMyMeetings",
  "listShares",
  "findUsers",
]);

export interface World {
  /** To the core, where this page came from. */
  openTransport(): Transport;
  /** To a relay nearby; absent where the browser has no WebRTC. */
  readonly openChannel?: (() => Channel) | undefined;
  /** Goes on while the page is hidden; a timer if it is absent. */
  readonly beat?: Beat;
  readonly audio: AudioLink;
  readonly key: () => Promise<TerminalKey>;
  readonly memory: TabMemory;
  readonly operations: OperationMemory;
  readonly postponed: PostponedMemory;
  readonly identity: Identity | undefined;
  saveIdentity(identity: Identity | undefined): void;
}

export class Session {
  readonly state: Store<SessionState>;
  /** To the core, for whatever says who somebody is. */
  private readonly dialer: Dialer;
  /** To the meetings. */
  private readonly road: Road;
  private readonly bearer: Bearer;
  private readonly lifetime = new AbortController();
  private readonly stays: Stays;
  private readonly chat: ChatReader;
  private caretaker: Caretaker | undefined;
  private readonly details: DetailsReader;
  /** Passwords that have let this person in, for what is asked for later. */
  private readonly passwords = new Map<string, string>();

  constructor(private readonly world: World) {
    this.state = new Store(initialState(world.identity, world.postponed.load(Date.now())));
    this.dialer = new Dialer(
      () => world.openTransport(),
      ({ welcome }) => this.dispatch({ kind: "connected", coreName: welcome.relayName }),
      world.beat,
    );
    this.road = new Road({
      core: this.dialer,
      openChannel: world.openChannel,
      changed: (way) => this.dispatch({ kind: "way", way }),
      beat: world.beat,
    });
    this.bearer = new Bearer({
      state: () => this.state.get(),
      dispatch: (action) => this.dispatch(action),
      dial: () => this.dialer.dial(),
      patiently: (request) => this.patiently(request),
      key: world.key,
      entered: (identity) => this.entered(identity, "refreshed"),
    });
    const state = () => this.state.get();
    const dispatch = (action: SessionAction) => this.dispatch(action);
    this.chat = new ChatReader({
      state,
      dispatch,
      dial: () => this.road.current(),
      settle: (meetingId, events) => this.stays.settle(meetingId, events),
    });
    this.details = new DetailsReader({
      state,
      dispatch,
      passwordOf: (meetingId) => this.passwordOf(meetingId),
      ask: (meetingId, password) => {
        const shareSecret = world.memory.secretOf(meetingId);
        return this.ask("readMeeting", { meetingId, password, shareSecret });
      },
    });
    this.stays = new Stays({
      audio: world.audio,
      key: world.key,
      memory: world.memory,
      operations: world.operations,
      road: this.road,
      core: () => this.dialer.dial(),
      state,
      dispatch,
      subscribe: (listener) => this.state.subscribe(listener),
      renewIdentity: () => this.bearer.renewGuest(),
      joined: (meetingId, password) => this.joined(meetingId, password),
      detailsChanged: (meetingId) => this.details.changed(meetingId),
    });
  }

  /** Holding and latching private talk in the live meeting. */
  get talk(): Whisper {
    return this.stays.whisper;
  }

  /** Begins to look after who is logged in: refreshing, notices. */
  start(): void {
    this.caretaker = new Caretaker({
      state: () => this.state.get(),
      subscribe: (listener) => this.state.subscribe(listener),
      dispatch: (action) => this.dispatch(action),
      dial: () => this.dialer.dial(),
      refresh: () => this.bearer.refresh(),
      refusedIdentity: (token) => this.bearer.refused(token),
    });
    this.caretaker.returned();
  }

  /** Somebody comes back to the page, or the network is there again. */
  returned(): void {
    this.caretaker?.returned();
    this.stays.tryNow();
  }

  /** The page goes: its places are given back. What has no result is kept for after a reload. */
  pageGone(): void {
    void this.stays.leaveAll(true);
    this.dispatch({ kind: "gone" });
  }

  async loadLogInOptions(): Promise<void> {
    if (this.state.get().logInOptions !== undefined) return;
    const answer = await this.patiently((connection) => connection.request("getLogInOptions", {}));
    const options = answer.ok ? logInOptionsOf(answer.value) : USUAL_OPTIONS;
    this.dispatch({ kind: "logInOptions", options });
  }

  /** True when an identity is there afterwards; if not, the state has the problem. */
  logIn(userName: string, password: string): Promise<boolean> {
    return this.enter("logIn", (connection, publicKey) =>
      connection.request("logIn", { userName, password, publicKey }),
    );
  }

  enterAsGuest(displayName: string): Promise<boolean> {
    return this.enter("guest", (connection, publicKey) =>
      connection.request("enterAsGuest", { displayName, publicKey }),
    );
  }

  /** Where to send the browser, and the word by which it comes back; undefined on a problem. */
  async beginOidcLogIn(
    providerId: string,
    redirectUri: string,
  ): Promise<{ url: string; state: string } | undefined> {
    const begun = await this.asForm("oidc", async (connection) => {
      const { publicKey } = await this.world.key();
      return connection.request("beginOidcLogIn", { providerId, redirectUri, publicKey });
    });
    return begun && { url: begun.authorizationUrl, state: begun.state };
  }

  finishOidcLogIn(state: string, code: string, issuer: string): Promise<boolean> {
    return this.enter("oidc", (connection, publicKey) =>
      connection.request("finishOidcLogIn", { state, code, publicKey, issuer }),
    );
  }

  /** The browser came back from a provider without what is needed. */
  oidcFailed(): void {
    this.dispatch({ kind: "failed", problem: { during: "oidc", reason: "notLoggedIn" } });
  }

  logOut(): void {
    const identityToken = this.state.get().identity?.token;
    void this.stays.leaveAll(false);
    this.dispatch({ kind: "identityGone", problem: undefined });
    if (identityToken === undefined) return;
    void this.patiently((connection) => connection.request("logOut", { identityToken }));
  }

  /** Asks in the name of who is logged in. */
  ask<K extends Identified>(
    kind: K,
    value: Omit<RequestInit<K>, "identityToken">,
  ): Promise<Outcome<Answer<K>>> {
    return this.bearer.ask(READS.has(kind), (connection, identityToken) =>
      // The compiler does not follow that every alternative of `Identified` has the token.
      connection.request(kind, { ...value, identityToken } as unknown as RequestInit<K>),
    );
  }

  /** The same for a form: while it lasts the state is busy, and if it fails has the problem. */
  async askAs<K extends Identified>(
    during: Activity,
    kind: K,
    value: Omit<RequestInit<K>, "identityToken">,
  ): Promise<Outcome<Answer<K>>> {
    this.dispatch({ kind: "asked", activity: during });
    const answer: Outcome<Answer<K>> = await this.ask(kind, value);
    if (answer.ok) this.dispatch({ kind: "answered" });
    else this.dispatch({ kind: "failed", problem: { during, reason: answer.reason } });
    return answer;
  }

  /** Reads what this person may know of a meeting; it goes into the state. */
  readMeeting(meetingId: string): Promise<void> {
    return this.details.read(meetingId);
  }

  /** The password that has let this person into the meeting, empty if none. */
  passwordOf(meetingId: string): string {
    return this.passwords.get(meetingId) ?? "";
  }

  /**
   * Joins and stays; beside a meeting that one is live in, joins and switches. Empty: no password, or
   * the known one.
   */
  join(meetingId: string, typed: string): void {
    if (!keysAvailable()) return this.insecure("join");
    this.stays.join(meetingId, typed || this.passwordOf(meetingId));
  }

  /** Is live in the other meeting; the place in this one is kept. */
  switchTo(meetingId: string): Promise<void> {
    return this.stays.switchTo(meetingId);
  }

  /** Leaves a meeting, the live one if none is named, or gives up joining it. */
  leave(meetingId = meetingIdAt(this.state.get().place)): void {
    if (meetingId !== undefined) void this.stays.leave(meetingId);
  }

  /** Leaves both meetings for somewhere else on the page. */
  leaveAll(): void {
    void this.stays.leaveAll(false);
    this.dispatch({ kind: "outside" });
  }

  /** Does something in a meeting, the live one if none is named; undefined if it can't be done. */
  act(act: Act, meetingId?: string): string | undefined {
    return this.stays.act(act, meetingId);
  }

  /** In the meeting, but not at the device; or back. */
  setAway(away: boolean): void {
    this.dispatch({ kind: "away", away });
    this.stays.tellAll();
  }

  /** The chat of a meeting is looked at, or no longer. */
  openChat(meetingId: string, open: boolean): void {
    this.chat.open(meetingId, open);
  }

  readEarlierChat(meetingId: string): Promise<void> {
    return this.chat.readEarlier(meetingId);
  }

  /** From the end of a meeting back to the start. */
  back(): void {
    this.dispatch({ kind: "outside" });
  }

  forgetProblem(): void {
    this.dispatch({ kind: "problemSeen" });
  }

  forgetHint(id: number): void {
    this.dispatch({ kind: "hintSeen", id });
  }

  /** Follows an invitation; the notice goes when the terminal is in. */
  accept({ meetingId }: Notice): void {
    this.join(meetingId, "");
  }

  /** The user does not want to come. */
  decline(noticeId: string): Promise<void> {
    return this.dismissNotice(noticeId);
  }

  /** Not now: it is told again in five minutes. */
  later(noticeId: string): void {
    const untilMs = Date.now() + LATER_MS;
    this.dispatch({ kind: "notices", action: { kind: "putOff", noticeId, untilMs } });
    this.world.postponed.save(this.state.get().notices.putOff);
  }

  /** The user has dealt with a notice; if the relay can't be told, it comes again another day. */
  async dismissNotice(noticeId: string): Promise<void> {
    this.dispatch({ kind: "notices", action: { kind: "dismissed", noticeId } });
    await this.ask("dismissNotice", { noticeId });
  }

  private dispatch(action: SessionAction): void {
    const { identity } = this.state.get();
    const another = action.kind === "entered" && identity?.userId !== action.identity.userId;
    if (action.kind === "identityGone" || another) this.forgetPerson();
    this.state.set(reduce(this.state.get(), action));
    if (action.kind === "identityGone") this.world.saveIdentity(undefined);
    if (action.kind === "switched" || action.kind === "over") {
      const live = liveStay(this.state.get());
      if (live !== undefined) this.details.know(live.meeting.id);
    }
  }

  /** What let one person in, and what they did, is nothing for the next one. */
  private forgetPerson(): void {
    this.passwords.clear();
    this.world.memory.forgetCredentials();
    this.world.operations.forgetAll();
  }

  private insecure(during: Activity): void {
    this.dispatch({ kind: "failed", problem: { during, reason: "insecure" } });
  }

  private async enter(
    activity: Activity,
    request: (
      connection: Connection,
      publicKey: Uint8Array<ArrayBuffer>,
    ) => Promise<Answer<"enterAsGuest">>,
  ): Promise<boolean> {
    if (!keysAvailable()) {
      this.insecure(activity);
      return false;
    }
    const answer = await this.asForm(activity, async (connection) =>
      request(connection, (await this.world.key()).publicKey),
    );
    if (answer === undefined) return false;
    this.entered(identityOf(answer, Date.now()), "entered");
    return true;
  }

  private entered(identity: Identity, kind: "entered" | "refreshed"): void {
    this.world.saveIdentity(identity);
    this.dispatch({ kind, identity });
  }

  /** One request of a form. Undefined when it failed; the state then has the problem. */
  private async asForm<T>(
    during: Activity,
    request: (connection: Connection) => Promise<T>,
  ): Promise<T | undefined> {
    this.dispatch({ kind: "asked", activity: during });
    const answer = await this.patiently(request);
    if (answer.ok) return answer.value;
    this.dispatch({ kind: "failed", problem: { during, reason: answer.reason } });
    return undefined;
  }

  private patiently<T>(request: (connection: Connection) => Promise<T>): Promise<Outcome<T>> {
    const dial = () => this.dialer.dialPatiently(this.lifetime.signal);
    return outcomeOf(async () => {
      try {
        return await request(await dial());
      } catch (failure) {
        if (!wasUnheard(failure)) throw failure;
        return request(await dial());
      }
    });
  }

  private joined(meetingId: string, password: string): void {
    this.passwords.set(meetingId, password);
    void this.chat.read(meetingId);
    this.details.know(meetingId);
  }
}
