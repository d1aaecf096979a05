// The two meetings that somebody is in: where they are, what is new in the other, and one tap to be
// there instead.

import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { isEntry, meetingIdAt } from "../session/places";
import type { Entry } from "../session/places";
import { CloseIcon } from "../view/icons";

export function MeetingStrip() {
  const { t } = useTranslation();
  const { session } = useServices();
  const { place, other, busy } = useStore(session.state);
  if (other === undefined || !isEntry(place)) return null;
  // In the order in which they were joined would need a memory; by their ids they never change places.
  const entries = [place, other].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  return (
    <nav class="strip" aria-label={t.meetings.strip}>
      {entries.map((entry) => (
        <Tab key={idOf(entry)} entry={entry} live={entry === place} switching={busy === "switch"} />
      ))}
    </nav>
  );
}

function Tab({ entry, live, switching }: { entry: Entry; live: boolean; switching: boolean }) {
  const { t } = useTranslation();
  const { session } = useServices();
  const id = idOf(entry);
  const subject = subjectAt(t, entry);
  const unread = live || entry.kind !== "inside" ? 0 : entry.stay.chat.unread;
  const state = stateOf(t, entry, live, switching);
  const words = [
    live ? subject : t.meetings.switchTo(subject),
    state,
    ...(unread > 0 ? [t.meetings.unread(unread)] : []),
  ];
  return (
    <div class={live ? "strip-meeting live" : "strip-meeting"}>
      <button
        type="button"
        class="strip-switch"
        aria-label={words.join(" ")}
        aria-current={live}
        aria-busy={!live && switching}
        disabled={!live && (switching || entry.kind !== "inside")}
        onClick={() => !live && void session.switchTo(id)}
      >
        <span class="strip-text">
          <span class="strip-subject">{subject}</span> <span class="strip-state">{state}</span>
        </span>
        {unread > 0 && (
          <span class="badge" aria-hidden="true">
            {unread > 99 ? "99+" : unread}
          </span>
        )}
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={t.meetings.leave(subject)}
        title={t.meetings.leave(subject)}
        onClick={() => session.leave(id)}
      >
        <CloseIcon />
      </button>
    </div>
  );
}

function idOf(entry: Entry): string {
  return meetingIdAt(entry) ?? "";
}

function subjectAt(t: Messages, entry: Entry): string {
  switch (entry.kind) {
    case "inside":
      return entry.stay.meeting.subject || t.meeting.untitled;
    case "waiting":
      return entry.meeting.subject || t.meeting.untitled;
    case "joining":
      return t.preJoin.meeting(entry.meetingId);
  }
}

function stateOf(t: Messages, entry: Entry, live: boolean, switching: boolean): string {
  if (entry.hindrance !== undefined) return t.connection.reconnecting;
  if (entry.kind === "joining") return t.joining.connecting;
  if (entry.kind === "waiting") return t.presence.waiting;
  if (live) return t.meetings.live;
  return switching
    ? t.meetings.switching
    : `${t.meetings.held} · ${t.meetings.people(entry.stay.roster.participants.size)}`;
}
