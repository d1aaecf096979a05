// What is rarer than what stands in the control bar; where the bar is narrow, also what has no room.

import type { Messages } from "../i18n/messages";
import type { Stay } from "../session/stay";
import type { MenuItem } from "../view/Menu";
import {
  AwayIcon,
  CheckInIcon,
  ConnectionIcon,
  HandIcon,
  KeyboardIcon,
  LockIcon,
  MiniIcon,
  NameIcon,
  PeopleIcon,
  SettingsIcon,
  UnlockIcon,
} from "../view/icons";
import type { Controls } from "./ControlBar";
import { PANEL_ICONS, panelTitle } from "./panels";
import type { PanelName } from "./panels";

interface About {
  stay: Stay;
  controls: Controls;
  narrow: boolean;
  panels: readonly PanelName[];
  onPanel: (name: PanelName) => void;
  onPeople: () => void;
}

export function moreItems(t: Messages, about: About): MenuItem[] {
  const { onPanel } = about;
  const always: MenuItem[] = [
    {
      key: "audio",
      label: t.meeting.audioSettings,
      icon: <SettingsIcon />,
      onChoose: () => onPanel("audio"),
    },
    { key: "name", label: t.name.change, icon: <NameIcon />, onChoose: () => onPanel("name") },
    {
      key: "connection",
      label: t.connection.details,
      icon: <ConnectionIcon />,
      onChoose: () => onPanel("connection"),
    },
    { key: "keys", label: t.keys.title, icon: <KeyboardIcon />, onChoose: () => onPanel("keys") },
  ];
  return [...(about.narrow ? narrowItems(t, about) : []), ...hostItems(t, about), ...always];
}

function narrowItems(t: Messages, about: About): MenuItem[] {
  const { controls, onPanel } = about;
  const { lobby, participants } = about.stay.roster;
  const panels = about.panels.map((name): MenuItem => {
    const Icon = PANEL_ICONS[name];
    const label = panelTitle(t, name);
    return { key: name, label, icon: <Icon />, onChoose: () => onPanel(name) };
  });
  return [
    {
      key: "people",
      label: t.control.people,
      icon: <PeopleIcon />,
      badge: `${lobby.size > 0 ? lobby.size : participants.size}`,
      onChoose: about.onPeople,
    },
    {
      key: "checkIn",
      label: t.control.checkIn,
      icon: <CheckInIcon />,
      onChoose: controls.checkIn,
    },
    {
      key: "away",
      label: controls.away ? t.control.back : t.control.away,
      icon: <AwayIcon />,
      onChoose: controls.toggleAway,
    },
    { key: "mini", label: t.mini.open, icon: <MiniIcon />, onChoose: controls.mini },
    ...panels,
  ];
}

function hostItems(t: Messages, { stay, controls }: About): MenuItem[] {
  const { host } = controls;
  if (host === undefined) return [];
  const { locked, participants } = stay.roster;
  const hands = [...participants.values()].some(({ handRaised }) => handRaised > 0n);
  const lock: MenuItem = {
    key: "lock",
    label: locked ? t.hosting.unlock : t.control.lock,
    icon: locked ? <UnlockIcon /> : <LockIcon />,
    onChoose: () => void host({ kind: "setLocked", locked: !locked }),
  };
  const lower: MenuItem = {
    key: "lower",
    label: t.control.lowerAllHands,
    icon: <HandIcon />,
    onChoose: () => void host({ kind: "lowerHand", participantId: undefined }),
  };
  return [lock, ...(hands ? [lower] : [])];
}
