// What can be done about one participant: for hosts and for others.

import type { Messages } from "../i18n/messages";
import type { HostAct } from "../operations/act";
import type { MenuItem } from "../view/Menu";
import {
  ChatIcon,
  HandIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  PeopleIcon,
  PersonOutIcon,
  SpotlightIcon,
} from "../view/icons";
import type { Participant } from "./participant";

export interface PersonActions {
  /** Chooses somebody to be talked to privately, or no longer. */
  readonly pick: (id: number) => void;
  readonly write: (id: number) => void;
  /** For hosts. */
  readonly host: ((act: HostAct) => void) | undefined;
}

interface About {
  participant: Participant;
  self: boolean;
  muted: boolean;
  spotlit: boolean;
  organiser: boolean;
  actions: PersonActions;
}

export function menuOf(t: Messages, about: About): MenuItem[] {
  const { participant, self, actions } = about;
  const { id, displayName } = participant;
  const write: MenuItem = {
    key: "write",
    label: t.chat.writeTo(displayName),
    icon: <ChatIcon />,
    onChoose: () => actions.write(id),
  };
  return [...(self ? [] : [write]), ...hostItems(t, about)];
}

function hostItems(t: Messages, about: About): MenuItem[] {
  const { host } = about.actions;
  if (host === undefined) return [];
  const { participant, self, spotlit, organiser } = about;
  const { id: participantId } = participant;
  const spotlight: MenuItem = {
    key: "spotlight",
    label: spotlit ? t.hosting.noSpotlight : t.hosting.spotlight,
    icon: <SpotlightIcon />,
    onChoose: () =>
      host({ kind: "setSpotlight", participantId: spotlit ? undefined : participantId }),
  };
  if (self) return [spotlight];
  const makeHost: MenuItem = {
    key: "host",
    label: participant.host ? t.hosting.noHost : t.hosting.makeHost,
    icon: <PeopleIcon />,
    onChoose: () => host({ kind: "setHost", participantId, host: !participant.host }),
  };
  const remove: MenuItem = {
    key: "remove",
    label: t.hosting.remove,
    sure: t.hosting.removeSure,
    icon: <PersonOutIcon />,
    danger: true,
    onChoose: () => host({ kind: "removeParticipant", participantId }),
  };
  const toOrganiser = organiser ? [] : [makeHost, remove];
  return [...voiceItems(t, about, host), spotlight, ...toOrganiser];
}

function voiceItems(t: Messages, about: About, host: (act: HostAct) => void): MenuItem[] {
  const { participant, muted } = about;
  const { id: participantId } = participant;
  const there = participant.presence !== "offline";
  const voice: MenuItem = muted
    ? {
        key: "ask",
        label: t.hosting.askToUnmute,
        icon: <MicrophoneIcon />,
        onChoose: () => host({ kind: "askToUnmute", participantId }),
      }
    : {
        key: "mute",
        label: t.hosting.mute,
        icon: <MicrophoneOffIcon />,
        onChoose: () => host({ kind: "muteParticipant", participantId }),
      };
  const hand: MenuItem = {
    key: "hand",
    label: t.hosting.lowerHand,
    icon: <HandIcon />,
    onChoose: () => host({ kind: "lowerHand", participantId }),
  };
  return [...(there ? [voice] : []), ...(participant.handRaised > 0n ? [hand] : [])];
}
