// Tells screen readers what goes on, not more often than they can say it. What is urgent, such as who
// talks to somebody privately, is told at once by what shows it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { ANNOUNCE_EVERY_MS, newsBetween, wayNews } from "./announcements";
import type { News } from "./announcements";
import { handsOf } from "./roster";

/** More names than this are told as a number. */
const NAMES_MAX = 3;
/** More characters of a message are not said: it can be read. */
const SAID_MAX = 200;

interface Props {
  stay: Stay;
  /** Messages are said as they are, not only that they have come. */
  chatOpen: boolean;
}

export function Announcer({ stay, chatOpen }: Props) {
  const { t, language } = useTranslation();
  const { session } = useServices();
  const { way, coreName } = useStore(session.state);
  const [text, setText] = useState("");
  const link = useMemo(() => ({ way, coreName }), [way, coreName]);
  const told = useRef({ stay, link });
  const latest = useRef(told.current);
  latest.current = { stay, link };
  useEffect(() => {
    const timer = setInterval(() => {
      const { stay: before, link: linkBefore } = told.current;
      const { stay: after, link: linkAfter } = latest.current;
      if (before === after && linkBefore === linkAfter) return;
      told.current = latest.current;
      const sentences = [
        ...wayNews(t, linkBefore, linkAfter),
        ...ownNews(t, before, after),
        ...othersNews(t, language, newsBetween(before, after)),
        ...chatNews(t, before, after, chatOpen),
        ...meetingNews(t, before, after),
      ];
      if (sentences.length > 0) setText(sentences.join(". "));
    }, ANNOUNCE_EVERY_MS);
    return () => clearInterval(timer);
  }, [t, language, chatOpen]);
  return (
    <div class="visually-hidden" aria-live="polite">
      {text}
    </div>
  );
}

function othersNews(t: Messages, language: string, news: News): string[] {
  const list = new Intl.ListFormat(language);
  const say = (
    names: readonly string[],
    few: (names: string) => string,
    many: (n: number) => string,
  ) => {
    if (names.length === 0) return [];
    return [names.length > NAMES_MAX ? many(names.length) : few(list.format(names))];
  };
  return [
    ...say(news.hands, t.said.hand, t.presence.handsIn),
    ...say(news.waiting, t.said.waiting, t.hosting.waiting),
    ...say(news.joined, t.meeting.joined, t.meeting.manyJoined),
    ...say(news.left, t.meeting.left, t.meeting.manyLeft),
    ...say(news.cutOff, t.said.cutOff, t.said.manyCutOff),
    ...say(news.reachable, t.said.reachable, t.said.manyReachable),
  ];
}

/** What became of what one did oneself. */
function ownNews(t: Messages, before: Stay, after: Stay): string[] {
  const then = selfIn(before);
  const now = selfIn(after);
  if (then === undefined || now === undefined) return [];
  const place = handsOf(after.roster).findIndex(({ id }) => id === now.id) + 1;
  const hand = place > 0 ? t.said.ownHand(place) : t.said.ownHandDown;
  return [
    ...(then.handRaised === now.handRaised ? [] : [hand]),
    ...(then.checkedInAtMs === now.checkedInAtMs ? [] : [t.said.checkedIn]),
    ...(then.presence !== "away" && now.presence === "away" ? [t.said.away] : []),
    ...(then.presence === "away" && now.presence === "online" ? [t.said.back] : []),
  ];
}

function chatNews(t: Messages, before: Stay, after: Stay, open: boolean): string[] {
  const last = before.chat.entries.at(-1)?.number ?? before.cursor;
  const fresh = after.chat.entries.filter(({ number, own }) => !own && number > last);
  const [only] = fresh;
  if (only === undefined) return [];
  if (fresh.length > 1) return [t.said.messages(fresh.length)];
  const text = [...only.text].slice(0, SAID_MAX).join("");
  if (only.kind === "announcement") return [t.said.announcement(text)];
  const name = only.fromName || t.control.unknownName;
  if (open) return [`${t.chat.said(name)}: ${text}`];
  return [only.toIds.length > 0 ? t.said.privateMessage(name) : t.said.message(name)];
}

function meetingNews(t: Messages, before: Stay, after: Stay): string[] {
  const { locked, spotlightId, participants } = after.roster;
  const shown = spotlightId === undefined ? undefined : participants.get(spotlightId);
  // Hosts have it in a notice.
  const quiet = locked === before.roster.locked || selfIn(after)?.host === true;
  const other = spotlightId !== before.roster.spotlightId && shown !== undefined;
  return [
    ...(quiet ? [] : [locked ? t.said.locked : t.said.unlocked]),
    ...(other ? [t.said.spotlight(shown.displayName)] : []),
  ];
}
