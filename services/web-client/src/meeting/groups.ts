// The roster as it is shown: one group per relay, the own one first, then those nearest to it, and any
// relay's group beside those of the relays behind it; in a group the relay's own participant as its
// head, then oneself, then the others in the order they came.

import { shownPresence } from "./participant";
import type { Participant } from "./participant";

/** So many faces make a group's picture. */
const FACES_MAX = 4;

export interface Group {
  readonly relayId: string;
  readonly name: string;
  /** The names of the relays from the core on, `name` last; `name` alone if no others are known. */
  readonly path: readonly string[];
  readonly own: boolean;
  /** How many relays lie between the core and this one, this one included: 0 for a core relay. */
  readonly depth: number;
  /** The participant that the relay itself is, such as a room's device; among `participants` too. */
  readonly device: Participant | undefined;
  /** The relay can't be reached: whoever is behind it is cut off. */
  readonly unreachable: boolean;
  readonly participants: readonly Participant[];
  /** The faces of the group's picture: those who are there before those who are not. */
  readonly picture: readonly Participant[];
}

export function groupsOf(
  participants: Iterable<Participant>,
  selfId: number | undefined,
  language: string,
): Group[] {
  const byRelay = new Map<string, Participant[]>();
  for (const participant of participants) {
    const group = byRelay.get(participant.relayId);
    if (group === undefined) byRelay.set(participant.relayId, [participant]);
    else group.push(participant);
  }
  const order = (p: Participant) => (p.relayItself ? -2 : p.id === selfId ? -1 : p.id);
  const groups = [...byRelay].map(([relayId, members]): Group => {
    const sorted = members.sort((a, b) => order(a) - order(b));
    const name = sorted.find((p) => p.relayName !== "")?.relayName ?? relayId;
    const depth = Math.max(...sorted.map(({ relayDepth }) => relayDepth));
    const known = sorted.find(({ relayPath }) => relayPath.length === depth);
    return {
      relayId,
      name,
      path: [...(known?.relayPath.slice(0, -1) ?? []), name],
      own: sorted.some(({ id }) => id === selfId),
      depth,
      device: sorted.find(({ relayItself }) => relayItself),
      unreachable: sorted.every(({ unreachable }) => unreachable),
      participants: sorted,
      picture: pictureOf(sorted),
    };
  });
  const names = new Intl.Collator(language, { numeric: true });
  const ownPath = groups.find(({ own }) => own)?.path ?? [];
  return groups.sort(
    (a, b) =>
      Number(b.own) - Number(a.own) ||
      shared(ownPath, b.path) - shared(ownPath, a.path) ||
      comparePaths(names, a.path, b.path) ||
      compareTexts(a.relayId, b.relayId),
  );
}

/** A path as it is seen. */
export function pathText(path: readonly string[]): string {
  return path.join(" › ");
}

/** On how many levels two paths are the same. */
function shared(one: readonly string[], other: readonly string[]): number {
  const parts = one.findIndex((name, level) => name !== other[level]);
  return parts === -1 ? one.length : parts;
}

/** A relay comes before those behind it, and these before the next relay of its level. */
function comparePaths(
  names: Intl.Collator,
  one: readonly string[],
  other: readonly string[],
): number {
  const level = shared(one, other);
  const [mine, theirs] = [one[level], other[level]];
  if (mine === undefined || theirs === undefined) return one.length - other.length;
  return names.compare(mine, theirs) || compareTexts(mine, theirs);
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : 1;
}

/** Of people; of the device only if nobody else is there. */
function pictureOf(sorted: readonly Participant[]): Participant[] {
  const people = sorted.filter(({ relayItself }) => !relayItself);
  const there = people.filter((p) => shownPresence(p) !== "offline");
  const others = people.filter((p) => shownPresence(p) === "offline");
  return people.length === 0
    ? sorted.slice(0, FACES_MAX)
    : [...there, ...others].slice(0, FACES_MAX);
}
