// Tells screen readers who comes and goes, not more often than they can say it.

import { useEffect, useRef, useState } from "preact/hooks";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { ANNOUNCE_EVERY_MS, movementBetween } from "./announcements";
import type { Movement } from "./announcements";
import type { Participant } from "./roster";

/** More names than this are told as a number. */
const NAMES_MAX = 3;

interface Props {
  participants: ReadonlyMap<number, Participant>;
  selfId: number;
}

export function Announcer({ participants, selfId }: Props) {
  const { t, language } = useTranslation();
  const [text, setText] = useState("");
  const told = useRef(participants);
  const latest = useRef(participants);
  latest.current = participants;
  useEffect(() => {
    const timer = setInterval(() => {
      if (told.current === latest.current) return;
      const movement = movementBetween(told.current, latest.current, selfId);
      told.current = latest.current;
      const sentence = sentenceFor(t, language, movement);
      if (sentence !== "") setText(sentence);
    }, ANNOUNCE_EVERY_MS);
    return () => clearInterval(timer);
  }, [t, language, selfId]);
  return (
    <div class="visually-hidden" aria-live="polite">
      {text}
    </div>
  );
}

function sentenceFor(t: Messages, language: string, { joined, left }: Movement): string {
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
    ...say(joined, t.meeting.joined, t.meeting.manyJoined),
    ...say(left, t.meeting.left, t.meeting.manyLeft),
  ].join(". ");
}
