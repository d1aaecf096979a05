// Who is shown to everybody, large.

import { useTranslation } from "../i18n/context";
import { Avatar } from "../view/Avatar";
import { Button } from "../view/Button";
import { SpotlightIcon } from "../view/icons";
import { shownPresence } from "./participant";
import type { Participant } from "./participant";

interface Props {
  participant: Participant;
  speaking: boolean;
  /** For hosts. */
  onEnd: (() => void) | undefined;
}

export function Spotlight({ participant, speaking, onEnd }: Props) {
  const { t } = useTranslation();
  const { displayName, userId } = participant;
  return (
    <section class="spotlight" aria-label={t.presence.spotlight}>
      <Avatar
        name={displayName}
        userId={userId}
        speaking={speaking}
        dot={shownPresence(participant)}
      />
      <p class="spotlight-name">{displayName}</p>
      <p class="spotlight-mark">
        <SpotlightIcon />
        {[t.presence.spotlight, ...(speaking ? [t.meeting.speaking] : [])].join(" · ")}
      </p>
      {onEnd !== undefined && (
        <Button kind="text" onClick={onEnd}>
          {t.hosting.noSpotlight}
        </Button>
      )}
    </section>
  );
}
