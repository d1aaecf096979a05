// In the meeting.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { ChatPanel } from "../chat/ChatPanel";
import type { Drafts } from "../chat/drafts";
import { useMessages } from "../i18n/context";
import type { Role } from "../members/people";
import { mayManage } from "../members/people";
import type { HostAct } from "../operations/act";
import { absentMembers } from "../presence/absent";
import type { Hindrance } from "../session/recovery";
import { detailsOn } from "../session/state";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { isForSome } from "../talk/talk";
import { LanguageSwitch } from "../view/Shell";
import { ConnectionIcon, Logo } from "../view/icons";
import { Announcer } from "./Announcer";
import { Banners } from "./Banners";
import { ControlBar, useControls } from "./ControlBar";
import { CopyLink } from "./CopyLink";
import { Hints } from "./Hints";
import { useKeys } from "./keys";
import { Panel, PanelButtons, PanelContent, panelsFor } from "./panels";
import type { AboutName, PanelName } from "./panels";
import { RosterView } from "./RosterView";
import { WhisperBar, useWhisper } from "./whisper";
import type { Whispering } from "./whisper";

interface Props {
  stay: Stay;
  hindrance: Hindrance | undefined;
  drafts: Drafts;
}

export function MeetingScreen({ stay, hindrance, drafts }: Props) {
  const { microphone } = useServices();
  const { names, role } = useRole(stay);
  const whisper = useWhisper(stay);
  const view = useView(stay, drafts);
  const heading = useRef<HTMLHeadingElement>(null);
  // Where joining has led to is read out; coming back after a loss does not move the focus.
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    // Listening goes on when the microphone was refused before; it is not asked for twice.
    if (microphone.state.get().status === "off") void microphone.start();
  }, [microphone]);
  useMeetingKeys(stay, whisper, view.toggle);
  const { open } = view;
  return (
    <div class="meeting">
      <MeetingHeader
        stay={stay}
        hindrance={hindrance}
        heading={heading}
        role={role}
        names={names}
        open={open}
        onToggle={view.toggle}
      />
      <main class={hindrance === undefined ? "meeting-main" : "meeting-main hindered"}>
        <Banners stay={stay} hindrance={hindrance} />
        <div class={open === undefined ? "meeting-columns" : "meeting-columns with-panel"}>
          <People stay={stay} role={role} whisper={whisper} view={view} />
          {open !== undefined && <OpenPanel key={open} stay={stay} drafts={drafts} view={view} />}
        </div>
      </main>
      <footer class="controls">
        <Hints stay={stay} chatOpen={open === "chat"} onAnswer={whisper.choose} />
        <WhisperBar stay={stay} whisper={whisper} />
        <ControlBar
          stay={stay}
          panels={names}
          open={open}
          onPanel={view.toggle}
          onPeople={view.toPeople}
        />
      </footer>
      <Announcer stay={stay} chatOpen={open === "chat"} />
    </div>
  );
}

/** What somebody is in the meeting, and may open about it. */
function useRole({ meeting, ...stay }: Stay): { role: Role | undefined; names: AboutName[] } {
  const { session } = useServices();
  const state = useStore(session.state);
  const organiser = state.identity?.userId === meeting.organiserUserId;
  const role = organiser ? "organiser" : detailsOn(state, meeting.id)?.role;
  const names = panelsFor(role, false);
  // Who was made a host in the meeting may have its report.
  const host = selfIn({ meeting, ...stay })?.host === true;
  return { role, names: host && !mayManage(role) ? [...names, "attendance"] : names };
}

/** Which panel is open, and the ways to it. */
function useView(stay: Stay, drafts: Drafts) {
  const [open, setOpen] = useState<PanelName | undefined>(undefined);
  const [wanted, setWanted] = useState(0);
  const { id } = stay.meeting;
  const write = useCallback(
    (to: number) => {
      drafts.set(id, { ...drafts.of(id), to: [to] });
      setOpen("chat");
      setWanted((n) => n + 1);
    },
    [drafts, id],
  );
  const toggle = useCallback(
    (name: PanelName) => setOpen((before) => (before === name ? undefined : name)),
    [],
  );
  const toPeople = useCallback(() => {
    setOpen(undefined);
    document.querySelector<HTMLElement>("#roster")?.focus();
  }, []);
  const close = useCallback(() => setOpen(undefined), []);
  return { open, wanted, write, toggle, toPeople, close };
}

