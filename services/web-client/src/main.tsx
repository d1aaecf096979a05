// Puts the page together.

import { render } from "preact";
import { App } from "./app/App";
import { ServicesProvider } from "./app/context";
import { Navigation } from "./app/navigation";
import { cleanAddress, comeBack, wayBackOf } from "./app/oidc";
import type { Away, WayBack } from "./app/oidc";
import { loadPreferences } from "./app/preferences";
import { AttachmentStore } from "./attachments/store";
import { LanguageProvider } from "./i18n/context";
import { languageFor } from "./i18n/language";
import { Link } from "./media/link";
import { Microphone } from "./media/microphone";
import { Playback } from "./media/playback";
import { NameFinder } from "./members/finder";
import { NameBook, followNames } from "./members/names";
import { Desk } from "./session/desk";
import { loadIdentity, saveIdentity } from "./session/identity";
import { keysAvailable } from "./session/key";
import { browserSurroundings, tabKey } from "./session/keyring";
import type { TabKey } from "./session/keyring";
import { Session } from "./session/session";
import { TabMemory } from "./session/tab";
import type { Identity } from "./session/wire";
import "./view/base.css";
import "./view/controls.css";
import "./view/panels.css";
import "./start/start.css";
import "./meeting/meeting.css";
import "./notices/notices.css";

function openSocket(): WebSocket {
  const url = new URL("/terminal/v1", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url);
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

async function start(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const preferences = loadPreferences();
  const language = languageFor([
    query.get("lang") ?? "",
    preferences.language,
    ...navigator.languages,
  ]);
  const audio = document.querySelector<HTMLAudioElement>("#meeting-audio");
  const root = document.querySelector("#app");
  if (audio === null || root === null) throw new Error("the page lacks its elements");

  const storage = tabStorage();
  const returned = wayBack(storage);
  // Without keys nothing can be joined; the session says so when it is tried.
  const tab: TabKey | undefined = keysAvailable()
    ? await tabKey(await browserSurroundings())
    : undefined;
  const kept = tab?.kept === true;

  const microphone = new Microphone();
  const playback = new Playback(audio);
  const link = new Link(microphone, playback);
  const memory = new TabMemory(storage);
  if (!kept) {
    // Bound to a key that is gone.
    saveIdentity(undefined);
    memory.forgetCredentials();
  }
  const names = new NameBook(storage);
  const navigation = new Navigation(memory);
  const named = query.get("name");
  const session = new Session({
    openSocket,
    audio: link,
    memory,
    key: () => (tab === undefined ? Promise.reject(new Error("no key")) : Promise.resolve(tab.key)),
    identity: knownIdentity(named),
    saveIdentity,
  });
  const desk = new Desk(session, names);
  const finder = new NameFinder(names, {
    asker: () => {
      const { identity } = session.state.get();
      return identity?.guest === false ? identity.userId : undefined;
    },
    subscribe: (listener) => session.state.subscribe(listener),
    find: (userIds) => desk.usersById(userIds),
  });
  const attachments = new AttachmentStore(
    (meetingId) => ({
      identityToken: session.state.get().identity?.token ?? "",
      secret: memory.secretOf(meetingId),
      password: session.passwordOf(meetingId),
    }),
    (input, init) => fetch(input, init),
  );
  followNames(session.state, names);
  session.start();
  if (returned !== undefined) finish(session, kept, returned);
  addEventListener("pagehide", () => session.leave());
  addEventListener("pageshow", () => session.returned());
  addEventListener("online", () => session.returned());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") session.returned();
  });
  addEventListener("pointerdown", () => microphone.wake());
  addEventListener("keydown", () => microphone.wake());

  const initialName = (named ?? preferences.name).slice(0, 64);
  const services = {
    session,
    desk,
    attachments,
    names,
    finder,
    memory,
    navigation,
    microphone,
    playback,
    link,
  };
  render(
    <ServicesProvider value={services}>
      <LanguageProvider initial={language}>
        <App initialName={initialName} />
      </LanguageProvider>
    </ServicesProvider>,
    root,
  );
}

void start();
