// Private talk: whom somebody has chosen, and the bar by which they are talked to, held or kept on.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { TARGETS_MAX } from "../operations/act";
import type { Stay } from "../session/stay";
import { isUnheard } from "../talk/talk";
import type { OwnTalk } from "../talk/talk";
import { Button } from "../view/Button";
import { CloseIcon, LatchIcon, WhisperIcon } from "../view/icons";

export interface Whispering {
  /** Those chosen who are there, in the order in which they were chosen. */
  readonly picked: ReadonlySet<number>;
  /** Those chosen, there or not. */
  readonly chosen: readonly number[];
  readonly toggle: (id: number) => void;
  readonly choose: (ids: readonly number[]) => void;
  /** Held down, or let go. */
  readonly hold: (on: boolean) => void;
  readonly latch: () => void;
  /** Back to everybody; who was chosen stays so. */
  readonly stop: () => void;
  readonly clear: () => void;
}

export function useWhisper(stay: Stay): Whispering {
  const { session } = useServices();
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const { own } = stay.talks;
  const there = chosen.filter((id) => {
    const participant = stay.roster.participants.get(id);
    return participant !== undefined && participant.presence !== "offline";
  });
  const latest = useRef({ there, own, some: false });
  latest.current = { there, own, some: chosen.length > 0 };
  const choose = useCallback(
    (ids: readonly number[]) => {
      const few = ids.slice(0, TARGETS_MAX);
      setChosen(few);
      if (!latest.current.own.latched) return;
      // What is kept on follows the choice.
      if (few.length > 0) session.talk.latch(few);
      else session.talk.stop();
    },
    [session],
  );
  const toggle = useCallback(
    (id: number) => {
      const now = latest.current.there;
      choose(now.includes(id) ? now.filter((other) => other !== id) : [...now, id]);
    },
    [choose],
  );
  return {
    picked: new Set(there),
    chosen,
    toggle,
    choose,
    hold: (on) => {
      const now = latest.current;
      if (!on) session.talk.release();
      else if (now.some && !now.own.latched) session.talk.press(now.there);
    },
    latch: () => session.talk.latch(latest.current.there),
    stop: () => session.talk.stop(),
    clear: () => {
      setChosen([]);
      session.talk.stop();
    },
  };
}

/** Nothing while nobody is chosen and the floor is not left. Whoever nobody hears is told so. */
export function WhisperBar({ stay, whisper }: { stay: Stay; whisper: Whispering }) {
  const { t } = useTranslation();
  const { own } = stay.talks;
  const onFloor = own.phase === "floor";
  const unheard = isUnheard(own, stay.roster.participants);
  const ids = onFloor ? [...whisper.picked] : own.targetIds;
  const names = useDisplayNames(stay, ids);
  const focused = useRef<HTMLElement>(null);
  if (onFloor && whisper.chosen.length === 0) return null;
  return (
    <section
      ref={focused}
      class={`whisper-bar ${unheard ? "unheard" : own.phase === "private" ? "in-force" : ""}`}
      aria-label={t.whisper.bar}
    >
      <WhisperIcon />
      <p class="whisper-text" role="status">
        {unheard ? t.whisper.unheard : sentenceOf(t, own, ids, names)}
        {own.phase === "private" && !unheard && <small>{t.whisper.nobodyElse}</small>}
        {unheard && <small>{own.latched ? t.whisper.goBack : t.whisper.letGo}</small>}
      </p>
      <div class="whisper-buttons">
        {!own.latched && <HoldButton onHold={whisper.hold} />}
        {own.latched ? (
          <Button onClick={whisper.stop}>{t.whisper.unlatch}</Button>
        ) : (
          <LatchButton onLatch={whisper.latch} />
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={t.whisper.clear}
          title={t.whisper.clear}
          onClick={whisper.clear}
        >
          <CloseIcon />
        </button>
      </div>
    </section>
  );
}

function LatchButton({ onLatch }: { onLatch: () => void }) {
  const { t } = useTranslation();
  return (
    <Button icon={<LatchIcon />} title={t.whisper.latchTitle} onClick={onLatch}>
      {t.whisper.latch}
    </Button>
  );
}

/** `ids` and `names`: to whom, or who is chosen. */
function sentenceOf(t: Messages, own: OwnTalk, ids: readonly number[], names: string): string {
  switch (own.phase) {
    case "floor":
      return ids.length === 0 ? t.whisper.noneThere : t.whisper.toNames(names);
    case "asking":
      return t.whisper.getting(names);
    case "private":
      return ids.length === 1 ? t.whisper.only(names) : t.whisper.onlyMany(names);
    default:
      return t.whisper.ending;
  }
}

/** Display names as a list in the language. */
export function useDisplayNames(stay: Stay, ids: readonly number[]): string {
  const { t, language } = useTranslation();
  const names = ids.map(
    (id) => stay.roster.participants.get(id)?.displayName ?? t.control.unknownName,
  );
  return new Intl.ListFormat(language).format(names);
}

/** Pressed down by pointer, touch or key, it is held until it is let go, wherever that is. */
function HoldButton({ onHold }: { onHold: (on: boolean) => void }) {
  const { t } = useTranslation();
  const held = useRef(false);
  const latest = useRef(onHold);
  latest.current = onHold;
  const set = (on: boolean) => {
    if (held.current === on) return;
    held.current = on;
    latest.current(on);
  };
  useEffect(
    () => () => {
      if (held.current) latest.current(false);
    },
    [],
  );
  const isPress = ({ key }: KeyboardEvent) => key === " " || key === "Enter";
  return (
    <button
      type="button"
      class="button hold"
      title={t.whisper.holdTitle}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        set(true);
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerUp={() => set(false)}
      onPointerCancel={() => set(false)}
      onLostPointerCapture={() => set(false)}
      onBlur={() => set(false)}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (!isPress(event)) return;
        event.preventDefault();
        set(true);
      }}
      onKeyUp={(event) => isPress(event) && set(false)}
    >
      <span>{t.whisper.hold}</span>
    </button>
  );
}
