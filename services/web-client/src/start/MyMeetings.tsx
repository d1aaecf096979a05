// The meetings of who is logged in that are not over: running ones first, then by time.

import { useCallback, useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { timeText } from "../app/time";
import { useMessages, useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { failureText } from "../i18n/problem";
import { entryAt, liveStay } from "../session/places";
import type { Outcome } from "../session/refusal";
import type { Meeting } from "../session/wire";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";

export function MyMeetings() {
  const t = useMessages();
  const { answer, reload } = useMyMeetings();
  return (
    <section class="card" aria-label={t.lobby.myMeetings}>
      <h2>{t.lobby.myMeetings}</h2>
      {answer === undefined && <span class="spinner" aria-hidden="true" />}
      {answer?.ok === false && (
        <Notice
          tone="error"
          action={<Button onClick={() => void reload()}>{t.microphone.tryAgain}</Button>}
        >
          {failureText(t, "other", answer.reason)}
        </Notice>
      )}
      {answer?.ok === true && answer.value.length === 0 && (
        <p class="empty">{t.lobby.noMeetings}</p>
      )}
      {answer?.ok === true && answer.value.length > 0 && (
        <ul class="rows" aria-label={t.lobby.myMeetings}>
          {answer.value.map((meeting) => (
            <MeetingRow key={meeting.id} meeting={meeting} />
          ))}
        </ul>
      )}
    </section>
  );
}

function MeetingRow({ meeting }: { meeting: Meeting }) {
  const { t, language } = useTranslation();
  const { session } = useServices();
  const { identity } = useStore(session.state);
  const subject = meeting.subject || t.meeting.untitled;
  const facts = [
    startText(t, meeting, Date.now(), language),
    organiserText(t, meeting, identity?.userId),
  ];
  return (
    <li class="row">
      <span class="row-text">
        <span class="row-name">{subject}</span>
        <span class="hint">{facts.filter(Boolean).join(" · ")}</span>
      </span>
      <span class="row-actions">
        <WayIn meetingId={meeting.id} subject={subject} />
      </span>
    </li>
  );
}

/** Into the meeting, or back to it for who is in. */
function WayIn({ meetingId, subject }: { meetingId: string; subject: string }) {
  const t = useMessages();
  const { session, navigation, mini } = useServices();
  const state = useStore(session.state);
  if (liveStay(state)?.meeting.id === meetingId) {
    return <Button onClick={() => mini.close()}>{t.mini.restore}</Button>;
  }
  if (entryAt(state, meetingId)?.kind === "inside") {
    return (
      <Button onClick={() => void session.switchTo(meetingId)}>
        {t.meetings.switchTo(subject)}
      </Button>
    );
  }
  return (
    <Button label={t.lobby.joinMeeting(subject)} onClick={() => navigation.toMeeting(meetingId)}>
      {t.lobby.join}
    </Button>
  );
}

/** When a meeting begins or began. */
export function startText(
  t: Messages,
  { startsAtMs }: Meeting,
  nowMs: number,
  language: string,
): string {
  if (startsAtMs === undefined) return t.lobby.runsNow;
  const time = timeText(startsAtMs, nowMs, language);
  return startsAtMs > nowMs ? t.lobby.startsAt(time) : t.lobby.startedAt(time);
}

/** Whose meeting it is; empty if that is not known. */
export function organiserText(
  t: Messages,
  { organiserUserId, organiserName }: Meeting,
  selfId: string | undefined,
): string {
  if (organiserUserId !== "" && organiserUserId === selfId) return t.lobby.organisedByYou;
  return organiserName === "" ? "" : t.lobby.organisedBy(organiserName);
}

/** Read when shown, when somebody comes back to the page, and when a notice has come. */
function useMyMeetings() {
  const { session, desk } = useServices();
  const { notices } = useStore(session.state);
  const [answer, setAnswer] = useState<Outcome<Meeting[]> | undefined>(undefined);
  const reload = useCallback(async () => setAnswer(await desk.myMeetings()), [desk]);
  useEffect(() => void reload(), [reload, notices.pending]);
  useEffect(() => {
    const shown = () => document.visibilityState === "visible" && void reload();
    document.addEventListener("visibilitychange", shown);
    return () => document.removeEventListener("visibilitychange", shown);
  }, [reload]);
  return { answer, reload };
}
