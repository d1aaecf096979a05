// What one does in a meeting, within reach: microphone, hand, check-in, presence, chat, people, more,
// leave. Where there is little room, what is rarer is in the menu.

import type { ComponentChildren } from "preact";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { ActKind } from "../operations/act";
import { pendingOf } from "../operations/pending";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { Menu } from "../view/Menu";
import type { MenuItem } from "../view/Menu";
import {
  AwayIcon,
  ChatIcon,
  CheckInIcon,
  ChevronIcon,
  HandIcon,
  LeaveIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  MiniIcon,
  MoreIcon,
  PeopleIcon,
} from "../view/icons";
import { NARROW, useMedia } from "../view/useMedia";
import { moreItems } from "./moreMenu";
import type { PanelName } from "./panels";

interface Props {
  stay: Stay;
  /** What can be opened about the meeting. */
  panels: readonly PanelName[];
  open: PanelName | undefined;
  onPanel: (name: PanelName) => void;
  onPeople: () => void;
}

/** What the bar does, for the keys too. */
export function useControls(stay: Stay) {
  const { session, microphone, mini } = useServices();
  const { away } = useStore(session.state);
  const self = selfIn(stay);
  const raised = pendingOf(stay, "setHand")?.raised ?? (self?.handRaised ?? 0n) > 0n;
  const pending = (kind: ActKind) => stay.pending.some(({ act }) => act.kind === kind);
  return {
    self,
    raised,
    away,
    handPending: pending("setHand"),
    checkInPending: pending("checkIn"),
    presencePending: pending("setPresence"),
    mute: () => void microphone.setMuted(!microphone.muted.get()),
    hand: () => void session.act({ kind: "setHand", raised: !raised }),
    checkIn: () => void session.act({ kind: "checkIn" }),
    toggleAway: () => session.setAway(!away),
    mini: () => void mini.open(),
    leave: () => session.leave(),
    host: self?.host === true ? session.act.bind(session) : undefined,
  };
}

export type Controls = ReturnType<typeof useControls>;

export function ControlBar(props: Props) {
  const { t } = useTranslation();
  const narrow = useMedia(NARROW);
  const controls = useControls(props.stay);
  return (
    <div class="control-bar" role="toolbar" aria-label={t.meeting.controls}>
      <MuteButton />
      <HandButton controls={controls} />
      {!narrow && (
        <>
          <CheckInButton controls={controls} />
          <AwayButton controls={controls} />
          <span class="gap" />
          <PeopleButton stay={props.stay} onPeople={props.onPeople} />
        </>
      )}
      <ChatButton {...props} />
      <MoreMenu {...props} controls={controls} narrow={narrow} />
      {!narrow && (
        <>
          <Control label={t.mini.open} icon={<MiniIcon />} onClick={controls.mini} />
          <span class="gap" />
        </>
      )}
      <LeaveButtons controls={controls} />
    </div>
  );
}

interface ControlProps {
  label: string;
  icon: ComponentChildren;
  onClick: () => void;
  class?: string;
  /** Said in place of the label, which it contains. */
  name?: string;
  title?: string;
  keys?: string;
  busy?: boolean;
  expanded?: boolean;
  children?: ComponentChildren;
}

export function Control(props: ControlProps) {
  return (
    <button
      type="button"
      class={`control ${props.class ?? ""}`}
      aria-label={props.name}
      title={props.title}
      aria-keyshortcuts={props.keys}
      aria-busy={props.busy}
      aria-expanded={props.expanded}
      onClick={props.onClick}
    >
      {props.icon}
      <span>{props.label}</span>
      {props.children}
    </button>
  );
}

export function MuteButton() {
  const { t } = useTranslation();
  const { microphone } = useServices();
  const muted = useStore(microphone.muted);
  const pushing = useStore(microphone.pushing);
  const classes = ["mute", ...(muted ? ["off"] : []), ...(pushing ? ["pushing"] : [])];
  return (
    <Control
      class={classes.join(" ")}
      label={muted ? t.meeting.unmute : t.meeting.mute}
      icon={muted ? <MicrophoneOffIcon /> : <MicrophoneIcon />}
      title={t.meeting.shortcut}
      keys="M"
      onClick={() => void microphone.setMuted(!microphone.muted.get())}
    />
  );
}

