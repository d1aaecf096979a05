// What one can open about a meeting, before, during and after it: one panel at a time, in the flow of
// the page.

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef } from "preact/hooks";
import { FilesPanel } from "../attachments/FilesPanel";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { failureText } from "../i18n/problem";
import { MembersPanel } from "../members/MembersPanel";
import { mayManage } from "../members/people";
import type { Role } from "../members/people";
import { detailsOn } from "../session/state";
import { SharePanel } from "../sharing/SharePanel";
import { Button } from "../view/Button";
import { CloseIcon, DetailsIcon, FileIcon, PeopleIcon, ShareIcon } from "../view/icons";
import { Notice } from "../view/fields";
import { DetailsPanel } from "./DetailsPanel";

export type PanelName = "share" | "members" | "files" | "details";

/** What somebody in this role can open. Undefined: not known (yet). */
export function panelsFor(role: Role | undefined, over: boolean): PanelName[] {
  if (over || !mayManage(role)) return ["files"];
  return ["share", "members", "files", "details"];
}

export function panelTitle(t: Messages, name: PanelName): string {
  return t[name].title;
}

const ICONS: Record<PanelName, () => ComponentChildren> = {
  share: ShareIcon,
  members: PeopleIcon,
  files: FileIcon,
  details: DetailsIcon,
};

export function PanelButtons(props: {
  names: readonly PanelName[];
  open: PanelName | undefined;
  onToggle: (name: PanelName) => void;
}) {
  const t = useMessages();
  return (
    <div class="panel-buttons" role="group" aria-label={t.details.panels}>
      {props.names.map((name) => {
        const Icon = ICONS[name];
        return (
          <Button
            key={name}
            icon={<Icon />}
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
  meetingId: string;
  onClose: () => void;
}

export function Panel({ name, meetingId, onClose }: PanelProps) {
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
    const press = (event: KeyboardEvent) => event.key === "Escape" && close();
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [close]);
  return (
    <section ref={panel} class="card side-panel" aria-label={title}>
      <header class="side-panel-header">
        <h2>{title}</h2>
        <button type="button" class="icon-button" aria-label={t.meeting.close} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <PanelContent name={name} meetingId={meetingId} />
    </section>
  );
}

/** What is shown needs the details; whoever has not read them reads them now. */
export function PanelContent({ name, meetingId }: { name: PanelName; meetingId: string }) {
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
