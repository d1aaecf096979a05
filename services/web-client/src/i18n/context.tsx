// The language in use, for every component below.

import { createContext } from "preact";
import type { ComponentChildren } from "preact";
import { useCallback, useContext, useEffect, useState } from "preact/hooks";
import { savePreferences } from "../app/preferences";
import { LANGUAGES } from "./language";
import type { Language } from "./language";
import type { Messages } from "./messages";

interface Translation {
  readonly language: Language;
  readonly t: Messages;
  setLanguage(language: Language): void;
}

const Context = createContext<Translation>({
  language: "en",
  t: LANGUAGES.en,
  setLanguage: () => {},
});

export function LanguageProvider(props: { initial: Language; children: ComponentChildren }) {
  const [language, setCurrent] = useState(props.initial);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const setLanguage = useCallback((chosen: Language) => {
    savePreferences({ language: chosen });
    setCurrent(chosen);
  }, []);
  const value = { language, t: LANGUAGES[language], setLanguage };
  return <Context.Provider value={value}>{props.children}</Context.Provider>;
}

export function useTranslation(): Translation {
  return useContext(Context);
}

export function useMessages(): Messages {
  return useContext(Context).t;
}
