// The attendance report as the registry writes it in JSON, in the words of this client. Pure.

export interface Stretch {
  /** Unix time in ms. */
  readonly fromMs: number;
  /** Undefined while it goes on. */
  readonly toMs: number | undefined;
  readonly relayName: string;
  /** The connection was lost: the end is when it was last heard of. */
  readonly lost: boolean;
}

export interface Attendee {
  readonly participantId: number;
  readonly userId: string;
  readonly displayName: string;
  readonly guest: boolean;
  /** All together. */
  readonly presentMs: number;
  readonly checkedInAtMs: readonly number[];
  readonly stretches: readonly Stretch[];
}

export interface Report {
  readonly attendees: readonly Attendee[];
  /** Unix time in ms. */
  readonly writtenAtMs: number;
}

/** Undefined for what is no report. */
export function reportOf(text: string): Report | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const report = fields(parsed);
  const participants = report["participants"];
  if (!Array.isArray(participants)) return undefined;
  return {
    attendees: participants.map(attendeeOf),
    writtenAtMs: timeOf(report["written_at"]) ?? 0,
  };
}

function attendeeOf(value: unknown): Attendee {
  const one = fields(value);
  return {
    participantId: numberOf(one["participant_id"]),
    userId: textOf(one["user_id"]),
    displayName: textOf(one["display_name"]),
    guest: one["guest"] === true,
    presentMs: numberOf(one["present_ms"]),
    checkedInAtMs: listOf(one["checked_in_at"]).flatMap((at) => timeOf(at) ?? []),
    stretches: listOf(one["stays"]).map(stretchOf),
  };
}

function stretchOf(value: unknown): Stretch {
  const stay = fields(value);
  return {
    fromMs: timeOf(stay["from"]) ?? 0,
    toMs: timeOf(stay["to"]),
    relayName: textOf(stay["relay_name"]) || textOf(stay["relay_id"]),
    lost: stay["end_inferred"] === true,
  };
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
