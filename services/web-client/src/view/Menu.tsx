// A button that opens a menu of actions: arrow keys, Home, End, the first letter, Escape.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { CheckIcon } from "./icons";

export interface MenuItem {
  readonly key: string;
  readonly label: string;
  readonly icon?: ComponentChildren;
  readonly danger?: boolean;
  /** For what is either on or off: the menu stays open, so that several can be switched. */
  readonly checked?: boolean;
  /** Asked for by a second press of the same item, whose text this is then. */
  readonly sure?: string;
  /** A mark behind the label. */
  readonly badge?: string;
  readonly onChoose: () => void;
}

interface Props {
  /** What is read out for the button. */
  label: string;
  items: readonly MenuItem[];
  class: string;
  /** What is in the button. */
  children: ComponentChildren;
  /** Told when the menu opens or closes. */
  onOpen?: (open: boolean) => void;
}

export function Menu(props: Props) {
  const [open, setOpen] = useState<Room | undefined>(undefined);
  const button = useRef<HTMLButtonElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  const shown = open !== undefined && props.items.length > 0;
  const { onOpen } = props;
  useEffect(() => onOpen?.(shown), [shown, onOpen]);
  const close = (back: boolean) => {
    setOpen(undefined);
    if (back) button.current?.focus();
  };
  useEffect(() => {
    if (!shown) return undefined;
    const elsewhere = (event: Event) => {
      if (event.target instanceof Node && root.current?.contains(event.target) === true) return;
      setOpen(undefined);
    };
    const page = root.current?.ownerDocument;
    page?.addEventListener("pointerdown", elsewhere);
    return () => page?.removeEventListener("pointerdown", elsewhere);
  }, [shown]);
  return (
    <div class="menu-root" ref={root}>
      <button
        ref={button}
        type="button"
        class={props.class}
        aria-label={props.label}
        title={props.label}
        aria-haspopup="menu"
        aria-expanded={shown}
        aria-controls={shown ? id : undefined}
        onClick={() => (shown ? close(true) : setOpen(roomAround(button.current)))}
      >
        {props.children}
      </button>
      {shown && (
        <MenuList id={id} label={props.label} room={open} items={props.items} onClose={close} />
      )}
    </div>
  );
}

/** Where a menu has room, and how much, in px. */
interface Room {
  readonly side: "above" | "below";
  readonly height: number;
}

/** More room than this is wanted below a button, in px. */
const ROOM_BELOW = 340;
/** Between a menu and the edge of what it is shown in, in px. */
const GAP = 16;

/** A menu is never lower than this, in px. */
const HEIGHT_MIN = 120;

/** What scrolls or is cut off bounds a menu as the window does. */
function roomAround(button: HTMLButtonElement | null): Room {
  const view = button?.ownerDocument.defaultView ?? null;
  if (button === null || view === null) return { side: "below", height: ROOM_BELOW };
  const { top, bottom } = button.getBoundingClientRect();
  let [from, to] = [0, view.innerHeight];
  for (let around = button.parentElement; around !== null; around = around.parentElement) {
    if (view.getComputedStyle(around).overflowY === "visible") continue;
    const bounds = around.getBoundingClientRect();
    [from, to] = [Math.max(from, bounds.top), Math.min(to, bounds.bottom)];
  }
  const [above, below] = [top - from - GAP, to - bottom - GAP];
  return below < ROOM_BELOW && above > below
    ? { side: "above", height: above }
    : { side: "below", height: below };
}

function MenuList(props: {
  id: string;
  label: string;
  room: Room;
  items: readonly MenuItem[];
  onClose: (back: boolean) => void;
}) {
  const list = useRef<HTMLDivElement>(null);
  const [sure, setSure] = useState<string | undefined>(undefined);
  const entries = () => [
    ...(list.current?.querySelectorAll<HTMLButtonElement>("[role^=menuitem]") ?? []),
  ];
  useEffect(() => entries()[0]?.focus(), []);
  const press = (event: KeyboardEvent) => {
    const all = entries();
    const at = all.findIndex((entry) => entry === entry.ownerDocument.activeElement);
    const to = targetOf(event, all, at);
    if (event.key === "Tab") return props.onClose(false);
    if (event.key === "Escape") props.onClose(true);
    else if (to === undefined) return;
    else all[(to + all.length) % all.length]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  const choose = (item: MenuItem) => {
    if (item.sure !== undefined && sure !== item.key) return setSure(item.key);
    if (item.checked === undefined) props.onClose(true);
    item.onChoose();
  };
  return (
    <div
      ref={list}
      id={props.id}
      class={`menu ${props.room.side}`}
      style={{ maxHeight: `${Math.max(HEIGHT_MIN, props.room.height)}px` }}
      role="menu"
      aria-label={props.label}
      onKeyDown={press}
    >
      {props.items.map((item) => (
        <button
          key={item.key}
          type="button"
          role={item.checked === undefined ? "menuitem" : "menuitemcheckbox"}
          aria-checked={item.checked}
          tabIndex={-1}
          class={item.danger === true ? "menu-item danger" : "menu-item"}
          onClick={() => choose(item)}
        >
          {item.checked === true ? <CheckIcon /> : item.icon}
          <span>{sure === item.key ? item.sure : item.label}</span>
          {item.badge !== undefined && <span class="badge">{item.badge}</span>}
        </button>
      ))}
    </div>
  );
}

/** Where a key leads to from entry `at`; undefined: nowhere. */
function targetOf(
  event: KeyboardEvent,
  entries: readonly HTMLElement[],
  at: number,
): number | undefined {
  switch (event.key) {
    case "ArrowDown":
      return at + 1;
    case "ArrowUp":
      return at < 0 ? -1 : at - 1;
    case "Home":
      return 0;
    case "End":
      return -1;
    default:
      return event.key.length === 1 && event.key !== " "
        ? byLetter(event.key, entries, at)
        : undefined;
  }
}

function byLetter(key: string, entries: readonly HTMLElement[], at: number): number | undefined {
  const letter = key.toLocaleLowerCase();
  const starts = (entry: HTMLElement | undefined) =>
    entry?.textContent.trim().toLocaleLowerCase().startsWith(letter) === true;
  for (let step = 1; step <= entries.length; step++) {
    const index = (at + step) % entries.length;
    if (starts(entries[index])) return index;
  }
  return undefined;
}
