// One participant in the roster. Its accessible name carries the states, which are never shown by
// colour alone.

import type { ComponentChildren } from "preact";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { Avatar } from "../view/Avatar";
import { Menu } from "../view/Menu";
import {
  CheckInIcon,
  DeviceIcon,
  HandIcon,
  MicrophoneOffIcon,
  MoreIcon,
  SpeakerIcon,
  WhisperIcon,
} from "../view/icons";
import { memo } from "../view/memo";
import { shownPresence } from "./participant";
import type { Participant } from "./participant";
import { menuOf } from "./personMenu";
import type { PersonActions } from "./personMenu";

/** How private talk stands between somebody and who looks at the page. */
export type Whisper = "none" | "speaksToMe" | "hearsMe";

export interface PersonProps {
  participant: Participant;
  self: boolean;
  speaking: boolean;
  muted: boolean;
  /** Place in the line of raised hands, from 1; 0: not raised. */
  handPlace: number;
  /** The own hand is on its way. */
  handPending: boolean;
  whisper: Whisper;
  /** Chosen to be talked to privately. */
  picked: boolean;
  spotlit: boolean;
  organiser: boolean;
  /** The same object as long as the actions are the same. */
  actions: PersonActions;
}

export const Person = memo(function Person(props: PersonProps) {
  const { t, language } = useTranslation();
  const { participant, self, speaking, muted } = props;
  const { id, displayName } = participant;
  const presence = shownPresence(participant);
  const words = [displayName, ...marksOf(t, props), ...statesOf(t, props, language)];
  const classes = [
    "person",
    presence,
    ...(participant.relayItself ? ["device"] : []),
    ...(props.picked ? ["picked"] : []),
    ...(props.whisper === "none" ? [] : ["whispers"]),
  ];
  const items = menuOf(t, props);
  const pickable = !self && presence !== "offline";
  return (
    <li class={classes.join(" ")} aria-label={words.join(", ")}>
      <Avatar name={displayName} userId={participant.userId} speaking={speaking} dot={presence} />
      <span class="person-text">
        <span class="person-name">{displayName}</span>
        <Marks {...props} />
      </span>
      <Signs {...props} />
      {muted && (
        <span class="person-state" title={t.meeting.muted}>
          <MicrophoneOffIcon />
        </span>
      )}
      {speaking && (
        <span class="person-state speaking" title={t.meeting.speaking}>
          <SpeakerIcon />
        </span>
      )}
      {(pickable || items.length > 0) && (
        <span class="person-actions">
          {pickable && (
            <PickButton id={id} name={displayName} picked={props.picked} {...props.actions} />
          )}
          {items.length > 0 && (
            <Menu class="icon-button" label={t.hosting.menu(displayName)} items={items}>
              <MoreIcon />
            </Menu>
          )}
        </span>
      )}
    </li>
  );
});

function PickButton(props: { id: number; name: string; picked: boolean } & PersonActions) {
  const { t } = useTranslation();
  const label = t.whisper.pick(props.name);
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={props.picked}
      onClick={() => props.pick(props.id)}
    >
      <WhisperIcon />
    </button>
  );
}

/** What it is, check-in and hand. */
function Signs({ participant, handPlace, handPending }: PersonProps): ComponentChildren {
  const { t, language } = useTranslation();
  const { checkedInAtMs, relayItself } = participant;
  return (
    <>
      {relayItself && (
        <span class="person-state" title={t.group.device}>
          <DeviceIcon />
        </span>
      )}
      {checkedInAtMs !== undefined && (
        <span
          class="person-state"
          title={t.presence.checkedIn(timeText(checkedInAtMs, Date.now(), language))}
        >
          <CheckInIcon />
        </span>
      )}
      {(handPlace > 0 || handPending) && (
        <span
          class={handPending ? "person-state hand pending" : "person-state hand"}
          title={handPending ? t.presence.pending : t.presence.hand(handPlace)}
        >
          <HandIcon />
          {handPlace > 0 && handPlace}
        </span>
      )}
    </>
  );
}

/** The line below the name. */
function Marks(props: PersonProps): ComponentChildren {
  const { t } = useTranslation();
  const plain = [...marksOf(t, props), ...presenceOf(t, props.participant)];
  const { whisper } = props;
  if (plain.length === 0 && whisper === "none") return null;
  return (
    <span class="person-marks">
      {whisper !== "none" && (
        <span class="whisper-mark">
          {whisper === "speaksToMe" ? t.presence.speaksToYou : t.presence.hearsYou}
          {plain.length > 0 && " · "}
        </span>
      )}
      {plain.join(" · ")}
    </span>
  );
}

function marksOf(t: Messages, { participant, self }: PersonProps): string[] {
  return [
    ...(self ? [t.meeting.you] : []),
    ...(participant.relayItself ? [t.group.device] : []),
    ...(participant.guest ? [t.meeting.guest] : []),
    ...(participant.host ? [t.presence.host] : []),
  ];
}

/** Online goes without saying. */
function presenceOf(t: Messages, participant: Participant): string[] {
  const presence = shownPresence(participant);
  if (presence === "online") return [];
  const { offlineReason, unreachable, relayName, relayId } = participant;
  return [
    t.presence[presence],
    ...(presence === "offline" && offlineReason !== undefined ? [t.presence[offlineReason]] : []),
    ...(unreachable ? [t.group.cutOff(relayName || relayId)] : []),
  ];
}

function statesOf(t: Messages, props: PersonProps, language: string): string[] {
  const { participant, speaking, muted, handPlace, whisper } = props;
  const { checkedInAtMs } = participant;
  return [
    ...(speaking ? [t.meeting.speaking] : []),
    ...(muted ? [t.meeting.muted] : []),
    ...presenceOf(t, participant),
    ...(handPlace > 0 ? [t.presence.hand(handPlace)] : []),
    ...(checkedInAtMs === undefined
      ? []
      : [t.presence.checkedIn(timeText(checkedInAtMs, Date.now(), language))]),
    ...(props.spotlit ? [t.presence.spotlight] : []),
    ...(whisper === "speaksToMe" ? [t.presence.speaksToYou] : []),
    ...(whisper === "hearsMe" ? [t.presence.hearsYou] : []),
  ];
}
