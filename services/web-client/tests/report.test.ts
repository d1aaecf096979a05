import { describe, expect, test } from "vitest";
import { durationText } from "../src/attendance/AttendancePanel";
import { reportOf } from "../src/attendance/report";
import { LANGUAGES } from "../src/i18n/language";

const REPORT = {
  meeting_id: "7",
  written_at: "2026-05-12T10:00:00.000Z",
  participants: [
    {
      participant_id: 3,
      user_id: "u-3",
      display_name: "Grace",
      guest: true,
      present_ms: 90_000,
      checked_in_at: ["2026-05-12T09:01:00.000Z"],
      stays: [
        {
          from: "2026-05-12T09:00:00.000Z",
          to: "2026-05-12T09:01:30.000Z",
          relay_id: "r-1",
          relay_name: "Office A",
          end_inferred: true,
        },
        { from: "2026-05-12T09:59:00.000Z", to: null, relay_id: "r-2", relay_name: "" },
      ],
    },
  ],
};

describe("the attendance report", () => {
  test("is read as it is written", () => {
    expect(reportOf(JSON.stringify(REPORT))).toEqual({
      writtenAtMs: Date.UTC(2026, 4, 12, 10),
      attendees: [
        {
          participantId: 3,
          userId: "u-3",
          displayName: "Grace",
          guest: true,
          presentMs: 90_000,
          checkedInAtMs: [Date.UTC(2026, 4, 12, 9, 1)],
          stretches: [
            {
              fromMs: Date.UTC(2026, 4, 12, 9),
              toMs: Date.UTC(2026, 4, 12, 9, 1, 30),
              relayName: "Office A",
              lost: true,
            },
            {
              fromMs: Date.UTC(2026, 4, 12, 9, 59),
              toMs: undefined,
              relayName: "r-2",
              lost: false,
            },
          ],
        },
      ],
    });
  });

  test("is nothing if it is no report", () => {
    for (const text of ["", "null", "[]", "{}", '{"participants":3}', "participant_id,user_id"]) {
      expect(reportOf(text)).toBeUndefined();
    }
  });

  test("times are told in hours and minutes", () => {
    const t = LANGUAGES.en;
    expect(durationText(t, 0)).toBe("under 1 min");
    expect(durationText(t, 59 * 60_000)).toBe("59 min");
    expect(durationText(t, 61 * 60_000)).toBe("1 h 1 min");
  });
});
