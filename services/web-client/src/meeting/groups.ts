// The roster as it is shown: one group per relay, the own one first; in it oneself first, the
// others in the order they came.

import type { Participant } from "./participant";

/** So many faces make a group's picture. */
const FACES_MAX = 4;

export interface Group {
  readonly relayId: string;
  readonly name: string;
  readonly own: boolean;
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
  const order = (p: Participant) => (p.id === selfId ? -1 : p.id);
  const groups = [...byRelay].map(([relayId, members]): Group => {
    const sorted = members.sort((a, b) => order(a) - order(b));
    const name = sorted.find((p) => p.relayName !== "")?.relayName ?? relayId;
    const own = sorted[0]?.id === selfId;
    return { relayId, name, own, participants: sorted, picture: pictureOf(sorted) };
  });
  const names = new Intl.Collator(language, { numeric: true });
  return groups.sort(
    (a, b) => Number(b.own) - Number(a.own) || names.compare(a.name, b.name) || compareIds(a, b),
  );
}

function compareIds(a: Group, b: Group): number {
  return a.relayId < b.relayId ? -1 : 1;
}

function pictureOf(sorted: readonly Participant[]): Participant[] {
  const there = sorted.filter(({ presence }) => presence !== "offline");
  const others = sorted.filter(({ presence }) => presence === "offline");
  return [...there, ...others].slice(0, FACES_MAX);
}
