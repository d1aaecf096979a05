// One message, and one that has no result yet.

import type { ComponentChildren } from "preact";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { useServices } from "../app/context";
import type { Hint } from "../session/hints";
import type { Stay } from "../session/stay";
import { Button } from "../view/Button";
import { memo } from "../view/memo";
import type { ChatEntry } from "./chat";
import type { PendingMessage as Pending } from "./pending";

/** Messages of one person within this time stand together, in ms. */
const TOGETHER_MS = 3 * 60_000;
/** More names than this are told as a number. */
const NAMES_MAX = 3;

interface Props {
  entry: ChatEntry;
  before: ChatEntry | undefined;
  stay: Stay;
}

export function Message({ entry, before, stay }: Props) {
  const toNames = useNamesOf(stay, entry.toIds);
  const first = before === undefined || !belongTogether(before, entry);
  return <Shown entry={entry} first={first} toNames={toNames} selfId={stay.selfId} />;
}

/** Who a private message is for, as a text; empty for everybody. */
export function useNamesOf(stay: Stay, ids: readonly number[]): string {
  const { t, language } = useTranslation();
  if (ids.length === 0) return "";
  if (ids.length > NAMES_MAX) return t.chat.toMany(ids.length);
  const names = ids.map((id) => {
    if (id === stay.selfId) return t.chat.you;
    return stay.roster.participants.get(id)?.displayName ?? t.control.unknownName;
  });
  return new Intl.ListFormat(language).format(names);
}

function belongTogether(a: ChatEntry, b: ChatEntry): boolean {
  return (
    a.kind === "message" &&
    b.kind === "message" &&
    a.fromId === b.fromId &&
    a.toIds.join() === b.toIds.join() &&
    b.atMs - a.atMs < TOGETHER_MS
  );
}

interface ShownProps {
  entry: ChatEntry;
  first: boolean;
  toNames: string;
  selfId: number;
}

const Shown = memo(function Shown({ entry, first, toNames, selfId }: ShownProps) {
  const { t, language } = useTranslation();
  const time = (
    <time dateTime={new Date(entry.atMs).toISOString()}>
      {timeText(entry.atMs, Date.now(), language)}
    </time>
  );
  if (entry.kind === "announcement") {
    return (
      <div class="message announcement">
        <p class="message-from">
          <strong>{t.chat.announcement}</strong> {time}
        </p>
        <p class="message-text">{entry.text}</p>
      </div>
    );
  }
  const isPrivate = entry.toIds.length > 0;
  const classes = [
    "message",
    ...(entry.own ? ["own"] : []),
    ...(first ? ["first"] : []),
    ...(isPrivate ? ["private"] : []),
  ];
  const onlyMe = entry.toIds.length === 1 && entry.toIds[0] === selfId;
  return (
    <div class={classes.join(" ")}>
      {first && (
        <p class="message-from">
          <strong>{entry.own ? t.chat.you : entry.fromName || t.control.unknownName}</strong>
          {isPrivate && (
            <span class="message-private">
              {onlyMe ? t.chat.onlyToYou : t.chat.onlyTo(toNames)}
            </span>
          )}
          {time}
        </p>
      )}
      <p class="message-text">{entry.text}</p>
    </div>
  );
});

export function PendingMessage({ message, stay }: { message: Pending; stay: Stay }) {
  const { t } = useTranslation();
  const toNames = useNamesOf(stay, message.toIds);
  return (
    <Own text={message.text} toNames={toNames} state="pending">
      <span role="status">{t.chat.sending}</span>
    </Own>
  );
}

/** A message that was not taken, as the hints have it. */
export interface RefusedChat {
  readonly hintId: number;
  readonly text: string;
  readonly to: readonly number[];
  readonly why: string;
}

export function refusedChat(t: Messages, hints: readonly Hint[], meetingId: string): RefusedChat[] {
  return hints.flatMap(({ id, meetingId: of, body }) => {
    if (of !== meetingId || body.kind !== "refused" || body.attempted.kind !== "sendChat")
      return [];
    const { text, to } = body.attempted;
    return [{ hintId: id, text, to, why: t.operation[body.reason] }];
  });
}

export function RefusedMessage({ message, stay }: { message: RefusedChat; stay: Stay }) {
  const { t } = useTranslation();
  const { session } = useServices();
  const { hintId, text, to } = message;
  const toNames = useNamesOf(stay, to);
  const again = () => {
    session.forgetHint(hintId);
    session.act({ kind: "sendChat", text, to }, stay.meeting.id);
  };
  return (
    <Own text={text} toNames={toNames} state="refused">
      <span role="alert">{t.chat.refused(message.why)}</span>
      <Button kind="text" onClick={again}>
        {t.chat.again}
      </Button>
      <Button kind="text" onClick={() => session.forgetHint(hintId)}>
        {t.chat.discard}
      </Button>
    </Own>
  );
}

function Own(props: {
  text: string;
  toNames: string;
  state: "pending" | "refused";
  children: ComponentChildren;
}) {
  const { t } = useTranslation();
  const isPrivate = props.toNames !== "";
  return (
    <div class={`message own first ${props.state} ${isPrivate ? "private" : ""}`}>
      {isPrivate && <p class="message-from message-private">{t.chat.onlyTo(props.toNames)}</p>}
      <p class="message-text">{props.text}</p>
      <p class="message-note">{props.children}</p>
    </div>
  );
}
