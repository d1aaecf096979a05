// Which screen is shown: the session's place decides, then the address, then who is known. Above it the
// strip of meetings, beside it the small meeting, over it invitations.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { Drafts } from "../chat/drafts";
import { useMessages, useTranslation } from "../i18n/context";
import { HintLines } from "../meeting/Hints";
import { MeetingScreen } from "../meeting/MeetingScreen";
import { MeetingStrip } from "../meeting/MeetingStrip";
import { MiniPlace } from "../mini/MiniPlace";
import { Toasts, sentenceOf } from "../notices/Toasts";
import { liveStay } from "../session/places";
import { EntryScreen } from "../start/EntryScreen";
import { LobbyScreen } from "../start/LobbyScreen";
import { OverScreen } from "../start/OverScreen";
import { PreJoinScreen } from "../start/PreJoinScreen";
import { WaitingScreen } from "../start/WaitingScreen";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { useServices } from "./context";
import { useStore } from "./store";

export function App({ initialName }: { initialName: string }) {
  const { session, mini } = useServices();
  const { place, other } = useStore(session.state);
  const small = useStore(mini.state).kind !== "off";
  const inside = place.kind === "inside";
  useMini(small);
  useNotifications();
  return (
    <div class={inside && !small ? "page in-meeting" : "page"}>
      {other !== undefined && <MeetingStrip />}
      {inside && small && <InMini liveId={place.stay.meeting.id} />}
      <Screen initialName={initialName} small={small} />
      {inside && small && <MiniPlace entry={place} />}
      <Toasts />
    </div>
  );
}

/** Above what is looked at while the meeting is small. */
function InMini({ liveId }: { liveId: string }) {
  const t = useMessages();
  const { mini } = useServices();
  return (
    <div class="in-window">
      <Notice tone="info" action={<Button onClick={() => mini.close()}>{t.mini.restore}</Button>}>
        {t.mini.inWindow}
      </Notice>
      <div class="hints" role="status">
        <HintLines liveId={liveId} />
      </div>
    </div>
  );
}

function Screen({ initialName, small }: { initialName: string; small: boolean }) {
  const { session, navigation, microphone } = useServices();
  const { identity, place } = useStore(session.state);
  const route = useStore(navigation.route);
  const drafts = useMemo(() => new Drafts(), [identity?.userId]);
  const wanted = route.kind === "meeting" ? route.meetingId : undefined;
  const live = liveStay({ place });
  const needsMicrophone = live !== undefined || (place.kind !== "over" && wanted !== undefined);
  useEffect(() => {
    if (!needsMicrophone) microphone.stop();
  }, [needsMicrophone, microphone]);
  useTitle(live?.meeting.subject ?? "");

  switch (place.kind) {
    case "inside":
      if (small) break;
      return (
        <MeetingScreen
          key={place.stay.meeting.id}
          stay={place.stay}
          hindrance={place.hindrance}
          drafts={drafts}
        />
      );
    case "waiting":
      return <WaitingScreen meeting={place.meeting} hindrance={place.hindrance} />;
    case "over":
      return <OverScreen {...place} />;
  }
  if (wanted !== undefined && wanted !== live?.meeting.id) {
    return <PreJoinScreen key={wanted} meetingId={wanted} initialName={initialName} />;
  }
  if (identity !== undefined) return <LobbyScreen identity={identity} />;
  return <EntryScreen initialName={initialName} />;
}

/** The small meeting goes back when there is none, and when another one becomes the live one. */
function useMini(small: boolean): void {
  const { session, navigation, mini } = useServices();
  const liveId = liveStay(useStore(session.state))?.meeting.id;
  const before = useRef({ small, liveId });
  useEffect(() => {
    const was = before.current;
    before.current = { small, liveId };
    if (small && liveId !== was.liveId) return mini.close();
    // What was looked at meanwhile is left: the address is that of the meeting again.
    if (!small && was.small && liveId !== undefined) navigation.nowAtMeeting(liveId);
  }, [small, liveId, mini, navigation]);
}

/** What the system's notifications say, in the language in use. */
function useNotifications(): void {
  const { t, language } = useTranslation();
  const { notifier } = useServices();
  useEffect(() => {
    notifier.wording = (notice) => ({
      title: notice.subject || t.meeting.untitled,
      body: sentenceOf(t, notice, language),
    });
  }, [t, language, notifier]);
}

function useTitle(subject: string): void {
  const t = useMessages();
  useEffect(() => {
    document.title = subject === "" ? t.product : `${subject} · ${t.product}`;
  }, [subject, t]);
}
