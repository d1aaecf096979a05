// In the lobby: a host will let them in. The microphone can be seen to meanwhile.

import { useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import { AudioSettings } from "../media/AudioSettings";
import type { Hindrance } from "../session/recovery";
import type { Meeting } from "../session/wire";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { Shell } from "../view/Shell";

interface Props {
  meeting: Meeting;
  hindrance: Hindrance | undefined;
}

export function WaitingScreen({ meeting, hindrance }: Props) {
  const { t } = useTranslation();
  const { session, microphone } = useServices();
  const { identity } = useStore(session.state);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => void microphone.start(), [microphone]);
  return (
    <Shell>
      <div class="hero">
        <p class="waiting-mark" aria-hidden="true">
          <span class="spinner" />
        </p>
        <h1 ref={heading} tabIndex={-1}>
          {t.waiting.title}
        </h1>
        <p>{meeting.subject || t.preJoin.meeting(meeting.id)}</p>
      </div>
      <div class="card narrow">
        {hindrance !== undefined && <Notice tone="warning">{t.joining[hindrance]}</Notice>}
        <p role="status">{t.waiting.hint}</p>
        {identity !== undefined && <p class="hint">{t.waiting.as(identity.displayName)}</p>}
        <Since />
        <AudioSettings brief />
        <Button onClick={() => session.leave(meeting.id)}>{t.waiting.leave}</Button>
      </div>
    </Shell>
  );
}

const MINUTE_MS = 60_000;

function Since() {
  const { t } = useTranslation();
  const [minutes, setMinutes] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setMinutes((n) => n + 1), MINUTE_MS);
    return () => clearInterval(timer);
  }, []);
  return <p class="hint">{t.waiting.since(minutes)}</p>;
}
