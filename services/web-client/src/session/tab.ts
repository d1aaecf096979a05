// What this tab knows about meetings it was let into by a link: kept through a reload and through a
// log-in at another site, gone with the tab. Never written to a log or put into a query.

const KEY = "tributary.links";
/** So many meetings are remembered; the oldest are forgotten first. */
const MEETINGS_MAX = 50;

interface Known {
  /** The share secret of the link that was opened, empty if none. */
  secret: string;
  /** The last join credential, empty if none: with it, coming back is not counted as an access. */
  credential: string;
  /** The relay that the link names, empty if none. */
  relay: string;
}

const NOTHING: Known = { secret: "", credential: "", relay: "" };

export class TabMemory {
  private readonly meetings: Map<string, Known>;

  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | undefined) {
    this.meetings = new Map(parse(this.read()));
  }

  secretOf(meetingId: string): string {
    return (this.meetings.get(meetingId) ?? NOTHING).secret;
  }

  credentialOf(meetingId: string): string {
    return (this.meetings.get(meetingId) ?? NOTHING).credential;
  }

  relayOf(meetingId: string): string {
    return (this.meetings.get(meetingId) ?? NOTHING).relay;
  }

  keep(meetingId: string, change: Partial<Known>): void {
    const known = { ...NOTHING, ...this.meetings.get(meetingId), ...change };
    this.meetings.delete(meetingId);
    this.meetings.set(meetingId, known);
    for (const oldest of this.meetings.keys()) {
      if (this.meetings.size <= MEETINGS_MAX) break;
      this.meetings.delete(oldest);
    }
    this.write();
  }

  /** Forgets the credentials, which belong to who was logged in; the links stay. */
  forgetCredentials(): void {
    for (const known of this.meetings.values()) known.credential = "";
    this.write();
  }

  private write(): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify([...this.meetings]));
    } catch {
      // Full or forbidden: then it is remembered until the next reload.
    }
  }

  private read(): string | null {
    try {
      return this.storage?.getItem(KEY) ?? null;
    } catch {
      return null;
    }
  }
}

function parse(text: string | null): [string, Known][] {
  try {
    const stored: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(stored)) return [];
    return stored.filter(isEntry).map(([id, known]) => [id, { ...NOTHING, ...known }]);
  } catch {
    return [];
  }
}

/** What an earlier version of the page has kept may lack the relay. */
function isEntry(entry: unknown): entry is [string, Omit<Known, "relay"> & { relay?: string }] {
  if (!Array.isArray(entry) || typeof entry[0] !== "string") return false;
  const known = entry[1] as Partial<Known> | null;
  const { secret, credential, relay = "" } = known ?? {};
  return [secret, credential, relay].every((text) => typeof text === "string");
}
