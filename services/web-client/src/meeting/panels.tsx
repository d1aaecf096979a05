// What one can open about a meeting, before, during and after it: one panel at a time, beside what is
// shown, or where there is little room in its place.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef } from "preact/hooks";
import { FilesPanel } from "../attachments/FilesPanel";
import { AttendancePanel } from "../attendance/AttendancePanel";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { failureText } from "../i18n/problem";
import { AudioSettings } from "../media/AudioSettings";
import { MembersPanel } from "../members/MembersPanel";
import { mayManage } from "../members/people";
import type { Role } from "../members/people";
import { detailsOn } from "../session/state";
import { SharePanel } from "../sharing/SharePanel";
import { Button } from "../view/Button";
import {
  AttendanceIcon,
  ChatIcon,
  CloseIcon,
  ConnectionIcon,
  DetailsIcon,
  FileIcon,
  KeyboardIcon,
  NameIcon,
  PeopleIcon,
  SettingsIcon,
  ShareIcon,
} from "../view/icons";
import { Notice } from "../view/fields";
import { ConnectionPanel } from "./ConnectionPanel";
import { DetailsPanel } from "./DetailsPanel";
import { KeysPanel } from "./keys";
import { NamePanel } from "./NamePanel";

/** What is about the meeting, and can be opened before and after it too. */
export type AboutName = "share" | "members" | "files" | "attendance" | "details";
export type PanelName = AboutName | "chat" | "audio" | "name" | "keys" | "connection";

/** What somebody in this role can open. Undefined: not known (yet). */
export function panelsFor(role: Role | undefined, over: boolean): AboutName[] {
  if (!mayManage(role)) return ["files"];
  if (over) return ["files", "attendance"];
  return ["share", "members", "files", "attendance", "details"];
}

export function panelTitle(t: Messages, name: PanelName): string {
  return name === "audio" ? t.meeting.audioSettings : t[name].title;
}

export const PANEL_ICONS: Record<PanelName, () => ComponentChildren> = {
  share: ShareIcon,
  members: PeopleIcon,
  files: FileIcon,
  attendance: AttendanceIcon,
  details: DetailsIcon,
  chat: ChatIcon,
  audio: SettingsIcon,
  name: NameIcon,
  keys: KeyboardIcon,
  connection: ConnectionIcon,
};

export function PanelButtons(props: {
  names: readonly AboutName[];
  open: PanelName | undefined;
  onToggle: (name: AboutName) => void;
}) {
  const t = useMessages();
  return (
    <div class="panel-buttons" role="group" aria-label={t.details.panels}>
      {props.names.map((name) => {
        const Icon = PANEL_ICONS[name];
        return (
          <Button
            key={name}
            icon={<Icon />}
            title={panelTitle(t, name)}
            expanded={props.open === name}
            onClick={() => props.onToggle(name)}
          >
            {panelTitle(t, name)}
          </Button>
        );
      })}
    </div>
  );
}

interface PanelProps {
  name: PanelName;
  onClose: () => void;
  children: ComponentChildren;
}

export function Panel({ name, onClose, children }: PanelProps) {
  const t = useMessages();
  const panel = useRef<HTMLElement>(null);
  const title = panelTitle(t, name);
  const opener = useRef<Element | null>(null);
  useEffect(() => void (opener.current = document.activeElement), []);
  const close = useCallback(() => {
    // Whoever closes it from inside goes on where it was opened.
    const inside = panel.current?.contains(document.activeElement) === true;
    const { current } = opener;
    if (inside && current instanceof HTMLElement && current.isConnected) current.focus();
    onClose();
  }, [onClose]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented) close();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [close]);
  return (
    <section ref={panel} class={`card side-panel ${name}`} aria-label={title}>
      <header class="side-panel-header">
        <h2>{title}</h2>
        <button type="button" class="icon-button" aria-label={t.meeting.close} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </section>
  );
}

export function PanelContent({ name, meetingId }: { name: PanelName; meetingId: string }) {
  switch (name) {
    case "audio":
      return <AudioSettings />;
    case "name":
      return <NamePanel meetingId={meetingId} />;
    case "keys":
      return <KeysPanel />;
    case "connection":
      return <ConnectionPanel />;
    case "attendance":
      return <AttendancePanel meetingId={meetingId} />;
    case "chat":
      return null;
    default:
      return <AboutPanel name={name} meetingId={meetingId} />;
  }
}

type DetailsName = Exclude<AboutName, "attendance">;

/** What is shown needs the details; whoever has not read them reads them now. */
function AboutPanel({ name, meetingId }: { name: DetailsName; meetingId: string }) {
  const t = useMessages();
  const { session } = useServices();
  const state = useStore(session.state);
  const details = detailsOn(state, meetingId);
  const { reading } = state;
  const refused = reading?.meetingId === meetingId && reading.status === "refused";
  const unread = details === undefined && !refused;
  useEffect(() => {
    if (unread) void session.readMeeting(meetingId);
  }, [unread, session, meetingId]);
  if (details === undefined) {
    if (!refused) return <p class="hint">{t.details.reading}</p>;
    return (
      <Notice
        tone="error"
        action={
          <Button onClick={() => void session.readMeeting(meetingId)}>
            {t.microphone.tryAgain}
          </Button>
        }
      >
        {failureText(t, "other", reading.reason ?? "unspecified")}
      </Notice>
    );
  }
  switch (name) {
    case "share":
      return <SharePanel details={details} />;
    case "members":
      return <MembersPanel details={details} />;
    case "files":
      return <FilesPanel details={details} />;
    case "details":
      return <DetailsPanel details={details} />;
  }
}
