// The participants of one relay: a tile with their faces in one picture, which unfolds into the list.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { useTranslation } from "../i18n/context";
import { GroupPicture } from "../view/GroupPicture";
import { ChevronIcon } from "../view/icons";
import { pathText } from "./groups";
import type { Group } from "./groups";
import type { Participant } from "./participant";
import { RelayPath } from "./RelayPath";

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
  const { participants, device, unreachable } = group;
  const people = participants.length - (device === undefined ? 0 : 1);
  const classes = [
    "group",
    ...(unfolded ? ["unfolded"] : []),
    ...(unreachable ? ["unreachable"] : []),
  ];
  const speakers = participants.filter(isSpeaking).map(({ displayName }) => displayName);
  const hands = participants.filter(({ handRaised }) => handRaised > 0n).length;
  const list = new Intl.ListFormat(language);
  return (
    <section class={classes.join(" ")} aria-labelledby={`${id}-name`} data-relay={group.relayId}>
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
            total={people || 1}
            speaking={speakers.length > 0}
            title={pathText(group.path)}
          />
          <span class="group-text">
            <span id={`${id}-name`} class="group-name">
              <RelayPath path={group.path} />
            </span>
            <span class="group-facts">
              {unreachable && <span class="cut-off">{t.group.cutOff(group.name)}</span>}
              {(people > 0 || device === undefined) && <span>{t.meeting.people(people)}</span>}
              {group.own && <span>{t.meeting.yourGroup}</span>}
              {device !== undefined && <span>{t.group.device}</span>}
              <Level group={group} />
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
        <ul id={`${id}-list`} aria-labelledby={`${id}-name`}>
          {participants.map(children)}
        </ul>
      )}
    </section>
  );
}

/** How far from the core it is; behind the core itself it goes without saying. */
function Level({ group: { depth, path } }: { group: Group }) {
  const { t } = useTranslation();
  if (depth === 0) return null;
  return (
    <span class="level" title={t.group.levelHint(depth)}>
      {path.length < depth && <span aria-hidden="true">{"›".repeat(depth)} </span>}
      {t.group.level(depth)}
      <span class="visually-hidden"> ({t.group.levelHint(depth)})</span>
    </span>
  );
}
