// Shows the page.

import { render } from "preact";
import { App } from "./app/App";
import { assemble } from "./app/assemble";
import { ServicesProvider } from "./app/context";
import { LanguageProvider } from "./i18n/context";
import "./view/base.css";
import "./view/controls.css";
import "./view/panels.css";
import "./view/menus.css";
import "./start/start.css";
import "./meeting/meeting.css";
import "./meeting/people.css";
import "./meeting/controls.css";
import "./meeting/whisper.css";
import "./meeting/strip.css";
import "./chat/chat.css";
import "./mini/mini.css";
import "./notices/notices.css";

async function start(): Promise<void> {
  const audio = document.querySelector<HTMLAudioElement>("#meeting-audio");
  const root = document.querySelector("#app");
  if (audio === null || root === null) throw new Error("the page lacks its elements");
  const { services, language, initialName } = await assemble(audio);
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
