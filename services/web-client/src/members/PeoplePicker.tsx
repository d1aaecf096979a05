// A field to find colleagues by name: type, choose with the arrow keys and Enter, or by a click.

import { useEffect, useId, useReducer, useRef } from "preact/hooks";
import { useServices } from "../app/context";
import { useMessages } from "../i18n/context";
import { Avatar } from "../view/Avatar";
import type { FoundUser } from "./people";
import { NO_SEARCH, beginningOf, reduceSearch } from "./search";
import type { Search } from "./search";

/** It is searched when nothing was typed for this time, in ms. */
const SEARCH_AFTER_MS = 200;

interface Props {
  label: string;
  /** Those who are chosen already. */
  exclude: ReadonlySet<string>;
  onChoose: (user: FoundUser) => void;
  disabled?: boolean;
}

export function PeoplePicker({ label, exclude, onChoose, disabled = false }: Props) {
  const t = useMessages();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [search, dispatch] = useReducer(reduceSearch, NO_SEARCH);
  useFinding(search, exclude, dispatch);
  const open = search.open && search.options.length > 0;
  const choose = (user: FoundUser | undefined) => {
    if (user === undefined) return;
    onChoose(user);
    dispatch({ kind: "cleared" });
    input.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        return dispatch({ kind: "moved", by: event.key === "ArrowDown" ? 1 : -1 });
      case "Enter":
        if (search.typed === "") return;
        // The form around is not what is meant.
        event.preventDefault();
        return choose(open ? search.options[search.active] : undefined);
      case "Escape":
        if (!search.open && search.typed === "") return;
        event.stopPropagation();
        return dispatch({ kind: search.open ? "closed" : "cleared" });
    }
  };
  return (
    <div class="field picker">
      <label for={id}>{label}</label>
      <input
        id={id}
        ref={input}
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder={t.people.placeholder}
        disabled={disabled}
        value={search.typed}
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-activedescendant={open ? `${id}-${search.active}` : undefined}
        aria-describedby={`${id}-note`}
        onInput={(event) => dispatch({ kind: "typed", text: event.currentTarget.value })}
        onKeyDown={press}
        onBlur={() => dispatch({ kind: "closed" })}
      />
      <Options id={id} search={search} open={open} label={label} onChoose={choose} />
      <p id={`${id}-note`} class="hint picker-note" role="status">
        {noteOf(t.people, search)}
      </p>
    </div>
  );
}

function Options(props: {
  id: string;
  search: Search;
  open: boolean;
  label: string;
  onChoose: (user: FoundUser) => void;
}) {
  const { id, search } = props;
  return (
    <ul
      id={`${id}-list`}
      class="picker-list"
      role="listbox"
      aria-label={props.label}
      hidden={!props.open}
    >
      {search.options.map((user, index) => (
        <li
          key={user.userId}
          id={`${id}-${index}`}
          role="option"
          aria-selected={index === search.active}
          // The focus stays in the field.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => props.onChoose(user)}
        >
          <Avatar name={user.displayName} userId={user.userId} speaking={false} />
          <span class="picker-name">{user.displayName}</span>
          <span class="hint">{user.userName}</span>
        </li>
      ))}
    </ul>
  );
}

/** Asks for what is typed, once it rests. */
function useFinding(
  search: Search,
  exclude: ReadonlySet<string>,
  dispatch: (action: Parameters<typeof reduceSearch>[1]) => void,
): void {
  const { desk } = useServices();
  const excluded = useRef(exclude);
  excluded.current = exclude;
  const text = search.status === "searching" ? beginningOf(search.typed) : "";
  useEffect(() => {
    if (text === "") return undefined;
    let stale = false;
    const timer = setTimeout(async () => {
      const found = await desk.findUsers(text);
      if (stale) return;
      if (!found.ok) return dispatch({ kind: "failed", text });
      const users = found.value.filter(({ userId }) => !excluded.current.has(userId));
      dispatch({ kind: "found", text, users });
    }, SEARCH_AFTER_MS);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [text, desk, dispatch]);
}

function noteOf(
  t: ReturnType<typeof useMessages>["people"],
  { status, options, typed }: Search,
): string {
  switch (status) {
    case "idle":
      return "";
    case "searching":
      return t.searching;
    case "failed":
      return t.failed;
    case "found":
      return options.length === 0 ? t.nobody(typed.trim()) : t.found(options.length);
  }
}
