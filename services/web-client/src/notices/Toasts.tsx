// Invitations, wherever the user is on the page: told politely, answered with one tap. Nothing takes the
// focus or lies over the field in which somebody types, nothing goes away by itself before it means
// nothing any more.

import { useRef } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { isEntry, liveStay, meetingIdAt } from "../session/places";
import { Button } from "../view/Button";
import { BellIcon } from "../view/icons";
import { useClear, useTyping } from "../view/useClear";
import { NARROW, useMedia } from "../view/useMedia";
import { toShow } from "./notices";
import type { Notice } from "./notices";

/** More than these are told as a number. */
const SHOWN_MAX = 3;
/** The same where there is little room, or somebody types. */
const SHOWN_FEW = 1;
/** Where they can be, the usual one first; as in the style sheet. */
const PLACES = ["top-end", "bottom-end", "top-start", "bottom-start"] as const;

export function Toasts() {
  const { t } = useTranslation();
  const { session } = useServices();
  const { notices, place, other } = useStore(session.state);
  const here = [place, other].flatMap((entry) =>
    entry === undefined || entry.kind === "over" ? [] : (meetingIdAt(entry) ?? []),
  );
  const all = toShow(notices, here);
  const few = [useMedia(NARROW), useTyping()].some(Boolean);
  const shown = all.slice(0, few ? SHOWN_FEW : SHOWN_MAX);
  const more = all.length - shown.length;
  const region = useRef<HTMLElement>(null);
  const at = useClear(region, PLACES, shown.map(({ id }) => id).join());
  return (
    <section
      ref={region}
      class={`toasts ${at}`}
      role="status"
      aria-label={t.notices.region}
      aria-live="polite"
    >
      {shown.map((notice) => (
        <Toast key={notice.id} notice={notice} />
      ))}
      {more > 0 && <p class="toast-more">{t.notices.more(more)}</p>}
      {shown.length > 0 && <Outside />}
    </section>
  );
}

function Toast({ notice }: { notice: Notice }) {
  const { t, language } = useTranslation();
  const { session, navigation } = useServices();
  const state = useStore(session.state);
  const subject = notice.subject || t.meeting.untitled;
  const live = liveStay(state)?.meeting.subject;
  const accept = () => {
    // Beside a meeting that one is in, the address follows when the other one is there.
    if (!isEntry(state.place)) navigation.toMeeting(notice.meetingId);
    session.accept(notice);
  };
  return (
    <div class="toast" role="group" aria-label={subject}>
      <p class="toast-subject">{subject}</p>
      <p class="hint">
        {sentenceOf(t, notice, language)}
        {live !== undefined && ` ${t.notices.holds(live || t.meeting.untitled)}`}
      </p>
      <div class="actions">
        <Button kind="primary" label={t.notices.acceptNamed(subject)} onClick={accept}>
          {t.notices.accept}
        </Button>
        <Button label={t.notices.laterNamed(subject)} onClick={() => session.later(notice.id)}>
          {t.notices.later}
        </Button>
        <Button
          kind="text"
          label={t.notices.declineNamed(subject)}
          onClick={() => void session.decline(notice.id)}
        >
          {t.notices.decline}
        </Button>
      </div>
    </div>
  );
}

/** Notifications of the system are asked for by whoever wants them, never by the page. */
function Outside() {
  const { t } = useTranslation();
  const { notifier } = useServices();
  const state = useStore(notifier.state);
  if (state !== "askable") return null;
  return (
    <Button
      kind="text"
      class="toast-outside"
      icon={<BellIcon />}
      onClick={() => void notifier.ask()}
    >
      {t.notices.notify}
    </Button>
  );
}

/** What a notice says, in one sentence. */
export function sentenceOf(t: Messages, { fromName, kind }: Notice, language: string): string {
  const from = fromName || t.notices.somebody;
  if (kind.kind !== "shared") return t.notices[kind.kind](from);
  const now = Date.now();
  return kind.startsAtMs === undefined || kind.startsAtMs <= now
    ? t.notices.shared(from)
    : t.notices.sharedAt(from, timeText(kind.startsAtMs, now, language));
}
