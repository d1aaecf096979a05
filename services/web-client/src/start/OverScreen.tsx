// After a meeting: why it is over, its files, and where to go.

import { useEffect, useRef } from "preact/hooks";
import { FilesPanel } from "../attachments/FilesPanel";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { OverReason } from "../session/recovery";
import { detailsOn } from "../session/state";
import { Button } from "../view/Button";
import { Shell } from "../view/Shell";

export function OverScreen({ meetingId, reason }: { meetingId: string; reason: OverReason }) {
  const t = useMessages();
  const { session, navigation } = useServices();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const toStart = () => {
    session.back();
    navigation.toStart();
  };
  return (
    <Shell>
      <div class="card narrow over">
        <h1 ref={heading} tabIndex={-1}>
          {t.over[reason]}
        </h1>
        <p>{t.over[`${reason}Hint`]}</p>
        <div class="actions">
          {reason !== "ended" && (
            <Button kind="primary" onClick={() => session.back()}>
              {t.over.joinAgain}
            </Button>
          )}
          <Button onClick={toStart}>{t.over.toStart}</Button>
        </div>
      </div>
      {(reason === "left" || reason === "ended") && <Files meetingId={meetingId} />}
    </Shell>
  );
}

/** Read again for members: what was attached meanwhile belongs to it. */
function Files({ meetingId }: { meetingId: string }) {
  const t = useMessages();
  const { session } = useServices();
  const state = useStore(session.state);
  const details = detailsOn(state, meetingId);
  const member = details !== undefined && details.role !== "outsider";
  useEffect(() => {
    if (member) void session.readMeeting(meetingId);
  }, [member, session, meetingId]);
  if (details === undefined || details.attachments.length === 0) return null;
  return (
    <section class="card narrow" aria-label={t.files.title}>
      <h2>{t.files.title}</h2>
      <FilesPanel details={details} />
    </section>
  );
}
