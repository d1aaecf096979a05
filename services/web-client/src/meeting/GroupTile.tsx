// The participants of one relay: a tile with their faces in one picture, which unfolds into the list.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { useTranslation } from "../i18n/context";
import { GroupPicture } from "../view/GroupPicture";
import { ChevronIcon } from "../view/icons";
import type { Group } from "./groups";
import type { Participant } from "./participant";

interface Props {
  group: Group;
  unfolded: boolean;
  onToggle: () => void;
  isSpeaking: (participant: Participant) => boolean;
  /** Shows one of its participants. */
  children: (participant: Participant) => ComponentChildren;
}

export function GroupTile({ group, unfolded, onToggle, isSpeaking, children }: Props) {
  const { t, language } = useTranslation();
  const id = useId();
  const { participants } = group;
  const speakers = participants.filter(isSpeaking).map(({ displayName }) => displayName);
  const hands = participants.filter(({ handRaised }) => handRaised > 0n).length;
  const list = new Intl.ListFormat(language);
  return (
    <section
      class={unfolded ? "group unfolded" : "group"}
      aria-labelledby={`${id}-name`}
      data-relay={group.relayId}
    >
      <h2>
        <button
          type="button"
          class="group-toggle"
          aria-expanded={unfolded}
          aria-controls={unfolded ? `${id}-list` : undefined}
          onClick={onToggle}
        >
          <GroupPicture
            faces={group.picture}
            total={participants.length}
            speaking={speakers.length > 0}
          />
          <span class="group-text">
            <span id={`${id}-name`} class="group-name">
              {group.name}
            </span>
            <span class="group-facts">
              <span>{t.meeting.people(participants.length)}</span>
              {group.own && <span>{t.meeting.yourGroup}</span>}
              {!unfolded && hands > 0 && <span>{t.presence.handsIn(hands)}</span>}
              {!unfolded && speakers.length > 0 && (
                <span class="live">{t.presence.speakingIn(list.format(speakers))}</span>
              )}
            </span>
          </span>
          <ChevronIcon />
        </button>
      </h2>
      {unfolded && (
        <ul id={`${id}-list`} aria-label={group.name}>
          {participants.map(children)}
        </ul>
      )}
    </section>
  );
}
