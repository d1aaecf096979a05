// What belongs to a meeting over HTTP: asked for in the name of who is logged in.

import type { FailureReason, Outcome } from "../session/refusal";

/** Who asks, and by which words outsiders are let in; empty where there are none. */
export interface Pass {
  readonly identityToken: string;
  readonly secret: string;
  readonly password: string;
}

export class MeetingFiles {
  constructor(
    private readonly passFor: (meetingId: string) => Pass,
    private readonly send: typeof fetch,
  ) {}

  /** `path` is below the meeting's own. */
  async read(meetingId: string, path: string): Promise<Outcome<Blob>> {
    const answer = await this.request(meetingId, path, { method: "GET" });
    if (!answer.ok) return answer;
    try {
      return { ok: true, value: await answer.value.blob() };
    } catch {
      return { ok: false, reason: "unreachable" };
    }
  }

  async request(
    meetingId: string,
    path: string,
    options: { method: string; headers?: Record<string, string>; body?: Blob },
  ): Promise<Outcome<Response>> {
    const headers = { ...options.headers, ...passHeaders(this.passFor(meetingId)) };
    const url = `/meetings/${encodeURIComponent(meetingId)}/${path}`;
    try {
      // Nothing is to be kept: what is there may be taken away again.
      const response = await this.send(url, { ...options, headers, cache: "no-store" });
      if (response.ok) return { ok: true, value: response };
      return { ok: false, reason: reasonOf(response.status) };
    } catch {
      return { ok: false, reason: "unreachable" };
    }
  }
}

/** The header fields that say who asks. Field values are ASCII; a password need not be. */
export function passHeaders({ identityToken, secret, password }: Pass): Record<string, string> {
  return {
    authorization: `Bearer ${identityToken}`,
    ...(secret === "" ? {} : { "tributary-share-secret": secret }),
    ...(password === "" ? {} : { "tributary-password": asBytes(password) }),
  };
}

export function reasonOf(status: number): FailureReason {
  switch (status) {
    case 400:
    case 415:
    case 422:
      return "malformed";
    case 401:
      return "expired";
    case 403:
      return "forbidden";
    case 404:
      return "notAdmitted";
    case 410:
      return "meetingEnded";
    case 413:
    case 429:
    case 507:
      return "limit";
    case 502:
    case 503:
    case 504:
      return "tryAgain";
    default:
      return "unspecified";
  }
}

/** UTF-8, one character per byte, as `fetch` wants header values. */
function asBytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
