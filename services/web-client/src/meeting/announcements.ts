// What a screen reader is told about what goes on: collected for a while, then one sentence.

import type { Messages } from "../i18n/messages";
import type { Stay } from "../session/stay";
import { cutOffRelay } from "../session/way";
import type { Link } from "../session/way";
import { shownPresence } from "./participant";
import type { Participant } from "./participant";

/** What happens within this time is told together, in ms. */
export const ANNOUNCE_EVERY_MS = 2500;

export interface Movement {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Display names, but for `messages`. */
export interface News extends Movement {
  readonly hands: readonly string[];
  /** Away or offline with the place kept. */
  readonly away: readonly string[];
  readonly back: readonly string[];
  /** Names of relays that can't be reached any more, each once. */
  readonly cutOff: readonly string[];
  /** Names of relays that can be reached again. */
  readonly reachable: readonly string[];
  /** Who began to talk to this person privately. */
  readonly privately: readonly string[];
  /** Who came into the lobby; told to hosts. */
  readonly waiting: readonly string[];
  /** How many messages of others have come. */
  readonly messages: number;
}

/** Display names of those who are in only one of the rosters, oneself not counted. */
export function movementBetween(
  before: ReadonlyMap<number, Participant>,
  after: ReadonlyMap<number, Participant>,
  selfId: number | undefined,
): Movement {
  const missing = (from: typeof before, other: typeof before) =>
    [...from.values()].filter((p) => p.id !== selfId && !other.has(p.id)).map((p) => p.displayName);
  return { joined: missing(after, before), left: missing(before, after) };
}

/** What happened between two moments of the same stay, as far as others did it. */
export function newsBetween(before: Stay, after: Stay): News {
  const then = before.roster.participants;
  const now = after.roster.participants;
  const changed = (is: (participant: Participant) => boolean) =>
    [...now.values()]
      .filter((p) => p.id !== after.selfId && is(p))
      .filter((p) => then.has(p.id) && !is(then.get(p.id) as Participant));
  const became = (is: (participant: Participant) => boolean) =>
    changed(is).map((p) => p.displayName);
  const relaysThat = (are: (participant: Participant) => boolean) => [
    ...new Set(changed(are).map((p) => p.relayName || p.relayId)),
  ];
  const talkers = [...after.talks.incoming.keys()].filter((id) => !before.talks.incoming.has(id));
  const waiting = [...after.roster.lobby.values()].filter(({ id }) => !before.roster.lobby.has(id));
  const last = before.chat.entries.at(-1)?.number ?? before.cursor;
  return {
    ...movementBetween(then, now, after.selfId),
    hands: became(({ handRaised }) => handRaised > 0n),
    away: became((p) => shownPresence(p) !== "online"),
    back: became((p) => shownPresence(p) === "online"),
    cutOff: relaysThat((p) => p.unreachable),
    reachable: relaysThat((p) => !p.unreachable),
    privately: talkers.map((id) => now.get(id)?.displayName ?? "").filter((name) => name !== ""),
    waiting: waiting.map(({ displayName }) => displayName),
    messages: after.chat.entries.filter(({ number, own }) => !own && number > last).length,
  };
}

/** That the relay was cut off from everybody else, and what became of it. */
export function wayNews(t: Messages, before: Link, after: Link): string[] {
  const then = cutOffRelay(before);
  const now = cutOffRelay(after);
  if (then === now) return [];
  if (now !== undefined) return [t.connection.cutOff(now)];
  const same = before.way.relay?.id === after.way.relay?.id;
  if (same && then !== undefined) return [t.said.reachable(then)];
  return after.way.relay === undefined ? [t.connection.straightNow] : [];
}
