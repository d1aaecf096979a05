// What somebody is to know now, above the controls: who talks to them privately, what a host did or
// asks, what was not carried out. Nothing of it must be answered, and nothing takes the focus.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { failureText } from "../i18n/problem";
import type { Hint } from "../session/hints";
import type { Stay } from "../session/stay";
import { Button } from "../view/Button";
import { CloseIcon } from "../view/icons";
import { useDisplayNames } from "./whisper";

/** What explains itself goes after this time, in ms. */
const TOLD_FOR_MS = 10_000;

interface Props {
  stay: Stay;
  /** Where messages that were not taken are shown as well. */
  chatOpen: boolean;
  onAnswer: (ids: readonly number[]) => void;
}

export function Hints({ stay, chatOpen, onAnswer }: Props) {
  const leftOut = ({ body, meetingId }: Hint) =>
    chatOpen && meetingId === stay.meeting.id && body.kind === "refused" && body.act === "sendChat";
  return (
    <div class="hints" role="status">
      <MutedHint />
      <Heard stay={stay} onAnswer={onAnswer} />
      <HintLines liveId={stay.meeting.id} leftOut={leftOut} />
    </div>
  );
}

/** What there is to say beside the state of things, in the meeting and while it is small. */
export function HintLines(props: { liveId: string; leftOut?: (hint: Hint) => boolean }) {
  const { session } = useServices();
  const { hints } = useStore(session.state);
  return (
    <>
      {hints.shown
        .filter((hint) => props.leftOut?.(hint) !== true)
        .map((hint) => (
          <HintLine key={hint.id} hint={hint} liveId={props.liveId} />
        ))}
    </>
  );
}

/** Somebody talks into a muted microphone. */
function MutedHint() {
  const { t } = useTranslation();
  const { microphone } = useServices();
  const { speaking } = useStore(microphone.state);
  const muted = useStore(microphone.muted);
  if (!muted || !speaking) return null;
  return <p class="hint-line">{t.meeting.youAreMuted}</p>;
}

function Heard({ stay, onAnswer }: Pick<Props, "stay" | "onAnswer">) {
  const { t } = useTranslation();
  const talkers = [...stay.talks.incoming.keys()];
  const names = useDisplayNames(stay, talkers);
  if (talkers.length === 0) return null;
  return (
    <div class="hint-line whisper">
      <span>{talkers.length === 1 ? t.whisper.heard(names) : t.whisper.heardMany(names)}</span>
      <Button onClick={() => onAnswer(talkers)}>{t.whisper.answer}</Button>
    </div>
  );
}

function HintLine({ hint, liveId }: { hint: Hint; liveId: string }) {
  const { t } = useTranslation();
  const { session } = useServices();
  const { id, body } = hint;
  // What somebody wrote is kept until they have looked at it.
  const stays = STAYS.has(body.kind) || (body.kind === "refused" && body.act === "sendChat");
  useEffect(() => {
    if (stays) return undefined;
    const timer = setTimeout(() => session.forgetHint(id), TOLD_FOR_MS);
    return () => clearTimeout(timer);
  }, [stays, session, id]);
  const text = textOf(t, hint);
  const elsewhere = hint.meetingId !== liveId && hint.subject !== "" && !NAMED.has(body.kind);
  return (
    <div class="hint-line">
      <span>{elsewhere ? `${hint.subject}: ${text}` : text}</span>
      <Actions hint={hint} here={hint.meetingId === liveId} />
      <button
        type="button"
        class="icon-button"
        aria-label={t.meeting.close}
        onClick={() => session.forgetHint(id)}
      >
        <CloseIcon />
      </button>
    </div>
  );
}

/** These wait until somebody has dealt with them. */
const STAYS: ReadonlySet<Hint["body"]["kind"]> = new Set([
  "askedToUnmute",
  "announcement",
  "letIn",
  "meetingOver",
]);
/** These say of themselves which meeting they are about. */
const NAMED: ReadonlySet<Hint["body"]["kind"]> = new Set(["letIn", "meetingOver", "twoAlready"]);

function Actions({ hint, here }: { hint: Hint; here: boolean }): ComponentChildren {
  const { t } = useTranslation();
  const { session, microphone } = useServices();
  const done = () => session.forgetHint(hint.id);
  switch (hint.body.kind) {
    case "askedToUnmute":
      if (!here) return null;
      return (
        <Button
          kind="primary"
          onClick={() => {
            void microphone.setMuted(false);
            done();
          }}
        >
          {t.hosting.unmuteNow}
        </Button>
      );
    case "letIn":
      return (
        <Button
          kind="primary"
          onClick={() => {
            void session.switchTo(hint.meetingId);
            done();
          }}
        >
          {t.meetings.switchTo(hint.subject)}
        </Button>
      );
    default:
      return null;
  }
}

function textOf(t: Messages, { body, subject }: Hint): string {
  switch (body.kind) {
    case "askedToUnmute":
      return t.hosting.asksToUnmute(body.byName || t.control.unknownName);
    case "mutedByHost":
      return t.hosting.mutedBy(body.byName || t.control.unknownName);
    case "handLowered":
      return t.hosting.handLoweredBy(body.byName || t.control.unknownName);
    case "madeHost":
      return t.hosting.youAreHost;
    case "noHostAnyMore":
      return t.hosting.youAreNoHost;
    case "announcement":
      return t.said.announcement(body.text);
    case "refused":
      return `${t.acts[body.act]}: ${t.operation[body.reason]}`;
    case "letIn":
      return t.meetings.letIn(subject || t.meeting.untitled);
    case "meetingOver": {
      const over = `${subject || t.meeting.untitled}: ${t.over[body.reason]}.`;
      return body.wasLive ? `${over} ${t.meetings.nowHere}` : over;
    }
    case "notJoined":
      return failureText(t, "join", body.reason);
    case "notSwitched":
      return `${t.meetings.switchFailed} ${failureText(t, "other", body.reason)}`;
    case "twoAlready":
      return t.meetings.full;
  }
}
