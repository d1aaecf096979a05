// After a meeting: why it is over, its files, for hosts who was there, and where to go.

import { useEffect, useRef } from "preact/hooks";
import { FilesPanel } from "../attachments/FilesPanel";
import { AttendancePanel } from "../attendance/AttendancePanel";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { mayManage } from "../members/people";
import type { OverReason } from "../session/recovery";
import { detailsOn } from "../session/state";
import { Button } from "../view/Button";
import { Shell } from "../view/Shell";

interface Props {
  meetingId: string;
  subject: string;
  reason: OverReason;
}

/** From these there is no way back in. */
const FOR_GOOD: ReadonlySet<OverReason> = new Set(["ended", "removed"]);
/** After these one may still look at what belongs to the meeting. */
const IN_PEACE: ReadonlySet<OverReason> = new Set(["left", "ended"]);

export function OverScreen({ meetingId, subject, reason }: Props) {
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
        {subject !== "" && <p class="over-subject">{subject}</p>}
        <h1 ref={heading} tabIndex={-1}>
          {t.over[reason]}
        </h1>
        <p>{t.over[`${reason}Hint`]}</p>
        <div class="actions">
          {!FOR_GOOD.has(reason) && (
            <Button kind="primary" onClick={() => session.back()}>
              {t.over.joinAgain}
            </Button>
          )}
          <Button onClick={toStart}>{t.over.toStart}</Button>
        </div>
      </div>
      {IN_PEACE.has(reason) && <Rest meetingId={meetingId} />}
    </Shell>
  );
}

/** Read again for members: what was attached meanwhile belongs to it. */
function Rest({ meetingId }: { meetingId: string }) {
  const t = useMessages();
  const { session } = useServices();
  const state = useStore(session.state);
  const details = detailsOn(state, meetingId);
  const member = details !== undefined && details.role !== "outsider";
  useEffect(() => {
    if (member) void session.readMeeting(meetingId);
  }, [member, session, meetingId]);
  if (details === undefined) return null;
  return (
    <>
      {details.attachments.length > 0 && (
        <section class="card narrow" aria-label={t.files.title}>
          <h2>{t.files.title}</h2>
          <FilesPanel details={details} />
        </section>
      )}
      {mayManage(details.role) && (
        <section class="card" aria-label={t.attendance.title}>
          <h2>{t.attendance.title}</h2>
          <AttendancePanel meetingId={meetingId} />
        </section>
      )}
    </>
  );
}
