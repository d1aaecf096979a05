// Which screen is shown: the session's place decides, then the address, then who is known.

import { useEffect, useState } from "preact/hooks";
import { useMessages } from "../i18n/context";
import { MeetingScreen } from "../meeting/MeetingScreen";
import { meetingIdAt } from "../session/state";
import { EntryScreen } from "../start/EntryScreen";
import { LobbyScreen } from "../start/LobbyScreen";
import { OverScreen } from "../start/OverScreen";
import { PreJoinScreen } from "../start/PreJoinScreen";
import { useServices } from "./context";
import { routeOf } from "./route";
import type { Route } from "./route";
import { useStore } from "./store";

export function App({ initialName }: { initialName: string }) {
  const { session, microphone } = useServices();
  const { identity, place } = useStore(session.state);
  const route = useRoute();
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
      return <OverScreen reason={place.reason} />;
    default:
      if (wanted !== undefined) {
        return <PreJoinScreen key={wanted} meetingId={wanted} initialName={initialName} />;
      }
      if (identity !== undefined) return <LobbyScreen identity={identity} />;
      return <EntryScreen initialName={initialName} />;
  }
}

function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return routeOf(hash);
}

function useTitle(subject: string): void {
  const t = useMessages();
  useEffect(() => {
    document.title = subject === "" ? t.product : `${subject} · ${t.product}`;
  }, [subject, t]);
}
