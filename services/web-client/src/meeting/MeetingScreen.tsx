// In the meeting.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { Hindrance } from "../session/recovery";
import type { Role } from "../members/people";
import { mayManage } from "../members/people";
import { detailsOn } from "../session/state";
import type { Meeting } from "../session/wire";
import { LanguageSwitch } from "../view/Shell";
import { Logo } from "../view/icons";
import { Announcer } from "./Announcer";
import { Banners } from "./Banners";
import { ControlBar } from "./ControlBar";
import { CopyLink } from "./CopyLink";
import { Panel, PanelButtons, panelsFor } from "./panels";
import type { PanelName } from "./panels";
import { RosterView } from "./RosterView";

interface Props {
  meeting: Meeting;
  selfId: number;
  hindrance: Hindrance | undefined;
}

export function MeetingScreen({ meeting, selfId, hindrance }: Props) {
  const { session, microphone } = useServices();
  const state = useStore(session.state);
  const { roster, identity } = state;
  const [open, setOpen] = useState<PanelName | undefined>(undefined);
  const close = useCallback(() => setOpen(undefined), []);
  const heading = useRef<HTMLHeadingElement>(null);
  // Where joining has led to is read out; coming back after a loss does not move the focus.
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    // Listening goes on when the microphone was refused before; it is not asked for twice.
    if (microphone.state.get().status === "off") void microphone.start();
  }, [microphone]);
  const organiser = identity !== undefined && identity.userId === meeting.organiserUserId;
  const role = organiser ? "organiser" : detailsOn(state, meeting.id)?.role;
  const toggle = (name: PanelName) => setOpen(open === name ? undefined : name);
  return (
    <div class="meeting">
      <MeetingHeader
        meeting={meeting}
        hindrance={hindrance}
        heading={heading}
        role={role}
        open={open}
        onToggle={toggle}
      />
      <main class={hindrance === undefined ? "meeting-main" : "meeting-main away"}>
        <Banners hindrance={hindrance} />
        <div class={open === undefined ? "meeting-columns" : "meeting-columns with-panel"}>
          <RosterView
            roster={roster}
            selfId={selfId}
            meetingId={meeting.id}
            onInvite={mayManage(role) ? () => setOpen("share") : undefined}
          />
          {open !== undefined && (
            <Panel key={open} name={open} meetingId={meeting.id} onClose={close} />
          )}
        </div>
      </main>
      <ControlBar organiser={organiser} />
      <Announcer participants={roster.participants} selfId={selfId} />
    </div>
  );
}

function MeetingHeader(props: {
  meeting: Meeting;
  hindrance: Hindrance | undefined;
  heading: { current: HTMLHeadingElement | null };
  role: Role | undefined;
  open: PanelName | undefined;
  onToggle: (name: PanelName) => void;
}) {
  const t = useMessages();
  const { meeting } = props;
  return (
    <header class="meeting-header">
      <Logo />
      <div class="meeting-title">
        <h1 ref={props.heading} tabIndex={-1}>
          {meeting.subject || t.meeting.untitled}
        </h1>
        <p class="meeting-id">
          <span class="visually-hidden">{t.meeting.id} </span>
          {meeting.id}
        </p>
      </div>
      <ConnectionState hindrance={props.hindrance} />
      {!mayManage(props.role) && <CopyLink meetingId={meeting.id} label={t.meeting.copyLink} />}
      <PanelButtons
        names={panelsFor(props.role, false)}
        open={props.open}
        onToggle={props.onToggle}
      />
      <LanguageSwitch />
    </header>
  );
}

function ConnectionState({ hindrance }: { hindrance: Hindrance | undefined }) {
  const t = useMessages();
  const { session, link } = useServices();
  const { relayName } = useStore(session.state);
  const audio = useStore(link.state);
  const state =
    hindrance !== undefined || audio === "interrupted" || audio === "failed"
      ? "reconnecting"
      : audio === "connected"
        ? "connected"
        : "connectingAudio";
  return (
    <p class={`connection ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span>{t.connection[state]}</span>
      {state === "connected" && relayName !== undefined && relayName !== "" && (
        <span class="via">{t.connection.via(relayName)}</span>
      )}
    </p>
  );
}
