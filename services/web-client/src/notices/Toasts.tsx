// Invitations, wherever the user is on the page: in a corner, told politely, joined with one tap.
// Nothing takes the focus, nothing goes away by itself before it means nothing any more.

import { useEffect } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { meetingIdAt } from "../session/state";
import { Button } from "../view/Button";
import { toShow } from "./notices";
import type { Notice } from "./notices";

/** More than these are told as a number. */
const SHOWN_MAX = 3;

export function Toasts() {
  const { t } = useTranslation();
  const { session } = useServices();
  const { notices, place } = useStore(session.state);
  const here = place.kind === "over" ? undefined : meetingIdAt(place);
  const inside = place.kind === "inside";
  useEffect(() => {
    // Whoever is in has followed the invitation.
    for (const { id, meetingId } of inside ? notices.pending : []) {
      if (meetingId === here) void session.dismissNotice(id);
    }
  }, [notices, here, inside, session]);
  const all = toShow(notices, here);
  const more = all.length - SHOWN_MAX;
  return (
    <section class="toasts" aria-label={t.notices.region} aria-live="polite">
      {all.slice(0, SHOWN_MAX).map((notice) => (
        <Toast key={notice.id} notice={notice} />
      ))}
      {more > 0 && <p class="toast-more">{t.notices.more(more)}</p>}
    </section>
  );
}

function Toast({ notice }: { notice: Notice }) {
  const { t, language } = useTranslation();
  const { session, navigation } = useServices();
  const subject = notice.subject || t.meeting.untitled;
  const join = () => {
    navigation.toMeeting(notice.meetingId);
    session.join(notice.meetingId, "");
  };
  return (
    <div class="toast" role="group" aria-label={subject}>
      <p class="toast-subject">{subject}</p>
      <p class="hint">{sentenceOf(t, notice, language)}</p>
      <div class="actions">
        <Button kind="primary" label={t.notices.joinNamed(subject)} onClick={join}>
          {t.notices.join}
        </Button>
        <Button
          label={t.notices.dismissNamed(subject)}
          onClick={() => void session.dismissNotice(notice.id)}
        >
          {t.notices.dismiss}
        </Button>
      </div>
    </div>
  );
}

function sentenceOf(t: Messages, { fromName, kind }: Notice, language: string): string {
  const from = fromName || t.notices.somebody;
  if (kind.kind !== "shared") return t.notices[kind.kind](from);
  const now = Date.now();
  return kind.startsAtMs === undefined || kind.startsAtMs <= now
    ? t.notices.shared(from)
    : t.notices.sharedAt(from, timeText(kind.startsAtMs, now, language));
}
