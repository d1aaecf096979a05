// Where a tab's key is kept through a reload: the key in IndexedDB, which key it is in the tab's own
// storage. A tab that was duplicated makes a key of its own, so that it is a terminal of its own.

import { TerminalKey } from "./key";
import type { KeptKey } from "./key";

const NAME = "tributary.key";
const DATABASE = "tributary";
const SHELF = "keys";
/** Storage that does not answer within this time is done without, in ms. */
const ANSWER_MAX_MS = 2000;
/** The page before a reload lets go of its key within this time, in ms. */
const HANDOVER_MAX_MS = 700;
/** A key that was not used for so long belongs to a tab that is gone, in ms. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3600 * 1000;

interface Entry extends KeptKey {
  readonly id: string;
  /** Unix time in ms. */
  readonly usedAt: number;
}

/** Keys by id. */
export interface Shelf {
  take(id: string): Promise<KeptKey | undefined>;
  put(id: string, key: KeptKey): Promise<void>;
}

/** What of the browser a tab's key needs. */
export interface Surroundings {
  /** Lives as long as the tab; undefined if the browser forbids it. */
  readonly tab: Pick<Storage, "getItem" | "setItem"> | undefined;
  readonly shelf: Shelf | undefined;
  /** True if from now on no other tab has this name; false if one has. */
  claim(name: string): Promise<boolean>;
}

export interface TabKey {
  readonly key: TerminalKey;
  /** True if it is the key that this tab had before a reload. */
  readonly kept: boolean;
}

/** The key that this tab had, or a new one, which is kept if that is possible. */
export async function tabKey(around: Surroundings): Promise<TabKey> {
  const { tab, shelf } = around;
  const known = attempt(() => tab?.getItem(NAME)) ?? undefined;
  if (known !== undefined && shelf !== undefined && (await around.claim(`${NAME}.${known}`))) {
    const kept = await shelf.take(known).catch(() => undefined);
    if (kept !== undefined) return { key: new TerminalKey(kept), kept: true };
  }
  const key = await TerminalKey.generate();
  const id = crypto.randomUUID();
  try {
    await shelf?.put(id, key.kept);
    await around.claim(`${NAME}.${id}`);
    tab?.setItem(NAME, id);
  } catch {
    // Without storage the key lives until the next reload.
  }
  return { key, kept: false };
}

/** Storage, database and locks of this browser. */
export async function browserSurroundings(): Promise<Surroundings> {
  const database = await withinTime(openDatabase()).catch(() => undefined);
  return {
    tab: attempt(() => sessionStorage),
    shelf: database === undefined ? undefined : new DatabaseShelf(database),
    claim,
  };
}

class DatabaseShelf implements Shelf {
  constructor(private readonly database: IDBDatabase) {}

  async take(id: string): Promise<KeptKey | undefined> {
    const keys = this.database.transaction(SHELF, "readwrite").objectStore(SHELF);
    const entry: Entry | undefined = await withinTime(answerOf(keys.get(id)));
    if (entry === undefined) return undefined;
    keys.put({ ...entry, usedAt: Date.now() });
    return { privateKey: entry.privateKey, publicKey: entry.publicKey };
  }

  async put(id: string, key: KeptKey): Promise<void> {
    const keys = this.database.transaction(SHELF, "readwrite").objectStore(SHELF);
    const entry: Entry = { id, usedAt: Date.now(), ...key };
    await withinTime(answerOf(keys.put(entry)));
    const old = IDBKeyRange.upperBound(Date.now() - FORGOTTEN_AFTER_MS);
    const cursor = keys.index("usedAt").openCursor(old);
    cursor.onsuccess = () => {
      cursor.result?.delete();
      cursor.result?.continue();
    };
  }
}

function openDatabase(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(SHELF, { keyPath: "id" }).createIndex("usedAt", "usedAt");
  };
  return answerOf(opening);
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the database refused"));
  });
}

function withinTime<T>(answer: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error("the database does not answer")), ANSWER_MAX_MS),
  );
  return Promise.race([answer, late]);
}

/** Holds the name until the page is gone. Browsers without locks have no duplicated tabs to fear. */
function claim(name: string): Promise<boolean> {
  if (navigator.locks === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(HANDOVER_MAX_MS);
    const hold = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    navigator.locks.request(name, { signal }, hold).catch(() => resolve(false));
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
