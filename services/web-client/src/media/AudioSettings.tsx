// Microphone and speaker: which, how loud, and what to do if one can't be used.

import { useEffect } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { Button } from "../view/Button";
import { Checkbox, Notice, SelectField } from "../view/fields";
import type { Device, MicrophoneStatus } from "./devices";
import { LevelMeter } from "./LevelMeter";

/** `brief` leaves out explanations, where the place is needed for other things. */
export function AudioSettings({ brief = false }: { brief?: boolean }) {
  const t = useMessages();
  const { microphone, playback } = useServices();
  const { status, devices, deviceId, improveSound } = useStore(microphone.state);
  const speaker = useStore(playback.state);
  useEffect(() => void playback.refreshDevices(), [playback, status]);
  return (
    <div class="audio-settings">
      <SelectField
        label={t.microphone.label}
        value={deviceId}
        disabled={status !== "live"}
        options={optionsOf(devices, t.microphone)}
        onChange={(id) => void microphone.choose(id)}
      />
      <LevelMeter />
      <MicrophoneTrouble />
      {playback.choosable && speaker.devices.length > 0 && (
        <SelectField
          label={t.speaker.label}
          value={speaker.deviceId}
          options={optionsOf(speaker.devices, t.speaker)}
          onChange={(id) => void playback.choose(id)}
        />
      )}
      <Checkbox
        label={t.microphone.improveSound}
        hint={brief ? undefined : t.microphone.improveSoundHint}
        checked={improveSound}
        onChange={(on) => void microphone.setImproveSound(on)}
      />
    </div>
  );
}

/** Says what is wrong with the microphone and how to fix it; nothing when it works. */
export function MicrophoneTrouble() {
  const t = useMessages();
  const { microphone } = useServices();
  const { status } = useStore(microphone.state);
  if (status === "live" || status === "off") return null;
  if (status === "starting") return <p class="hint">{t.microphone.starting}</p>;
  return (
    <Notice
      tone="warning"
      action={<Button onClick={() => void microphone.start()}>{t.microphone.tryAgain}</Button>}
    >
      <strong>{t.microphone[status]}</strong> {remedy(t, status)} {t.microphone.listenOnly}
    </Notice>
  );
}

function remedy(t: Messages, status: Exclude<MicrophoneStatus, "off" | "starting" | "live">) {
  switch (status) {
    case "denied":
      return t.microphone.deniedHow[browserFamily(navigator.userAgent)];
    case "missing":
      return t.microphone.missingHow;
    case "busy":
      return t.microphone.busyHow;
    case "insecure":
      return t.microphone.insecureHow;
  }
}

function browserFamily(userAgent: string): "chromium" | "firefox" | "safari" {
  if (/firefox|fxios/i.test(userAgent)) return "firefox";
  return /safari/i.test(userAgent) && !/chrom|android/i.test(userAgent) ? "safari" : "chromium";
}

/** The devices, the system's choice first: some browsers list that as a device named `default`. */
function optionsOf(
  devices: readonly Device[],
  texts: { systemDefault: string; numbered: (n: number) => string },
) {
  const options = devices.map((device, index) => ({
    value: device.id,
    label: device.label || texts.numbered(index + 1),
  }));
  if (options.some((option) => option.value === "default")) return options;
  return [{ value: "", label: texts.systemDefault }, ...options];
}
