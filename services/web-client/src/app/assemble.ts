// Puts the page's parts together: everything but what is shown.

import { AttachmentStore } from "../attachments/store";
import { MeetingFiles } from "../attachments/files";
import type { Pass } from "../attachments/files";
import { AttendanceReports } from "../attendance/reports";
import { languageFor } from "../i18n/language";
import { Link } from "../media/link";
import { Microphone } from "../media/microphone";
import { Playback } from "../media/playback";
import { Mini } from "../mini/mini";
import { NameFinder } from "../members/finder";
import { NameBook, followNames } from "../members/names";
import { toShow } from "../notices/notices";
import { PostponedMemory } from "../notices/postponed";
import { SystemNotifier, browserDesktop } from "../notices/system";
import { OperationMemory } from "../operations/memory";
import { DataChannel } from "../session/data-channel";
import { Desk } from "../session/desk";
import { loadIdentity, saveIdentity } from "../session/identity";
import { keysAvailable } from "../session/key";
import { browserSurroundings, tabKey } from "../session/keyring";
import type { TabKey } from "../session/keyring";
import { Session } from "../session/session";
import { meetingIdAt } from "../session/state";
import { TabMemory } from "../session/tab";
import type { Channel, Transport } from "../session/transport";
import { WebSocketTransport } from "../session/web-socket";
import type { Identity } from "../session/wire";
import { pageBeat } from "./beat";
import type { Services } from "./context";
import { followAddress } from "./itinerary";
import { Navigation } from "./navigation";
import { cleanAddress, comeBack, wayBackOf } from "./oidc";
import type { Away, WayBack } from "./oidc";
import { loadPreferences } from "./preferences";

/** As many people can be heard privately at a time. */
const PRIVATE_VOICES = 2;

export interface Assembly {
  readonly services: Services;
  readonly language: ReturnType<typeof languageFor>;
  readonly initialName: string;
}

/** `audio`: the element that plays the meeting. */
export async function assemble(audio: HTMLAudioElement): Promise<Assembly> {
  const query = new URLSearchParams(location.search);
  const preferences = loadPreferences();
  const language = languageFor([
    query.get("lang") ?? "",
    preferences.language,
    ...navigator.languages,
  ]);
  const storage = tabStorage();
  const returned = wayBack(storage);
  // Without keys nothing can be joined; the session says so when it is tried.
  const tab: TabKey | undefined = keysAvailable()
    ? await tabKey(await browserSurroundings())
    : undefined;
  const named = query.get("name");
  const services = servicesFor(storage, tab, named, audio);
  const { session } = services;
  session.start();
  if (returned !== undefined) finish(session, tab?.kept === true, returned);
  followPage(services);
  return { services, language, initialName: (named ?? preferences.name).slice(0, 64) };
}

function servicesFor(
  storage: Storage | undefined,
  tab: TabKey | undefined,
  named: string | null,
  audio: HTMLAudioElement,
): Services {
  const microphone = new Microphone();
  const voices = Array.from({ length: PRIVATE_VOICES }, () => new Audio());
  const playback = new Playback([audio, ...voices]);
  const link = new Link(microphone, playback);
  const memory = new TabMemory(storage);
  const operations = new OperationMemory(storage);
  if (tab?.kept !== true) {
    // Bound to a key that is gone.
    saveIdentity(undefined);
    memory.forgetCredentials();
    operations.forgetAll();
  }
  const names = new NameBook(storage);
  const session = new Session({
    openTransport,
    openChannel: "RTCPeerConnection" in window ? openChannel : undefined,
    beat: pageBeat(),
    audio: link,
    memory,
    operations,
    postponed: new PostponedMemory(storage),
    key: () => (tab === undefined ? Promise.reject(new Error("no key")) : Promise.resolve(tab.key)),
    identity: knownIdentity(named),
    saveIdentity,
  });
  followNames(session.state, names);
  const passFor = passOf(session, memory);
  const send: typeof fetch = (input, init) => fetch(input, init);
  const desk = new Desk(session, names);
  return {
    session,
    desk,
    attachments: new AttachmentStore(passFor, send),
    reports: new AttendanceReports(new MeetingFiles(passFor, send)),
    notifier: new SystemNotifier(browserDesktop()),
    names,
    finder: finderFor(session, desk, names),
    memory,
    mini: new Mini(),
    navigation: new Navigation(memory),
    microphone,
    playback,
    link,
  };
}

