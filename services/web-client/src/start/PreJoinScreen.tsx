// Before a meeting: what it is about, as far as one may know; name, microphone, muted or not. For
// somebody who has a link this is the first screen, and entering as a guest is part of joining. Who
// may not read the meeting sees the same page whether it exists or not.

import { useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages, useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { PanelButtons, PanelContent, panelTitle, panelsFor } from "../meeting/panels";
import type { AboutName } from "../meeting/panels";
import { inOrder } from "../members/people";
import type { Member } from "../members/people";
import { useNames } from "../members/useNames";
import { liveStay } from "../session/places";
import { detailsOn } from "../session/state";
import type { MeetingDetails } from "../session/wire-details";
import { Button } from "../view/Button";
import { Shell } from "../view/Shell";
import { LogInForm, ProblemNotice, useLogInOptions } from "./forms";
import { JoinForm } from "./JoinForm";
import { organiserText, startText } from "./MyMeetings";

interface Props {
  meetingId: string;
  initialName: string;
}

export function PreJoinScreen({ meetingId, initialName }: Props) {
  const t = useMessages();
  const { session, microphone } = useServices();
  const state = useStore(session.state);
  const { identity } = state;
  const details = detailsOn(state, meetingId);
  const userId = identity?.userId;
  useEffect(() => {
    // A guest who joins in one go has no use for it, and reading counts as an access.
    const waiting = session.state.get().place.kind !== "joining";
    if (userId !== undefined && waiting) void session.readMeeting(meetingId);
  }, [userId, session, meetingId]);
  useEffect(() => {
    // In another meeting the microphone stays as it is.
    if (liveStay(session.state.get()) === undefined) void microphone.prepare();
  }, [session, microphone]);
  const over = details?.meeting.endedAtMs !== undefined;
  return (
    <Shell>
      <Title meetingId={meetingId} details={details} />
      {over ? (
        <div class="card narrow">
          <p>{t.details.over}</p>
        </div>
      ) : (
        <Entrance meetingId={meetingId} initialName={initialName} />
      )}
      {details !== undefined && <About details={details} over={over} />}
    </Shell>
  );
}

/** The form to join by; for who has an account and is not logged in, first the log-in. */
function Entrance({ meetingId, initialName }: Props) {
  const t = useMessages();
  const { session } = useServices();
  const { identity, place, problem, busy } = useStore(session.state);
  const options = useLogInOptions();
  const [withAccount, setWithAccount] = useState(
    problem?.reason === "expired" || busy === "oidc" || problem?.during === "oidc",
  );
  // Whoever had an account is offered to log in again when the identity is gone.
  useEffect(() => {
    if (identity !== undefined) setWithAccount(!identity.guest);
  }, [identity]);
  if (identity === undefined && options === undefined) {
    return <div class="spinner" aria-hidden="true" />;
  }
  const guests = options?.guests !== false;
  if (identity === undefined && (withAccount || !guests)) {
    return (
      <div class="card narrow">
        <ProblemNotice during={["join"]} />
        <LogInForm />
        {guests && (
          <Button kind="text" onClick={() => setWithAccount(false)}>
            {t.start.asGuest}
          </Button>
        )}
      </div>
    );
  }
  return (
    <div class="card narrow">
      <JoinForm meetingId={meetingId} initialName={initialName} identity={identity} />
      {identity === undefined && place.kind === "outside" && (
        <Button kind="text" onClick={() => setWithAccount(true)}>
          {t.start.haveAccount}
        </Button>
      )}
    </div>
  );
}

function Title(props: { meetingId: string; details: MeetingDetails | undefined }) {
  const { t, language } = useTranslation();
  const { session } = useServices();
  const { identity } = useStore(session.state);
  const { meetingId, details } = props;
  const few = details !== undefined && details.members.length <= NAMES_MAX ? details.members : [];
  const nameOf = useNames(few.map(({ userId }) => userId));
  if (details === undefined) {
    return (
      <div class="hero">
        <h1>{t.preJoin.title}</h1>
        <p class="meeting-id">{t.preJoin.meeting(meetingId)}</p>
      </div>
    );
  }
  const { meeting, participants, members } = details;
  const list = new Intl.ListFormat(language);
  const present = participants.map(({ displayName }) => displayName);
  const facts = [
    meeting.endedAtMs === undefined ? startText(t, meeting, Date.now(), language) : "",
    organiserText(t, meeting, identity?.userId),
    membersText(t, members, nameOf, language),
  ];
  return (
    <div class="hero">
      <h1>{meeting.subject || t.meeting.untitled}</h1>
      <p class="meeting-id">{t.preJoin.meeting(meetingId)}</p>
      <p>{facts.filter(Boolean).join(" · ")}</p>
      {present.length > 0 && (
        <p>
          {present.length > NAMES_MAX
            ? t.details.manyInNow(present.length)
            : t.details.inNow(list.format(present))}
        </p>
      )}
    </div>
  );
}

/** More names than this are told as a number. */
const NAMES_MAX = 4;

/** By name if they are few and known, else how many; empty for who may not see them. */
export function membersText(
  t: Messages,
  members: readonly Member[],
  nameOf: (userId: string) => string,
  language: string,
): string {
  if (members.length === 0) return "";
  const named = members.every(({ userId }) => nameOf(userId) !== userId);
  if (members.length === 1 || members.length > NAMES_MAX || !named) {
    return t.details.members(members.length);
  }
  const names = inOrder(members, nameOf, language).map(({ userId }) => nameOf(userId));
  return t.details.membersNamed(new Intl.ListFormat(language).format(names));
}

/** Sharing, members and files, for whoever may see them before the meeting. */
function About({ details, over }: { details: MeetingDetails; over: boolean }) {
  const t = useMessages();
  const { desk } = useServices();
  const { meeting, role, attachments } = details;
  // Whoever has just made a link wants to hand it on; who wanted one and has none is told so there.
  const made = desk.linkOf(meeting.id) !== undefined || desk.lacksLink(meeting.id);
  const [open, setOpen] = useState<AboutName | undefined>(made ? "share" : undefined);
  const names = panelsFor(role, over);
  const empty = role === "outsider" && attachments.length === 0;
  if (empty) return null;
  const shown = names.length === 1 ? names[0] : open;
  return (
    <section class="about" aria-label={t.details.panels}>
      {names.length > 1 && (
        <PanelButtons
          names={names}
          open={open}
          onToggle={(name) => setOpen(open === name ? undefined : name)}
        />
      )}
      {shown !== undefined && (
        <section class="card" aria-label={panelTitle(t, shown)}>
          <h2>{panelTitle(t, shown)}</h2>
          <PanelContent key={shown} name={shown} meetingId={meeting.id} />
        </section>
      )}
    </section>
  );
}
