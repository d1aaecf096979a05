// The files of a meeting: read them, and for members add and delete.

import { useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { timeText } from "../app/time";
import { useMessages, useTranslation } from "../i18n/context";
import { failureText } from "../i18n/problem";
import { mayManage } from "../members/people";
import { useNames } from "../members/useNames";
import type { FailureReason } from "../session/refusal";
import type { MeetingDetails } from "../session/wire-details";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { FileIcon } from "../view/icons";
import { saveFile } from "../view/download";
import { sizeText } from "./attachment";
import type { Attachment } from "./attachment";

type Told = { tone: "info" | "error"; text: string };

/** What is done with files, and what there is to say about it. */
function useFiles(meetingId: string) {
  const t = useMessages();
  const { session, desk, attachments } = useServices();
  const [busy, setBusy] = useState<string | undefined>(undefined);
  const [told, setTold] = useState<Told | undefined>(undefined);
  const fail = (name: string, reason: FailureReason, adding = false) => {
    const why = failureText(t, "other", reason);
    const text =
      reason === "limit" && adding
        ? t.files.tooLarge(name)
        : reason === "notAdmitted" && !adding
          ? t.files.gone(name)
          : t.files.failed(name, why);
    setTold({ tone: "error", text });
  };
  const add = async (files: readonly File[]) => {
    for (const file of files) {
      setBusy(t.files.adding(file.name));
      setTold(undefined);
      const answer = await attachments.attach(meetingId, file);
      if (!answer.ok) {
        fail(file.name, answer.reason, true);
        break;
      }
      setTold({ tone: "info", text: t.files.added(file.name) });
    }
    await session.readMeeting(meetingId);
    setBusy(undefined);
  };
  const download = async ({ id, fileName }: Attachment) => {
    setTold(undefined);
    const answer = await attachments.read(meetingId, id);
    if (answer.ok) saveFile(answer.value, fileName);
    else fail(fileName, answer.reason);
  };
  const remove = async ({ id, fileName }: Attachment) => {
    setTold(undefined);
    const answer = await desk.deleteAttachment(meetingId, id);
    if (!answer.ok) return fail(fileName, answer.reason);
    setTold({ tone: "info", text: t.files.deleted(fileName) });
    await session.readMeeting(meetingId);
  };
  return { busy, told, add, download, remove };
}

export function FilesPanel({ details }: { details: MeetingDetails }) {
  const { t } = useTranslation();
  const { session } = useServices();
  const { identity } = useStore(session.state);
  const { meeting, role, attachments } = details;
  const { busy, told, add, download, remove } = useFiles(meeting.id);
  const mayAdd = role !== "outsider" && meeting.endedAtMs === undefined;
  return (
    <>
      {mayAdd && <p class="hint">{t.files.hint}</p>}
      {attachments.length === 0 ? (
        <p class="empty">{mayAdd ? t.files.noneToAdd : t.files.none}</p>
      ) : (
        <ul class="rows" aria-label={t.files.list}>
          {attachments.map((file) => (
            <FileRow
              key={file.id}
              file={file}
              deletable={mayManage(role) || file.attachedBy === identity?.userId}
              onDownload={() => void download(file)}
              onDelete={() => void remove(file)}
            />
          ))}
        </ul>
      )}
      {told !== undefined && <Notice tone={told.tone}>{told.text}</Notice>}
      {mayAdd && <AddFiles busy={busy} onAdd={(files) => void add(files)} />}
      {role === "outsider" && (
        <Button kind="text" class="at-start" onClick={() => void session.readMeeting(meeting.id)}>
          {t.files.reload}
        </Button>
      )}
    </>
  );
}

function AddFiles({ busy, onAdd }: { busy: string | undefined; onAdd: (files: File[]) => void }) {
  const t = useMessages().files;
  const input = useRef<HTMLInputElement>(null);
  const chosen = () => {
    const files = [...(input.current?.files ?? [])];
    // The same file can be chosen again after a failure.
    if (input.current !== null) input.current.value = "";
    if (files.length > 0) onAdd(files);
  };
  return (
    <>
      <input ref={input} type="file" multiple hidden aria-label={t.add} onChange={chosen} />
      <Button busy={busy !== undefined} onClick={() => input.current?.click()}>
        {busy ?? t.add}
      </Button>
    </>
  );
}

function FileRow(props: {
  file: Attachment;
  deletable: boolean;
  onDownload: () => void;
  onDelete: () => void;
}) {
  const { t, language } = useTranslation();
  const { names } = useServices();
  const { file } = props;
  const nameOf = useNames([file.attachedBy]);
  const known = names.names.get().has(file.attachedBy);
  const facts = [
    sizeText(file.size, language),
    timeText(file.attachedAtMs, Date.now(), language),
    ...(known ? [t.files.by(nameOf(file.attachedBy))] : []),
  ];
  return (
    <li class="row">
      <FileIcon />
      <span class="row-text">
        <span class="row-name">{file.fileName}</span>
        <span class="hint">{facts.join(" · ")}</span>
      </span>
      <span class="row-actions">
        <Button kind="text" label={t.files.downloadNamed(file.fileName)} onClick={props.onDownload}>
          {t.files.download}
        </Button>
        {props.deletable && (
          <Button kind="text" label={t.files.deleteNamed(file.fileName)} onClick={props.onDelete}>
            {t.files.delete}
          </Button>
        )}
      </span>
    </li>
  );
}
