// Puts the page together.

import { render } from "preact";
import { App } from "./app/App";
import { ServicesProvider } from "./app/context";
import { loadPreferences } from "./app/preferences";
import { LanguageProvider } from "./i18n/context";
import { languageFor } from "./i18n/language";
import { Link } from "./media/link";
import { Microphone } from "./media/microphone";
import { Playback } from "./media/playback";
import { loadIdentity, saveIdentity } from "./session/identity";
import { Session } from "./session/session";
import "./view/base.css";
import "./view/controls.css";
import "./start/start.css";
import "./meeting/meeting.css";

function openSocket(): WebSocket {
  const url = new URL("/terminal/v1", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url);
}

function start(): void {
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

  const microphone = new Microphone();
  const playback = new Playback(audio);
  const link = new Link(microphone, playback);
  const named = query.get("name");
  const known = loadIdentity(Date.now());
  // A name in the address makes a new guest of that name.
  const otherGuest = known?.guest === true && named !== null && known.displayName !== named;
  const identity = otherGuest ? undefined : known;
  const session = new Session({ openSocket, audio: link, identity, saveIdentity });
  addEventListener("pagehide", () => session.leave());
  addEventListener("pointerdown", () => microphone.wake());
  addEventListener("keydown", () => microphone.wake());

  const initialName = (named ?? preferences.name).slice(0, 64);
  render(
    <ServicesProvider value={{ session, microphone, playback, link }}>
      <LanguageProvider initial={language}>
        <App initialName={initialName} />
      </LanguageProvider>
    </ServicesProvider>,
    root,
  );
}

start();
