// How the page is connected to its meetings, as it is told to whoever looks at it.

/** A relay in this terminal's own network. */
export interface Relay {
  readonly id: string;
  /** Empty if it is not known. */
  readonly name: string;
}

export interface Way {
  /** The relay that everything of the meetings goes through; undefined: the core itself. */
  readonly relay: Relay | undefined;
  /** The relay that was to be used, and could not be. */
  readonly missed: Relay | undefined;
}

/** To the core, and nothing else was wished. */
export const STRAIGHT: Way = { relay: undefined, missed: undefined };
