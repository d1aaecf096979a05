// What one does in a meeting: mute, choose devices, leave, end it.

import { useEffect, useId, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { AudioSettings } from "../media/AudioSettings";
import { Button } from "../view/Button";
import { LeaveIcon, MicrophoneIcon, MicrophoneOffIcon, SettingsIcon } from "../view/icons";

export function ControlBar({ organiser }: { organiser: boolean }) {
  const t = useMessages();
  const { session } = useServices();
  const [open, setOpen] = useState<"settings" | "ending" | undefined>(undefined);
  const panelId = useId();
  useEffect(() => {
    if (open === undefined) return undefined;
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpen(undefined);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [open]);
  const settings = open === "settings";
  return (
    <div class="controls">
      <MutedHint />
      {settings && (
        <section id={panelId} class="panel" aria-label={t.meeting.audioSettings}>
          <AudioSettings />
        </section>
      )}
      {open === "ending" && <EndQuestion onKeep={() => setOpen(undefined)} />}
      <div class="control-bar" role="toolbar" aria-label={t.meeting.controls}>
        <MuteButton />
        <button
          type="button"
          class="control"
          aria-expanded={settings}
          aria-controls={settings ? panelId : undefined}
          onClick={() => setOpen(settings ? undefined : "settings")}
        >
          <SettingsIcon />
          <span>{t.meeting.audioSettings}</span>
        </button>
        <button type="button" class="control leave" onClick={() => session.leave()}>
          <LeaveIcon />
          <span>{t.meeting.leave}</span>
        </button>
        {organiser && open !== "ending" && (
          <Button kind="text" class="end" onClick={() => setOpen("ending")}>
            {t.meeting.endMeeting}
          </Button>
        )}
      </div>
    </div>
  );
}

function MuteButton() {
  const t = useMessages();
  const { microphone } = useServices();
  const muted = useStore(microphone.muted);
  const toggle = () => void microphone.setMuted(!microphone.muted.get());
  useMuteKey(toggle);
  return (
    <button
      type="button"
      class={`control mute ${muted ? "off" : ""}`}
      aria-keyshortcuts="M"
      title={t.meeting.shortcut}
      onClick={toggle}
    >
      {muted ? <MicrophoneOffIcon /> : <MicrophoneIcon />}
      <span>{muted ? t.meeting.unmute : t.meeting.mute}</span>
    </button>
  );
}

/** Somebody talks into a muted microphone. */
function MutedHint() {
  const t = useMessages();
  const { microphone } = useServices();
  const { speaking } = useStore(microphone.state);
  const muted = useStore(microphone.muted);
  return (
    <div class="muted-hint" role="status">
      {muted && speaking && <span>{t.meeting.youAreMuted}</span>}
    </div>
  );
}

/** M switches the microphone, except while somebody types or holds another key. */
function useMuteKey(toggle: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const other = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
      if (other || event.isComposing || event.key.toLowerCase() !== "m") return;
      if (isTyping(event.target)) return;
      event.preventDefault();
      toggle();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const typed = target instanceof HTMLInputElement && target.type !== "checkbox";
  return typed || target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName);
}

function EndQuestion({ onKeep }: { onKeep: () => void }) {
  const t = useMessages();
  const { session } = useServices();
  const { busy } = useStore(session.state);
  return (
    <div class="panel end-question" role="group" aria-label={t.meeting.endQuestion}>
      <p>{t.meeting.endQuestion}</p>
      <div class="actions">
        <Button kind="danger" busy={busy === "end"} onClick={() => void session.endMeeting()}>
          {t.meeting.endForEveryone}
        </Button>
        <Button onClick={onKeep}>{t.meeting.keepMeeting}</Button>
      </div>
    </div>
  );
}
