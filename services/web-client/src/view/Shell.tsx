// The frame of every screen outside a meeting.

import type { ComponentChildren } from "preact";
import { useTranslation } from "../i18n/context";
import { LANGUAGES, isLanguage } from "../i18n/language";
import { GlobeIcon, Logo } from "./icons";

export function Shell(props: { children: ComponentChildren }) {
  const { t } = useTranslation();
  return (
    <div class="shell">
      <header class="shell-header">
        <a class="brand" href="#/">
          <Logo />
          <span>{t.product}</span>
        </a>
        <LanguageSwitch />
      </header>
      <main class="shell-main">{props.children}</main>
    </div>
  );
}

export function LanguageSwitch() {
  const { language, t, setLanguage } = useTranslation();
  return (
    <div class="language-switch">
      <GlobeIcon />
      <select
        aria-label={t.language}
        value={language}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (isLanguage(value)) setLanguage(value);
        }}
      >
        {Object.entries(LANGUAGES).map(([tag, messages]) => (
          <option key={tag} value={tag} lang={tag}>
            {messages.languageName}
          </option>
        ))}
      </select>
    </div>
  );
}
