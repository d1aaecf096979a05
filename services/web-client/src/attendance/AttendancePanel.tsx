// Who was there, for hosts: a table to look at, and the same as a file.

import { useCallback, useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { timeText } from "../app/time";
import { useTranslation } from "../i18n/context";
import type { Messages } from "../i18n/messages";
import { failureText } from "../i18n/problem";
import type { FailureReason } from "../session/refusal";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { DownloadIcon } from "../view/icons";
import { saveFile } from "../view/download";
import { reportOf } from "./report";
import type { Attendee, Report, Stretch } from "./report";

type Reading =
  { kind: "reading" } | { kind: "read"; report: Report } | { kind: "refused"; why: FailureReason };

export function AttendancePanel({ meetingId }: { meetingId: string }) {
  const { t } = useTranslation();
  const { reading, read, save } = useReport(meetingId);
  return (
    <>
      <p class="hint">{t.attendance.hint}</p>
      {reading.kind === "reading" && <p class="hint">{t.attendance.reading}</p>}
      {reading.kind === "refused" && (
        <Notice
          tone="error"
          action={<Button onClick={() => void read()}>{t.microphone.tryAgain}</Button>}
        >
          {failureText(t, "other", reading.why)}
        </Notice>
      )}
      {reading.kind === "read" && <Table report={reading.report} />}
      <div class="actions">
        {(["csv", "json"] as const).map((format) => (
          <Button key={format} icon={<DownloadIcon />} onClick={() => void save(format)}>
            {t.attendance[format]}
          </Button>
        ))}
        <Button kind="text" onClick={() => void read()}>
          {t.attendance.reload}
        </Button>
      </div>
    </>
  );
}

function useReport(meetingId: string) {
  const { t } = useTranslation();
  const { reports } = useServices();
  const [reading, setReading] = useState<Reading>({ kind: "reading" });
  const read = useCallback(async () => {
    const answer = await reports.read(meetingId, "json");
    if (!answer.ok) return setReading({ kind: "refused", why: answer.reason });
    const report = reportOf(await answer.value.text());
    setReading(
      report === undefined ? { kind: "refused", why: "unspecified" } : { kind: "read", report },
    );
  }, [reports, meetingId]);
  useEffect(() => void read(), [read]);
  const save = async (format: "csv" | "json") => {
    const answer = await reports.read(meetingId, format);
    if (answer.ok) saveFile(answer.value, `${t.attendance.fileName}-${meetingId}.${format}`);
    else setReading({ kind: "refused", why: answer.reason });
  };
  return { reading, read, save };
}

function Table({ report }: { report: Report }) {
  const { t } = useTranslation();
  if (report.attendees.length === 0) return <p class="empty">{t.attendance.none}</p>;
  const heads = [t.attendance.name, t.attendance.from, t.attendance.to, t.attendance.duration];
  return (
    <div class="table-frame" role="region" aria-label={t.attendance.table} tabIndex={0}>
      <table class="attendance" aria-label={t.attendance.table}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        {report.attendees.map((attendee) => (
          <Rows key={attendee.participantId} attendee={attendee} nowMs={report.writtenAtMs} />
        ))}
      </table>
    </div>
  );
}

function Rows({ attendee, nowMs }: { attendee: Attendee; nowMs: number }) {
  const { t, language } = useTranslation();
  const { stretches, checkedInAtMs, displayName } = attendee;
  const shown: (Stretch | undefined)[] = stretches.length === 0 ? [undefined] : [...stretches];
  const time = (ms: number) => timeText(ms, Date.now(), language);
  const facts = [
    ...(attendee.guest ? [t.meeting.guest] : []),
    ...(stretches.length > 1
      ? [`${t.attendance.total}: ${durationText(t, attendee.presentMs)}`]
      : []),
    ...(checkedInAtMs.length > 0
      ? [`${t.attendance.checkIns}: ${checkedInAtMs.map(time).join(", ")}`]
      : []),
  ];
  return (
    <tbody>
      {shown.map((stretch, index) => (
        <tr key={stretch?.fromMs ?? 0}>
          {index === 0 && (
            <th scope="rowgroup" rowSpan={shown.length}>
              {displayName}
              {facts.map((fact) => (
                <span key={fact} class="hint">
                  {fact}
                </span>
              ))}
            </th>
          )}
          <td>
            {stretch !== undefined && time(stretch.fromMs)}
            {stretch !== undefined && (
              <span class="hint">
                {t.attendance.via} {stretch.relayName}
              </span>
            )}
          </td>
          <td>
            {stretch?.toMs === undefined ? stretch && t.attendance.still : time(stretch.toMs)}
            {stretch?.lost === true && <span class="hint">{t.attendance.lost}</span>}
          </td>
          <td>
            {stretch !== undefined &&
              durationText(t, Math.max(0, (stretch.toMs ?? nowMs) - stretch.fromMs))}
          </td>
        </tr>
      ))}
    </tbody>
  );
}

const MINUTE_MS = 60_000;

export function durationText(t: Messages, ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes < 60) return t.attendance.minutes(minutes);
  return t.attendance.hours(Math.floor(minutes / 60), minutes % 60);
}
