// Which language is shown: the address's choice, the remembered one, the browser's, English.

import { en } from "./en";
import type { Messages } from "./messages";
import { zhCN } from "./zh-CN";

export const LANGUAGES = { en, "zh-CN": zhCN } as const satisfies Record<string, Messages>;

export type Language = keyof typeof LANGUAGES;

export function isLanguage(tag: string): tag is Language {
  return Object.hasOwn(LANGUAGES, tag);
}

/** The first of the wished tags that there is; any Chinese is answered in zh-CN. */
export function languageFor(wished: readonly string[]): Language {
  for (const tag of wished) {
    if (isLanguage(tag)) return tag;
    const primary = tag.toLowerCase().split("-")[0];
    if (primary === "zh") return "zh-CN";
    if (primary === "en") return "en";
  }
  return "en";
}