export function HandButton({ controls }: { controls: Controls }) {
  const { t } = useTranslation();
  const { raised } = controls;
  return (
    <Control
      class={raised ? "hand on" : "hand"}
      label={raised ? t.control.lowerHand : t.control.raiseHand}
      icon={<HandIcon />}
      title={t.control.handTitle}
      keys="H"
      busy={controls.handPending}
      onClick={controls.hand}
    />
  );
}

function CheckInButton({ controls }: { controls: Controls }) {
  const { t } = useTranslation();
  const done = controls.self?.checkedInAtMs !== undefined;
  return (
    <Control
      class={done ? "on" : ""}
      label={done ? t.control.checkedIn : t.control.checkIn}
      icon={<CheckInIcon />}
      title={t.control.checkInTitle}
      busy={controls.checkInPending}
      onClick={controls.checkIn}
    />
  );
}

function AwayButton({ controls }: { controls: Controls }) {
  const { t } = useTranslation();
  const { away } = controls;
  return (
    <Control
      class={away ? "hand on" : ""}
      label={away ? t.control.back : t.control.away}
      icon={<AwayIcon />}
      title={t.control.awayTitle}
      busy={controls.presencePending}
      onClick={controls.toggleAway}
    />
  );
}

function PeopleButton({ stay, onPeople }: { stay: Stay; onPeople: () => void }) {
  const { t } = useTranslation();
  const { participants, lobby } = stay.roster;
  return (
    <Control label={t.control.people} icon={<PeopleIcon />} onClick={onPeople}>
      {lobby.size > 0 ? (
        <span class="badge" title={t.hosting.waiting(lobby.size)}>
          {lobby.size}
        </span>
      ) : (
        <span class="badge quiet">{participants.size}</span>
      )}
    </Control>
  );
}

function ChatButton({ stay, open, onPanel }: Props) {
  const { t } = useTranslation();
  const { unread } = stay.chat;
  return (
    <Control
      label={t.control.chat}
      {...(unread > 0 ? { name: t.control.chatUnread(unread) } : {})}
      icon={<ChatIcon />}
      keys="C"
      expanded={open === "chat"}
      onClick={() => onPanel("chat")}
    >
      {unread > 0 && (
        <span class="badge" aria-hidden="true">
          {unread > 99 ? "99+" : unread}
        </span>
      )}
    </Control>
  );
}

function MoreMenu(props: Props & { controls: Controls; narrow: boolean }) {
  const { t } = useTranslation();
  const { stay } = props;
  const waiting = props.narrow ? stay.roster.lobby.size : 0;
  return (
    <Menu class="control" label={t.control.more} items={moreItems(t, props)}>
      <MoreIcon />
      <span>{t.control.more}</span>
      {waiting > 0 && (
        <span class="badge" aria-hidden="true">
          {waiting}
        </span>
      )}
    </Menu>
  );
}

function LeaveButtons({ controls }: { controls: Controls }) {
  const { t } = useTranslation();
  const { host } = controls;
  const end: MenuItem = {
    key: "end",
    label: t.meeting.endMeeting,
    sure: t.meeting.endForEveryone,
    icon: <LeaveIcon />,
    danger: true,
    onChoose: () => void host?.({ kind: "end" }),
  };
  const leave: MenuItem = {
    key: "leave",
    label: t.control.leaveOnly,
    icon: <LeaveIcon />,
    onChoose: controls.leave,
  };
  return (
    <div class="leave-group">
      <Control
        class="leave"
        label={t.meeting.leave}
        icon={<LeaveIcon />}
        onClick={controls.leave}
      />
      {host !== undefined && (
        <Menu class="control leave-more" label={t.control.leaveOrEnd} items={[leave, end]}>
          <ChevronIcon />
        </Menu>
      )}
    </div>
  );
}