function passOf(session: Session, memory: TabMemory): (meetingId: string) => Pass {
  return (meetingId) => ({
    identityToken: session.state.get().identity?.token ?? "",
    secret: memory.secretOf(meetingId),
    password: session.passwordOf(meetingId),
  });
}

function finderFor(session: Session, desk: Desk, names: NameBook): NameFinder {
  return new NameFinder(names, {
    asker: () => {
      const { identity } = session.state.get();
      return identity?.guest === false ? identity.userId : undefined;
    },
    subscribe: (listener) => session.state.subscribe(listener),
    find: (userIds) => desk.usersById(userIds),
  });
}

/** What the browser tells the page. */
function followPage({ session, navigation, microphone, notifier, mini }: Services): void {
  followAddress({
    state: session.state,
    route: navigation.route,
    beneath: () => mini.state.get().kind !== "off",
    nowAtMeeting: (meetingId) => navigation.nowAtMeeting(meetingId),
    switchTo: (meetingId) => void session.switchTo(meetingId),
    leaveAll: () => session.leaveAll(),
  });
  const tell = () => {
    const { notices, place, other } = session.state.get();
    const here = [place, ...(other === undefined ? [] : [other])].map(meetingIdAt);
    notifier.tell(
      toShow(
        notices,
        here.filter((id) => id !== undefined),
      ),
    );
  };
  session.state.subscribe(tell);
  addEventListener("pagehide", () => session.pageGone());
  addEventListener("pageshow", () => session.returned());
  addEventListener("online", () => session.returned());
  // What is held by a key or a finger is let go when the page can't see it being let go.
  const letGo = () => {
    session.talk.release();
    void microphone.pushToTalk(false);
  };
  addEventListener("blur", letGo);
  addEventListener("pointercancel", letGo);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") session.returned();
    else letGo();
  });
  addEventListener("pointerdown", () => microphone.wake());
  addEventListener("keydown", () => microphone.wake());
}

function openTransport(): Transport {
  const url = new URL("/terminal/v1", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocketTransport(new WebSocket(url));
}

function openChannel(): Channel {
  return new DataChannel(new RTCPeerConnection());
}

/** The tab's storage; undefined where the browser forbids it. */
function tabStorage(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

/** The identity that this tab had, if no other name is asked for. */
function knownIdentity(named: string | null): Identity | undefined {
  const known = loadIdentity(Date.now());
  // A name in the address makes a new guest of that name.
  const otherGuest = known?.guest === true && named !== null && known.displayName !== named;
  return otherGuest ? undefined : known;
}

/** Back from a log-in at another site: the address is as it was before, without what came along. */
function wayBack(
  storage: Storage | undefined,
): { back: WayBack; away: Away | undefined } | undefined {
  const back = wayBackOf(location.search);
  if (back === undefined) return undefined;
  const away = storage === undefined ? undefined : comeBack(storage);
  history.replaceState(null, "", cleanAddress(location.href, away?.hash ?? location.hash));
  return { back, away };
}

function finish(
  session: Session,
  kept: boolean,
  { back, away }: NonNullable<ReturnType<typeof wayBack>>,
) {
  // The log-in can only be finished in the tab that began it, with the same key.
  const ours = kept && away?.state === back.state;
  if (back.kind === "code" && ours) {
    void session.finishOidcLogIn(back.state, back.code, back.issuer);
  } else session.oidcFailed();
}
