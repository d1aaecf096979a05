// What is written in a meeting: to everybody or to some. Links are shown as they were written and lead
// nowhere by themselves.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { Button } from "../view/Button";
import type { Chat } from "./chat";
import { ChatForm } from "./ChatForm";
import type { Draft } from "./drafts";
import { Message, PendingMessage, RefusedMessage, refusedChat } from "./Message";
import { pendingChat } from "./pending";

/** Closer to the end than this, one reads what is new, in px. */
const AT_END = 48;

interface Props {
  stay: Stay;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  wanted: number;
}

export function ChatPanel({ stay, draft, onDraft, wanted }: Props) {
  const { t } = useTranslation();
  const { session } = useServices();
  const { id } = stay.meeting;
  const log = useRef<HTMLDivElement>(null);
  const { hints } = useStore(session.state);
  const waiting = pendingChat(stay);
  const refused = refusedChat(t, hints.shown, id);
  const { entries } = stay.chat;
  const end = useEnd(log, entries.at(-1)?.number, entries.length + waiting.length + refused.length);
  useEffect(() => {
    session.openChat(id, true);
    return () => session.openChat(id, false);
  }, [session, id]);
  const empty = entries.length === 0 && waiting.length === 0 && stay.chat.history === "whole";
  return (
    <>
      <div
        ref={log}
        class="chat-log"
        role="log"
        aria-label={t.chat.log}
        tabIndex={0}
        aria-live="off"
      >
        <Earlier chat={stay.chat} onRead={() => void session.readEarlierChat(id)} />
        {empty && <p class="empty">{t.chat.empty}</p>}
        <div class="chat-messages">
          {entries.map((entry, index) => (
            <Message key={entry.number} entry={entry} before={entries[index - 1]} stay={stay} />
          ))}
          {refused.map((message) => (
            <RefusedMessage key={message.hintId} message={message} stay={stay} />
          ))}
          {waiting.map((message) => (
            <PendingMessage key={message.id} message={message} stay={stay} />
          ))}
        </div>
      </div>
      {end.missed > 0 && (
        <Button class="chat-new" onClick={end.goThere}>
          {t.chat.newMessages(end.missed)}
        </Button>
      )}
      <ChatForm
        stay={stay}
        draft={draft}
        onDraft={onDraft}
        wanted={wanted}
        mayWrite={selfIn(stay) !== undefined}
        onSend={(text, to) => {
          end.goThere();
          return session.act({ kind: "sendChat", text, to }, id) !== undefined;
        }}
      />
    </>
  );
}

function Earlier({ chat, onRead }: { chat: Chat; onRead: () => void }) {
  const { t } = useTranslation();
  switch (chat.history) {
    case "reading":
      return <p class="hint centred">{t.chat.loading}</p>;
    case "more":
    case "unread":
      return (
        <Button kind="text" onClick={onRead}>
          {t.chat.earlier}
        </Button>
      );
    case "whole":
      return null;
  }
}

/** Stays at the end while one is there; who reads further up is told of what comes. */
function useEnd(log: RefObject<HTMLElement | null>, last: bigint | undefined, length: number) {
  const atEnd = useRef(true);
  const seen = useRef(last);
  const height = useRef(0);
  const [missed, setMissed] = useState(0);
  const goThere = () => {
    atEnd.current = true;
    setMissed(0);
    if (log.current !== null) log.current.scrollTop = log.current.scrollHeight;
  };
  useEffect(() => {
    const element = log.current;
    const look = () => {
      if (element === null) return;
      const { scrollHeight, scrollTop, clientHeight } = element;
      atEnd.current = scrollHeight - scrollTop - clientHeight < AT_END;
      if (atEnd.current) setMissed(0);
    };
    element?.addEventListener("scroll", look, { passive: true });
    return () => element?.removeEventListener("scroll", look);
  }, [log]);
  useLayoutEffect(() => {
    const element = log.current;
    if (element === null) return;
    const grown = element.scrollHeight - height.current;
    height.current = element.scrollHeight;
    const isNew = last !== seen.current;
    seen.current = last;
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else if (isNew) setMissed((n) => n + 1);
    // What was put in above moves what is being read down with it.
    else element.scrollTop += grown;
  }, [log, last, length]);
  return { missed, goThere };
}
