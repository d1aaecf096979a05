// What a person chose before, kept in the browser. Without storage, each visit starts afresh.

export interface Preferences {
  name: string;
  language: string;
  microphoneId: string;
  speakerId: string;
  joinMuted: boolean;
  /** Echo and noise removal, even loudness. */
  improveSound: boolean;
  /** Single keys do something in a meeting. */
  singleKeys: boolean;
}

const DEFAULTS: Preferences = {
  name: "",
  language: "",
  microphoneId: "",
  speakerId: "",
  joinMuted: false,
  improveSound: true,
  singleKeys: true,
};

const KEY = "tributary.preferences";

export function loadPreferences(): Preferences {
  return parsePreferences(read());
}

export function savePreferences(change: Partial<Preferences>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...loadPreferences(), ...change }));
  } catch {
    // Storage is full or forbidden; the choice then holds for this visit only.
  }
}

/** Keeps what has the right type and fills the rest with defaults. */
export function parsePreferences(text: string | null): Preferences {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "{}");
  } catch {
    return DEFAULTS;
  }
  if (typeof stored !== "object" || stored === null) return DEFAULTS;
  const valid = Object.entries(stored).filter(
    ([key, value]) => key in DEFAULTS && typeof value === typeof DEFAULTS[key as keyof Preferences],
  );
  return { ...DEFAULTS, ...Object.fromEntries(valid) };
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
