// Which screen is shown: the session's place decides, then the address, then who is known.

import { useEffect } from "preact/hooks";
import { useMessages } from "../i18n/context";
import { MeetingScreen } from "../meeting/MeetingScreen";
import { Toasts } from "../notices/Toasts";
import { meetingIdAt } from "../session/state";
import { EntryScreen } from "../start/EntryScreen";
import { LobbyScreen } from "../start/LobbyScreen";
import { OverScreen } from "../start/OverScreen";
import { PreJoinScreen } from "../start/PreJoinScreen";
import { useServices } from "./context";
import { useStore } from "./store";

export function App({ initialName }: { initialName: string }) {
  return (
    <>
      <Screen initialName={initialName} />
      <Toasts />
    </>
  );
}

function Screen({ initialName }: { initialName: string }) {
  const { session, navigation, microphone } = useServices();
  const { identity, place } = useStore(session.state);
  const route = useStore(navigation.route);
  const wanted = route.kind === "meeting" ? route.meetingId : undefined;
  const current = meetingIdAt(place);
  useEffect(() => {
    // Going elsewhere by the address bar or the back button is leaving.
    if (current === undefined || current === wanted) return;
    if (place.kind === "over") session.back();
    else session.leave();
  }, [current, wanted, session, place.kind]);
  const needsMicrophone = place.kind !== "over" && wanted !== undefined;
  useEffect(() => {
    if (!needsMicrophone) microphone.stop();
  }, [needsMicrophone, microphone]);
  useTitle(place.kind === "inside" ? place.meeting.subject : "");

  switch (place.kind) {
    case "inside":
      return <MeetingScreen {...place} />;
    case "over":
      return <OverScreen meetingId={place.meetingId} reason={place.reason} />;
    default:
      if (wanted !== undefined) {
        return <PreJoinScreen key={wanted} meetingId={wanted} initialName={initialName} />;
      }
      if (identity !== undefined) return <LobbyScreen identity={identity} />;
      return <EntryScreen initialName={initialName} />;
  }
}

function useTitle(subject: string): void {
  const t = useMessages();
  useEffect(() => {
    document.title = subject === "" ? t.product : `${subject} · ${t.product}`;
  }, [subject, t]);
}
