// Files of a meeting: attached and read in the name of who is logged in.

import type { Outcome } from "../session/refusal";
import { MeetingFiles } from "./files";
import type { Pass } from "./files";

export { passHeaders, reasonOf } from "./files";
export type { Pass } from "./files";

/** Characters of a file name that the server takes. */
const NAME_MAX = 200;

export class AttachmentStore {
  private readonly files: MeetingFiles;

  constructor(passFor: (meetingId: string) => Pass, send: typeof fetch) {
    this.files = new MeetingFiles(passFor, send);
  }

  async attach(meetingId: string, file: File): Promise<Outcome<void>> {
    const path = `attachments?name=${encodeURIComponent(shortName(file.name))}`;
    const answer = await this.files.request(meetingId, path, {
      method: "POST",
      headers: file.type === "" ? {} : { "content-type": file.type },
      body: file,
    });
    return answer.ok ? { ok: true, value: undefined } : answer;
  }

  read(meetingId: string, attachmentId: string): Promise<Outcome<Blob>> {
    return this.files.read(meetingId, `attachments/${encodeURIComponent(attachmentId)}`);
  }
}

/** A name within the bound that keeps its ending. */
export function shortName(name: string): string {
  const characters = [...name];
  if (characters.length <= NAME_MAX) return name;
  const ending = /\.[^.]{1,16}$/.exec(name)?.[0] ?? "";
  return characters.slice(0, NAME_MAX - ending.length).join("") + ending;
}
