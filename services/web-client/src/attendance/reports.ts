// Who was there, from when to when: the report of a meeting, for its hosts.

import type { MeetingFiles } from "../attachments/files";
import type { Outcome } from "../session/refusal";

export type ReportFormat = "csv" | "json";

export class AttendanceReports {
  constructor(private readonly files: MeetingFiles) {}

  read(meetingId: string, format: ReportFormat): Promise<Outcome<Blob>> {
    return this.files.read(meetingId, `attendance.${format}`);
  }
}
