import { describe, expect, it } from "vitest";
import { fromField, latestStart, nextFullHour, timeText, toField } from "../src/app/time";
import { en } from "../src/i18n/en";
import { changeOf } from "../src/meeting/DetailsPanel";
import type { Meeting } from "../src/session/wire";
import { startOf } from "../src/start/CreateForm";
import { organiserText, startText } from "../src/start/MyMeetings";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

const meeting: Meeting = {
  id: "42",
  organisation: "acme",
  lobby: false,
  subject: "Plans",
  organiserUserId: "u",
  organiserName: "Ada",
  hasPassword: false,
  startsAtMs: undefined,
  endedAtMs: undefined,
};

describe("times", () => {
  it("go into a field and come back", () => {
    const ms = new Date(2026, 4, 12, 14, 5).getTime();
    expect(toField(ms)).toBe("2026-05-12T14:05");
    expect(fromField(toField(ms))).toBe(ms);
    for (const odd of ["", "tomorrow", "2026-05-12", "2026-13-40T99:99"]) {
      expect(fromField(odd)).toBeUndefined();
    }
  });

  it("are offered at the next full hour, with some minutes to spare", () => {
    const at = (hour: number, minute: number) => new Date(2026, 4, 12, hour, minute).getTime();
    expect(nextFullHour(at(14, 5))).toBe(at(15, 0));
    expect(nextFullHour(at(14, 55))).toBe(at(16, 0));
    expect(nextFullHour(at(14, 50))).toBe(at(15, 0));
  });

  it("name the day only when it is another one", () => {
    const now = new Date(2026, 4, 12, 9, 0).getTime();
    expect(timeText(now + HOUR, now, "en-GB")).toBe("10:00");
    expect(timeText(now + 2 * DAY, now, "en-GB")).toMatch(/14 May.*09:00|14 May.*9:00/);
    expect(timeText(now + 2 * DAY, now, "en-GB")).not.toContain("2026");
    expect(timeText(now + 365 * DAY, now, "zh-CN")).toContain("2027");
  });

  it("of a new meeting are within a year, and a moment ago is now", () => {
    const now = new Date(2026, 4, 12, 9, 0, 30).getTime();
    expect(startOf(undefined, now)).toBe("now");
    expect(startOf(toField(now), now)).toBe("now");
    expect(startOf(toField(now + DAY), now)).toBe(fromField(toField(now + DAY)));
    expect(startOf(toField(now - HOUR), now)).toBeUndefined();
    expect(startOf(toField(latestStart(now) + DAY), now)).toBeUndefined();
    expect(startOf("", now)).toBeUndefined();
  });

  it("of a meeting are told as begun, to come, or none", () => {
    const now = Date.now();
    expect(startText(en, meeting, now, "en")).toBe("Running");
    expect(startText(en, { ...meeting, startsAtMs: now + HOUR }, now, "en")).toMatch(/^Starts /);
    expect(startText(en, { ...meeting, startsAtMs: now - HOUR }, now, "en")).toMatch(/^Started /);
    expect(organiserText(en, meeting, "u")).toBe("Organised by you");
    expect(organiserText(en, meeting, "v")).toBe("Organised by Ada");
    expect(organiserText(en, { ...meeting, organiserName: "" }, "v")).toBe("");
  });

  it("and the rest of a meeting are changed only where they differ", () => {
    const same = { subject: "Plans", startsAt: "", password: undefined, lobby: false };
    expect(Object.values(changeOf(meeting, same) ?? {}).every((v) => v === undefined)).toBe(true);
    const changed = changeOf(meeting, { ...same, subject: "Other", password: "" });
    expect(changed).toMatchObject({ subject: "Other", password: "", lobby: undefined });
    expect(changeOf(meeting, { ...same, lobby: true })).toMatchObject({ lobby: true });
    expect(changeOf(meeting, { ...same, startsAt: toField(Date.now() - DAY) })).toBeUndefined();
  });
});
