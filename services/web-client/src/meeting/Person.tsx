// One participant in the roster. Its accessible name carries the states, which are never shown by
// colour alone.

import { memo } from "../view/memo";
import { useMessages } from "../i18n/context";
import { Avatar } from "../view/Avatar";
import { MicrophoneOffIcon, SpeakerIcon } from "../view/icons";
import type { Participant } from "./roster";

interface Props {
  participant: Participant;
  self: boolean;
  speaking: boolean;
  muted: boolean;
}

export const Person = memo(function Person({ participant, self, speaking, muted }: Props) {
  const t = useMessages().meeting;
  const words = [
    participant.displayName,
    ...(self ? [t.you] : []),
    ...(participant.guest ? [t.guest] : []),
    ...(speaking ? [t.speaking] : []),
    ...(muted ? [t.muted] : []),
  ];
  const marks = [...(self ? [t.you] : []), ...(participant.guest ? [t.guest] : [])];
  return (
    <li class="person" aria-label={words.join(", ")}>
      <Avatar name={participant.displayName} userId={participant.userId} speaking={speaking} />
      <span class="person-text">
        <span class="person-name">{participant.displayName}</span>
        {marks.length > 0 && <span class="person-marks">{marks.join(" · ")}</span>}
      </span>
      {muted && (
        <span class="person-state" title={t.muted}>
          <MicrophoneOffIcon />
        </span>
      )}
      {speaking && (
        <span class="person-state speaking" title={t.speaking}>
          <SpeakerIcon />
        </span>
      )}
    </li>
  );
});
