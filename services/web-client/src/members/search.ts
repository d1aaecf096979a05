// The search for a person by name, as a pure function of what is typed, found and pressed: the
// combobox pattern, where the focus stays in the field and a highlight moves through the list.

import type { FoundUser } from "./people";

export interface Search {
  readonly typed: string;
  readonly status: "idle" | "searching" | "found" | "failed";
  /** Who may be chosen. */
  readonly options: readonly FoundUser[];
  /** Position of the highlight in the options, -1 if there is none. */
  readonly active: number;
  /** True while the list is shown. */
  readonly open: boolean;
}

export type SearchAction =
  | { kind: "typed"; text: string }
  /** The answer to a search for `text`; those that can't be chosen again are left out. */
  | { kind: "found"; text: string; users: readonly FoundUser[] }
  | { kind: "failed"; text: string }
  | { kind: "moved"; by: 1 | -1 }
  | { kind: "pointed"; at: number }
  | { kind: "closed" }
  /** Somebody was chosen, or the search given up. */
  | { kind: "cleared" };

/** Characters that a search may have. */
export const BEGINNING_MAX = 64;

export const NO_SEARCH: Search = {
  typed: "",
  status: "idle",
  options: [],
  active: -1,
  open: false,
};

export function reduceSearch(search: Search, action: SearchAction): Search {
  switch (action.kind) {
    case "typed": {
      if (beginningOf(action.text) === "") return { ...NO_SEARCH, typed: action.text };
      return { ...search, typed: action.text, status: "searching" };
    }
    case "found": {
      // An answer to what was typed before.
      if (action.text !== beginningOf(search.typed)) return search;
      const active = action.users.length > 0 ? 0 : -1;
      return { ...search, status: "found", options: action.users, active, open: true };
    }
    case "failed":
      if (action.text !== beginningOf(search.typed)) return search;
      return { ...search, status: "failed", options: [], active: -1, open: false };
    case "moved":
      return moved(search, action.by);
    case "pointed":
      return { ...search, active: action.at };
    case "closed":
      return { ...search, open: false };
    case "cleared":
      return NO_SEARCH;
  }
}

/** What is searched for. */
export function beginningOf(typed: string): string {
  return [...typed.trim()].slice(0, BEGINNING_MAX).join("");
}

function moved(search: Search, by: 1 | -1): Search {
  const { length } = search.options;
  if (length === 0) return search;
  if (!search.open) return { ...search, open: true };
  return { ...search, active: (search.active + by + length) % length };
}
