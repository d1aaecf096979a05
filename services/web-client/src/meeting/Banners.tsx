// What needs attention in a meeting, most urgent first; nothing when all is well.

import { useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { MicrophoneTrouble } from "../media/AudioSettings";
import type { Hindrance } from "../session/recovery";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { cutOffRelay } from "../session/way";
import { ProblemNotice } from "../start/forms";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";

/** How long a change of microphone is told, in ms. */
const TOLD_FOR_MS = 8000;

export function Banners({ stay, hindrance }: { stay: Stay; hindrance: Hindrance | undefined }) {
  const t = useMessages();
  const { length } = stay.pending;
  return (
    <div class="banners">
      {hindrance !== undefined ? (
        <Notice tone="warning">
          {t.connection[hindrance]} {length > 0 && t.control.sentLater(length)}
        </Notice>
      ) : (
        <>
          <CutOff />
          <AudioBanner />
        </>
      )}
      <StartAudio />
      <Interrupted />
      <MicrophoneTrouble />
      <FellBack />
      <Locked stay={stay} />
      <ProblemNotice during={["switch", "join"]} />
    </div>
  );
}

/** Only those behind the same relay can be heard; the announcer says so once. */
function CutOff() {
  const t = useMessages();
  const { session } = useServices();
  const relay = cutOffRelay(useStore(session.state));
  if (relay === undefined) return null;
  return (
    <Notice tone="warning" said>
      {t.connection.cutOff(relay)}
    </Notice>
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

/** A phone call or the like has the microphone. */
function Interrupted() {
  const t = useMessages();
  const { microphone } = useServices();
  const interrupted = useStore(microphone.interrupted);
  if (!interrupted) return null;
  return <Notice tone="warning">{t.microphone.interrupted}</Notice>;
}

function Locked({ stay }: { stay: Stay }) {
  const t = useMessages();
  const { session } = useServices();
  if (!stay.roster.locked || selfIn(stay)?.host !== true) return null;
  return (
    <Notice
      tone="info"
      action={
        <Button onClick={() => void session.act({ kind: "setLocked", locked: false })}>
          {t.hosting.unlock}
        </Button>
      }
    >
      {t.hosting.locked}
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
