// One user in one meeting through one terminal.

export type Presence = "online" | "away" | "offline";

/** Why somebody is offline with the place kept. */
export type OfflineReason = "otherMeeting" | "interrupted";

export interface Participant {
  readonly id: number;
  readonly userId: string;
  readonly displayName: string;
  readonly guest: boolean;
  readonly relayId: string;
  readonly relayName: string;
  /** How many relays lie between the core and its own one, that one included: 0 behind the core. */
  readonly relayDepth: number;
  /** The names of those relays, from the core on, its own one last; empty: none, or not known. */
  readonly relayPath: readonly string[];
  /** The participant that the relay itself is: a room's device. */
  readonly relayItself: boolean;
  /** Its relay can't be reached: it is shown as away, whatever it has chosen. */
  readonly unreachable: boolean;
  readonly muted: boolean;
  readonly presence: Presence;
  /** Undefined unless offline for a known reason. */
  readonly offlineReason: OfflineReason | undefined;
  /** Number of the event by which the hand was raised, 0 while it is down: lower ones were first. */
  readonly handRaised: bigint;
  /** Unix time in ms; undefined: has not checked in. */
  readonly checkedInAtMs: number | undefined;
  /** May use the host's operations. */
  readonly host: boolean;
  /** In the lobby: hears and sees nothing until a host lets them in. */
  readonly waiting: boolean;
}

/** As others see it: who is cut off is not there for now. */
export function shownPresence({ presence, unreachable }: Participant): Presence {
  return unreachable && presence === "online" ? "away" : presence;
}
