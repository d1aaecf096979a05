// From the relay's messages to the words of this client: who is logged in, and the meeting. Beside
// the `wire-*` files nothing reads generated types.

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type * as credential from "../gen/tributary/credential/v1/credential_pb";
import type * as registry from "../gen/tributary/registry/v1/registry_pb";
import { clockOffsetOf } from "./identity";

export interface Identity {
  readonly token: string;
  readonly userId: string;
  readonly displayName: string;
  readonly guest: boolean;
  /** When it was received: Unix time in ms by this terminal's clock. */
  readonly obtainedAtMs: number;
  /** End of its life: Unix time in ms by this terminal's clock. */
  readonly expiresAtMs: number;
  /** How far the server's clock is ahead of this terminal's, in ms. */
  readonly clockOffsetMs: number;
}

export interface Meeting {
  readonly id: string;
  /** Which owns it; empty if it is not known. */
  readonly organisation: string;
  readonly subject: string;
  readonly organiserUserId: string;
  /** Empty if it is not known. */
  readonly organiserName: string;
  readonly hasPassword: boolean;
  /** Outsiders wait until somebody lets them in. */
  readonly lobby: boolean;
  /** Unix time in ms; undefined if it is not scheduled. */
  readonly startsAtMs: number | undefined;
  /** Unix time in ms; undefined while it is not over. */
  readonly endedAtMs: number | undefined;
}

export interface LogInOptions {
  readonly guests: boolean;
  readonly providers: readonly { readonly id: string; readonly name: string }[];
}

/** `nowMs` is this terminal's clock at the arrival of the message. */
export function identityOf(message: credential.Identity, nowMs: number): Identity {
  const clockOffsetMs = clockOffsetOf(message.identityToken, nowMs);
  return {
    token: message.identityToken,
    userId: message.userId,
    displayName: message.displayName,
    guest: message.guest,
    obtainedAtMs: nowMs,
    expiresAtMs: timeOf(message.expiresAt) - clockOffsetMs,
    clockOffsetMs,
  };
}

export function logInOptionsOf(message: credential.GetLogInOptionsResponse): LogInOptions {
  const providers = message.oidcProviders.map(({ providerId, name }) => ({
    id: providerId,
    name: name || providerId,
  }));
  return { guests: message.guests, providers };
}

export function meetingOf(message: registry.Meeting | undefined, meetingId: string): Meeting {
  return {
    id: message?.meetingId || meetingId,
    organisation: message?.organisation ?? "",
    subject: message?.subject ?? "",
    organiserUserId: message?.organiserUserId ?? "",
    organiserName: message?.organiserDisplayName ?? "",
    hasPassword: message?.hasPassword ?? false,
    lobby: message?.lobby ?? false,
    startsAtMs: optionalTimeOf(message?.startsAt),
    endedAtMs: optionalTimeOf(message?.endedAt),
  };
}

/** Unix time in ms; without a time, for ever. */
export function timeOf(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? Number.POSITIVE_INFINITY : timestampMs(timestamp);
}

export function optionalTimeOf(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : timestampMs(timestamp);
}
