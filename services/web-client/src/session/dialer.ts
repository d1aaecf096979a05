// The connection to the core that everything of this page shares: opened when it is needed, one at a
// time.

import type { Beat } from "../app/beat";
import { backoffMs, pause } from "./backoff";
import { Connection } from "./connection";
import { Refused } from "./refusal";
import type { Transport } from "./transport";

/** A form's request is tried so many times when the relay can't be reached. */
const DIALS_MAX = 4;

export class Dialer {
  private connection: Connection | undefined;
  private dialing: Promise<Connection> | undefined;

  constructor(
    private readonly openTransport: () => Transport,
    private readonly connected: (connection: Connection) => void,
    private readonly beat?: Beat,
  ) {}

  /** The open connection, or a new one. Rejects with `ConnectionLost` or `Refused`. */
  dial(): Promise<Connection> {
    if (this.connection?.open) return Promise.resolve(this.connection);
    this.dialing ??= this.open().finally(() => (this.dialing = undefined));
    return this.dialing;
  }

  /** The same for a person who waits: tried some times before it fails. */
  async dialPatiently(signal: AbortSignal): Promise<Connection> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.dial();
      } catch (failure) {
        if (failure instanceof Refused || attempt + 1 >= DIALS_MAX) throw failure;
        await pause(backoffMs(attempt, Math.random()), signal);
      }
    }
  }

  /** Takes the connection off: what comes next starts on a new one. */
  detach(): Connection | undefined {
    const { connection } = this;
    this.connection = undefined;
    return connection;
  }

  private async open(): Promise<Connection> {
    const connection = await Connection.open(this.openTransport(), this.beat);
    this.connection = connection;
    this.connected(connection);
    return connection;
  }
}