type View = ReturnType<typeof useView>;

function useMeetingKeys(stay: Stay, whisper: Whispering, toggle: (name: PanelName) => void): void {
  const { microphone } = useServices();
  const controls = useControls(stay);
  const whispering = useRef(false);
  useKeys({
    mute: controls.mute,
    hand: controls.hand,
    chat: () => toggle("chat"),
    help: () => toggle("keys"),
    talk: (on) => {
      if (on) whispering.current = isForSome(whisper.chosen, stay.talks.own);
      // Who was being talked to when it was pressed decides, also when it is let go.
      if (whispering.current) whisper.hold(on);
      else void microphone.pushToTalk(on);
    },
  });
}

function People(props: { stay: Stay; role: Role | undefined; whisper: Whispering; view: View }) {
  const { session } = useServices();
  const state = useStore(session.state);
  const { stay, whisper, view } = props;
  const { meeting, roster } = stay;
  const host = selfIn(stay)?.host === true;
  const act = useCallback((done: HostAct) => void session.act(done), [session]);
  return (
    <RosterView
      roster={roster}
      talks={stay.talks}
      pending={stay.pending}
      selfId={stay.selfId}
      meetingId={meeting.id}
      organiserUserId={meeting.organiserUserId}
      absent={absentMembers(detailsOn(state, meeting.id)?.members ?? [], roster)}
      picked={whisper.picked}
      onPick={whisper.toggle}
      onWrite={view.write}
      onHost={host ? act : undefined}
      onInvite={mayManage(props.role) ? () => view.toggle("share") : undefined}
    />
  );
}

function OpenPanel({ stay, drafts, view }: { stay: Stay; drafts: Drafts; view: View }) {
  const { id } = stay.meeting;
  const all = useStore(drafts.all);
  const { open } = view;
  if (open === undefined) return null;
  return (
    <Panel name={open} onClose={view.close}>
      {open === "chat" ? (
        <ChatPanel
          stay={stay}
          draft={all.get(id) ?? drafts.of(id)}
          onDraft={(draft) => drafts.set(id, draft)}
          wanted={view.wanted}
        />
      ) : (
        <PanelContent name={open} meetingId={id} />
      )}
    </Panel>
  );
}

function MeetingHeader(props: {
  stay: Stay;
  hindrance: Hindrance | undefined;
  heading: { current: HTMLHeadingElement | null };
  role: Role | undefined;
  names: readonly AboutName[];
  open: PanelName | undefined;
  onToggle: (name: PanelName) => void;
}) {
  const t = useMessages();
  const { meeting } = props.stay;
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
      <button
        type="button"
        class="icon-button connection-button"
        aria-label={t.connection.details}
        title={t.connection.details}
        aria-expanded={props.open === "connection"}
        onClick={() => props.onToggle("connection")}
      >
        <ConnectionIcon />
      </button>
      {!mayManage(props.role) && <CopyLink meetingId={meeting.id} label={t.meeting.copyLink} />}
      <PanelButtons names={props.names} open={props.open} onToggle={props.onToggle} />
      <LanguageSwitch />
    </header>
  );
}

function ConnectionState({ hindrance }: { hindrance: Hindrance | undefined }) {
  const t = useMessages();
  const { session, link } = useServices();
  const { relay } = useStore(session.state).way;
  const audio = useStore(link.state);
  const state =
    hindrance !== undefined || audio === "interrupted" || audio === "failed"
      ? "reconnecting"
      : audio === "connected"
        ? "connected"
        : "connectingAudio";
  return (
    <p class={`connection-state ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span>{t.connection[state]}</span>
      {state === "connected" && (
        <span class="via">
          {relay === undefined ? t.connection.directly : t.connection.via(relay.name || relay.id)}
        </span>
      )}
    </p>
  );
}
