// Which notices this tab was asked to tell later, kept through a reload.

const KEY = "tributary.later";
/** So many are remembered. */
const NOTICES_MAX = 100;

export class PostponedMemory {
  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | undefined) {}

  /** By notice, until when: Unix time in ms. */
  load(nowMs: number): ReadonlyMap<string, number> {
    try {
      const stored: unknown = JSON.parse(this.storage?.getItem(KEY) ?? "[]");
      const entries = Array.isArray(stored) ? stored.filter(isEntry) : [];
      return new Map(entries.filter(([, untilMs]) => untilMs > nowMs));
    } catch {
      return new Map();
    }
  }

  save(putOff: ReadonlyMap<string, number>): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify([...putOff].slice(-NOTICES_MAX)));
    } catch {
      // Full or forbidden: then a reload tells them at once.
    }
  }
}

function isEntry(entry: unknown): entry is [string, number] {
  return Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
}
