// What needs attention in a meeting, most urgent first; nothing when all is well.

import { useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { MicrophoneTrouble } from "../media/AudioSettings";
import { ProblemNotice } from "../start/forms";
import type { Hindrance } from "../session/recovery";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";

/** How long a change of microphone is told, in ms. */
const TOLD_FOR_MS = 8000;

export function Banners({ hindrance }: { hindrance: Hindrance | undefined }) {
  const t = useMessages();
  return (
    <div class="banners">
      {hindrance !== undefined ? (
        <Notice tone="warning">{t.connection[hindrance]}</Notice>
      ) : (
        <AudioBanner />
      )}
      <StartAudio />
      <MicrophoneTrouble />
      <FellBack />
      <ProblemNotice during={["end"]} />
    </div>
  );
}

function AudioBanner() {
  const t = useMessages();
  const { link } = useServices();
  const state = useStore(link.state);
  if (state !== "interrupted" && state !== "failed") return null;
  return <Notice tone="warning">{t.connection.audioInterrupted}</Notice>;
}

function StartAudio() {
  const t = useMessages();
  const { playback } = useServices();
  const { blocked } = useStore(playback.state);
  if (!blocked) return null;
  return (
    <Notice
      tone="info"
      action={
        <Button kind="primary" onClick={() => void playback.start()}>
          {t.meeting.startAudio}
        </Button>
      }
    >
      {t.meeting.startAudioHint}
    </Notice>
  );
}

/** For some seconds: which microphone took over. */
function FellBack() {
  const t = useMessages();
  const { microphone } = useServices();
  const { fellBackTo } = useStore(microphone.state);
  const [seen, setSeen] = useState<string | undefined>(undefined);
  useEffect(() => {
    const timer = setTimeout(() => setSeen(fellBackTo), TOLD_FOR_MS);
    return () => clearTimeout(timer);
  }, [fellBackTo]);
  if (fellBackTo === undefined || fellBackTo === seen) return null;
  return <Notice tone="info">{t.microphone.fellBackTo(fellBackTo)}</Notice>;
}
