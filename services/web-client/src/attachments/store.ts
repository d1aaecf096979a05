// Files of a meeting over HTTP: attached and read in the name of who is logged in.

import type { FailureReason, Outcome } from "../session/refusal";

/** Who asks, and by which words outsiders are let in; empty where there are none. */
export interface Pass {
  readonly identityToken: string;
  readonly secret: string;
  readonly password: string;
}

/** Characters of a file name that the server takes. */
const NAME_MAX = 200;

export class AttachmentStore {
  constructor(
    private readonly passFor: (meetingId: string) => Pass,
    private readonly send: typeof fetch,
  ) {}

  async attach(meetingId: string, file: File): Promise<Outcome<void>> {
    const path = `${folder(meetingId)}?name=${encodeURIComponent(shortName(file.name))}`;
    const answer = await this.request(meetingId, path, {
      method: "POST",
      headers: file.type === "" ? {} : { "content-type": file.type },
      body: file,
    });
    return answer.ok ? { ok: true, value: undefined } : answer;
  }

  async read(meetingId: string, attachmentId: string): Promise<Outcome<Blob>> {
    const path = `${folder(meetingId)}/${encodeURIComponent(attachmentId)}`;
    const answer = await this.request(meetingId, path, { method: "GET" });
    if (!answer.ok) return answer;
    try {
      return { ok: true, value: await answer.value.blob() };
    } catch {
      return { ok: false, reason: "unreachable" };
    }
  }

  private async request(
    meetingId: string,
    path: string,
    options: { method: string; headers?: Record<string, string>; body?: Blob },
  ): Promise<Outcome<Response>> {
    const headers = { ...options.headers, ...passHeaders(this.passFor(meetingId)) };
    try {
      // Nothing is to be kept: what is attached may be taken away again.
      const response = await this.send(path, { ...options, headers, cache: "no-store" });
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

/** A name within the bound that keeps its ending. */
export function shortName(name: string): string {
  const characters = [...name];
  if (characters.length <= NAME_MAX) return name;
  const ending = /\.[^.]{1,16}$/.exec(name)?.[0] ?? "";
  return characters.slice(0, NAME_MAX - ending.length).join("") + ending;
}

function folder(meetingId: string): string {
  return `/meetings/${encodeURIComponent(meetingId)}/attachments`;
}

/** UTF-8, one character per byte, as `fetch` wants header values. */
function asBytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
