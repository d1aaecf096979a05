// Times as people read and enter them: in the terminal's own time zone.

/** A minute, in ms. */
const MINUTE_MS = 60_000;

/** `2026-05-12T14:00`, as a date-and-time field holds it. */
export function toField(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Unix time in ms; undefined for what is no date and time. */
export function fromField(value: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(value)) return undefined;
  const ms = new Date(value).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

/** The next full hour that is at least ten minutes away. */
export function nextFullHour(nowMs: number): number {
  const date = new Date(nowMs + 10 * MINUTE_MS);
  if (date.getMinutes() + date.getSeconds() + date.getMilliseconds() > 0) {
    date.setHours(date.getHours() + 1, 0, 0, 0);
  }
  return date.getTime();
}

/** Meetings can be scheduled a year ahead. */
export function latestStart(nowMs: number): number {
  const date = new Date(nowMs);
  date.setFullYear(date.getFullYear() + 1);
  return date.getTime() - MINUTE_MS;
}

/** Day and time; of today only the time, of another year also the year. */
export function timeText(ms: number, nowMs: number, language: string): string {
  const date = new Date(ms);
  const now = new Date(nowMs);
  const time = { hour: "numeric", minute: "2-digit" } as const;
  if (date.toDateString() === now.toDateString()) {
    return new Intl.DateTimeFormat(language, time).format(date);
  }
  const day = { weekday: "short", day: "numeric", month: "short" } as const;
  const year = date.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const);
  return new Intl.DateTimeFormat(language, { ...day, ...year, ...time }).format(date);
}
