// How the page is connected to its meetings, as it is told to whoever looks at it.

/** A relay in this terminal's own network. */
export interface Relay {
  readonly id: string;
  /** Empty if it is not known. */
  readonly name: string;
}

/** A relay that was to be used, and is not. */
export interface Missed extends Relay {
  /** It was left because it was cut off from everybody else; else it could not be reached. */
  readonly wasCutOff?: true;
}

export interface Way {
  /** The relay that everything of the meetings goes through; undefined: the core itself. */
  readonly relay: Relay | undefined;
  /** The relay that was to be used, and is not. */
  readonly missed: Missed | undefined;
  /** The relay's own way to everybody who is not behind it is lost. */
  readonly cutOff: boolean;
}

/** The way, and the core at its end. */
export interface Link {
  readonly way: Way;
  /** Undefined as long as it is not known. */
  readonly coreName: string | undefined;
}

/** To the core, and nothing else was wished. */
export const STRAIGHT: Way = { relay: undefined, missed: undefined, cutOff: false };

/** Name of the relay that is cut off from everybody who is not behind it, if this terminal is behind one. */
export function cutOffRelay({ way, coreName = "" }: Link): string | undefined {
  if (!way.cutOff) return undefined;
  return way.relay === undefined ? coreName : way.relay.name || way.relay.id;
}
