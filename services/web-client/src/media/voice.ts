// Whether the person at the microphone speaks: a level with hysteresis and hangover, so that the
// ring does not flicker between words. Pure.

/** Above this, speaking begins; in dBFS. */
const BEGIN_DB = -45;
/** Below this for the hangover, it ends. */
const END_DB = -52;
const HANGOVER_MS = 500;

export interface Voice {
  readonly speaking: boolean;
  /** When the level was last high enough, in ms. */
  readonly heardAtMs: number;
}

export const SILENT: Voice = { speaking: false, heardAtMs: Number.NEGATIVE_INFINITY };

export function hear(voice: Voice, db: number, nowMs: number): Voice {
  if (db >= (voice.speaking ? END_DB : BEGIN_DB)) return { speaking: true, heardAtMs: nowMs };
  if (!voice.speaking || nowMs - voice.heardAtMs < HANGOVER_MS) return voice;
  return { speaking: false, heardAtMs: voice.heardAtMs };
}
