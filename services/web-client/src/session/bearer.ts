// Asking in the name of who is logged in, and what to do when that is not accepted any more: the
// identity is refreshed by its key, a guest is made anew, and an account's owner is asked to log in.

import type { Connection } from "./connection";
import type { TerminalKey } from "./key";
import { ConnectionLost, outcomeOf } from "./refusal";
import type { Outcome } from "./refusal";
import type { SessionAction, SessionState } from "./state";
import { identityOf } from "./wire";
import type { Identity } from "./wire";

export interface Surroundings {
  readonly state: () => SessionState;
  readonly dispatch: (action: SessionAction) => void;
  readonly dial: () => Promise<Connection>;
  /** One request, with some patience for a relay that can't be reached. */
  readonly patiently: <T>(request: (connection: Connection) => Promise<T>) => Promise<Outcome<T>>;
  readonly key: () => Promise<TerminalKey>;
  /** Takes a newer identity of the same person. */
  readonly entered: (identity: Identity) => void;
}

export class Bearer {
  private refreshing: Promise<boolean> | undefined;

  constructor(private readonly around: Surroundings) {}

  /** One request; `again` allows repeating it when the connection is lost before the answer. */
  async ask<T>(
    again: boolean,
    request: (connection: Connection, identityToken: string) => Promise<T>,
  ): Promise<Outcome<T>> {
    for (let last = false; ; last = true) {
      const token = this.around.state().identity?.token ?? "";
      const answer = await this.around.patiently((connection) => request(connection, token));
      if (answer.ok) return answer;
      if (answer.reason === "notLoggedIn") {
        const renewed = await this.refused(token);
        if (last || !renewed) return { ok: false, reason: "expired" };
      } else if (last || answer.reason !== "unreachable" || !again) {
        return answer;
      }
    }
  }

  /**
   * The relay did not accept this identity token. True if there is another one now; an account's
   * owner has to log in again, but is not thrown out of a meeting for that.
   */
  async refused(token: string): Promise<boolean> {
    const { identity, place } = this.around.state();
    if (identity === undefined) return false;
    if (identity.token !== token) return true;
    if (identity.guest) {
      const renewed = await this.renewGuest();
      if (renewed !== undefined) return renewed.token !== token;
    }
    if (place.kind === "outside" || place.kind === "over") {
      const problem = { during: "logIn", reason: "expired" } as const;
      this.around.dispatch({ kind: "identityGone", problem });
    }
    return false;
  }

  /** The guest again, under the same name. */
  async renewGuest(): Promise<Identity | undefined> {
    const { identity } = this.around.state();
    if (identity === undefined || !identity.guest) return undefined;
    try {
      const connection = await this.around.dial();
      const { displayName } = identity;
      const { publicKey } = await this.around.key();
      const answer = await connection.request("enterAsGuest", { displayName, publicKey });
      const renewed = identityOf(answer, Date.now());
      this.around.entered(renewed);
      return renewed;
    } catch (failure) {
      // A lost connection says nothing about the identity: it is tried again with the old one.
      return failure instanceof ConnectionLost ? identity : undefined;
    }
  }

  /** True if there is a newer identity afterwards. */
  refresh(): Promise<boolean> {
    this.refreshing ??= this.refreshOnce().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  private async refreshOnce(): Promise<boolean> {
    const { identity } = this.around.state();
    if (identity === undefined) return false;
    const { token, clockOffsetMs } = identity;
    const answer = await outcomeOf(async () => {
      const key = await this.around.key();
      const connection = await this.around.dial();
      // The proof is dated by the server's clock, which this terminal's may be far from.
      const signedAt = BigInt(Math.floor((Date.now() + clockOffsetMs) / 1000));
      const proof = await key.proveRefresh(signedAt, token);
      const { publicKey } = key;
      return connection.request("refreshIdentity", {
        identityToken: token,
        publicKey,
        signedAt,
        proof,
      });
    });
    // Somebody may have logged out in the meantime.
    if (this.around.state().identity !== identity) return false;
    if (!answer.ok) return answer.reason === "notLoggedIn" && this.refused(token);
    this.around.entered(identityOf(answer.value, Date.now()));
    return true;
  }
}
