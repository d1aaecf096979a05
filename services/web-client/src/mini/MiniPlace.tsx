// Where the small meeting is shown: in its own window, or as a card on the page that can be moved by
// pointer and by arrow keys.

import type { ComponentChildren } from "preact";
import { createPortal } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { Entry } from "../session/places";
import { MiniMeeting } from "./MiniMeeting";

type Inside = Extract<Entry, { kind: "inside" }>;

export function MiniPlace({ entry }: { entry: Inside }): ComponentChildren {
  const { t } = useTranslation();
  const { mini } = useServices();
  const state = useStore(mini.state);
  switch (state.kind) {
    case "off":
      return null;
    case "card":
      return <MiniCard entry={entry} />;
    case "window":
      return createPortal(
        <main class="mini" aria-label={t.mini.card}>
          <MiniMeeting entry={entry} window={state.window} />
        </main>,
        state.window.document.body,
      );
  }
}

interface Spot {
  readonly left: number;
  readonly top: number;
}

/** Distance from the edges of the page, in px. */
const MARGIN = 16;
/** How far an arrow key moves the card, in px. */
const STEP = 24;

function MiniCard({ entry }: { entry: Inside }) {
  const { t } = useTranslation();
  const card = useRef<HTMLElement>(null);
  const [spot, setSpot] = useState<Spot | undefined>(undefined);
  const [start, setStart] = useState<Spot | undefined>(undefined);
  const move = (to: Spot) => setSpot(within(card.current, to));
  useEffect(() => {
    // At the lower right at first, and always on the page.
    const place = () => setSpot((now) => within(card.current, now ?? { left: 1e6, top: 1e6 }));
    place();
    addEventListener("resize", place);
    return () => removeEventListener("resize", place);
  }, []);
  const subject = entry.stay.meeting.subject || t.meeting.untitled;
  const at = spot ?? { left: MARGIN, top: MARGIN };
  const grip = (
    <button
      type="button"
      class="mini-grip"
      aria-label={`${subject}. ${t.mini.move}. ${t.mini.moveHint}`}
      title={t.mini.move}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setStart({ left: event.clientX - at.left, top: event.clientY - at.top });
      }}
      onPointerMove={(event) => {
        if (start === undefined) return;
        move({ left: event.clientX - start.left, top: event.clientY - start.top });
      }}
      onPointerUp={() => setStart(undefined)}
      onLostPointerCapture={() => setStart(undefined)}
      onKeyDown={(event) => {
        const step = STEPS[event.key];
        if (step === undefined) return;
        event.preventDefault();
        move({ left: at.left + step[0] * STEP, top: at.top + step[1] * STEP });
      }}
    >
      <span class="mini-subject">{subject}</span>
    </button>
  );
  return (
    <aside
      ref={card}
      class="mini mini-card"
      aria-label={t.mini.card}
      style={{ left: `${at.left}px`, top: `${at.top}px` }}
    >
      <MiniMeeting entry={entry} window={globalThis.window} grip={grip} />
    </aside>
  );
}

const STEPS: Record<string, readonly [number, number] | undefined> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The nearest place at which the card is on the page as a whole. */
function within(card: HTMLElement | null, { left, top }: Spot): Spot {
  const width = card?.offsetWidth ?? 0;
  const height = card?.offsetHeight ?? 0;
  const between = (value: number, max: number) => Math.max(MARGIN, Math.min(value, max));
  return {
    left: between(left, innerWidth - width - MARGIN),
    top: between(top, innerHeight - height - MARGIN),
  };
}
