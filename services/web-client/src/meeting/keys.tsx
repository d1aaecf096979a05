// The keys of a meeting: M, H, C, ? and the space bar, which is held to talk. They are nobody's while
// somebody types or composes, and the space bar belongs to the button that was reached by keyboard.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { loadPreferences, savePreferences } from "../app/preferences";
import { useMessages } from "../i18n/context";
import { Checkbox } from "../view/fields";
import { takesSpace, takesText } from "../view/typing";

export interface KeyActions {
  readonly mute: () => void;
  readonly hand: () => void;
  readonly chat?: (() => void) | undefined;
  readonly help?: (() => void) | undefined;
  /** Held down: talk. Let go, or the window left: no more. */
  readonly talk: (on: boolean) => void;
}

/** Listens in one window: the page's, or that of the mini window. */
export function useKeys(actions: KeyActions, target: Window = window): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const { signal, abort } = aborter();
    const held = { current: false };
    const byPointer = { current: true };
    const letGo = () => {
      if (!held.current) return;
      held.current = false;
      latest.current.talk(false);
    };
    const down = (event: KeyboardEvent) => {
      if (/^(Tab|Arrow)/.test(event.key)) byPointer.current = false;
      if (isNobodys(event)) return;
      if (event.key === " ") return holdSpace(event, held, byPointer, latest);
      if (!event.repeat && act(event.key.toLowerCase(), latest.current)) event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      if (event.key !== " " || !held.current) return;
      event.preventDefault();
      letGo();
    };
    target.addEventListener("keydown", down, { signal });
    target.addEventListener("keyup", up, { signal });
    target.addEventListener("pointerdown", () => (byPointer.current = true), { signal });
    target.addEventListener("blur", letGo, { signal });
    target.document.addEventListener("visibilitychange", letGo, { signal });
    return () => {
      abort();
      letGo();
    };
  }, [target]);
}

function aborter() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function isNobodys(event: KeyboardEvent): boolean {
  const other = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  const used = !other && !event.defaultPrevented && !takesText(event.target);
  return !used || !loadPreferences().singleKeys;
}

function holdSpace(
  event: KeyboardEvent,
  held: { current: boolean },
  byPointer: { current: boolean },
  latest: RefObject<KeyActions>,
): void {
  // A button that was clicked keeps the focus, but nobody means to press it by the space bar.
  if (!held.current && !byPointer.current && takesSpace(event.target)) return;
  event.preventDefault();
  if (event.repeat || held.current) return;
  held.current = true;
  latest.current?.talk(true);
}

/** True if the key does something. */
function act(key: string, actions: KeyActions): boolean {
  const action = { m: actions.mute, h: actions.hand, c: actions.chat, "?": actions.help }[key];
  action?.();
  return action !== undefined;
}

/** What the keys do. */
export function KeysPanel() {
  const t = useMessages().keys;
  const [used, setUsed] = useState(loadPreferences().singleKeys);
  const use = (singleKeys: boolean) => {
    savePreferences({ singleKeys });
    setUsed(singleKeys);
  };
  const keys: [string, string][] = [
    [t.space, t.spaceDoes],
    ["M", t.m],
    ["H", t.h],
    ["C", t.c],
    ["?", t.help],
    ["Esc", t.escape],
    [t.enter, t.enterDoes],
  ];
  return (
    <>
      <p class="hint">{t.hint}</p>
      <table class="keys">
        <thead class="visually-hidden">
          <tr>
            <th scope="col">{t.key}</th>
            <th scope="col">{t.does}</th>
          </tr>
        </thead>
        <tbody>
          {keys.map(([key, does]) => (
            <tr key={key}>
              <th scope="row">
                <kbd>{key}</kbd>
              </th>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Checkbox label={t.use} hint={t.useHint} checked={used} onChange={use} />
    </>
  );
}
