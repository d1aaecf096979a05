// Subject, time, lobby and password of a meeting, for those who may change them.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { fromField, latestStart, toField } from "../app/time";
import { useTranslation } from "../i18n/context";
import { failureText } from "../i18n/problem";
import type { Change } from "../session/desk";
import type { Meeting } from "../session/wire";
import type { MeetingDetails } from "../session/wire-details";
import { PASSWORD_MAX, SUBJECT_MAX } from "../start/forms";
import { Button } from "../view/Button";
import { Checkbox, Notice, TextField } from "../view/fields";

type Told = { tone: "info" | "error"; text: string };

export function DetailsPanel({ details }: { details: MeetingDetails }) {
  const { t } = useTranslation();
  const { session, desk } = useServices();
  const { meeting } = details;
  const [subject, setSubject] = useState(meeting.subject);
  const [startsAt, setStartsAt] = useState(fieldOf(meeting.startsAtMs));
  const [lobby, setLobby] = useState(meeting.lobby);
  const [password, setPassword] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<Told | undefined>(undefined);
  const ahead = meeting.startsAtMs !== undefined && meeting.startsAtMs > Date.now();
  const submit = async (event: Event) => {
    event.preventDefault();
    const change = changeOf(meeting, {
      subject: subject.trim(),
      startsAt,
      lobby,
      password,
    });
    if (change === undefined) return setTold({ tone: "error", text: t.create.wrongTime });
    setBusy(true);
    setTold(undefined);
    const answer = await desk.update(meeting.id, change);
    setBusy(false);
    if (!answer.ok) {
      return setTold({ tone: "error", text: failureText(t, "other", answer.reason) });
    }
    setPassword(undefined);
    setTold({ tone: "info", text: t.details.saved });
    await session.readMeeting(meeting.id);
  };
  return (
    <form class="form" noValidate onSubmit={submit}>
      <TextField
        label={t.create.subject}
        value={subject}
        onInput={setSubject}
        maxLength={SUBJECT_MAX}
        required
      />
      {ahead && (
        <TextField
          label={t.create.startsAt}
          type="datetime-local"
          value={startsAt}
          onInput={setStartsAt}
          min={toField(Date.now())}
          max={toField(latestStart(Date.now()))}
        />
      )}
      <Checkbox
        label={t.hosting.lobby}
        hint={t.hosting.lobbyHint}
        checked={lobby}
        onChange={setLobby}
      />
      {password === undefined ? (
        <Button kind="text" class="at-start" onClick={() => setPassword("")}>
          {meeting.hasPassword ? t.details.changePassword : t.create.addPassword}
        </Button>
      ) : (
        <TextField
          label={t.details.newPassword}
          type="password"
          autoComplete="new-password"
          value={password}
          onInput={setPassword}
          maxLength={PASSWORD_MAX}
          hint={meeting.hasPassword ? t.details.newPasswordHint : t.create.passwordHint}
        />
      )}
      {told !== undefined && <Notice tone={told.tone}>{told.text}</Notice>}
      <Button type="submit" busy={busy} disabled={subject.trim() === ""}>
        {busy ? t.details.saving : t.details.save}
      </Button>
    </form>
  );
}

interface Typed {
  subject: string;
  startsAt: string;
  lobby: boolean;
  password: string | undefined;
}

/** Only what differs; undefined if the time can't be one. */
export function changeOf(meeting: Meeting, typed: Typed): Change | undefined {
  const moved = typed.startsAt !== fieldOf(meeting.startsAtMs);
  const startsAtMs = moved ? fromField(typed.startsAt) : undefined;
  const now = Date.now();
  const wrong = startsAtMs === undefined || startsAtMs < now || startsAtMs > latestStart(now);
  if (moved && wrong) return undefined;
  return {
    subject: typed.subject === meeting.subject ? undefined : typed.subject,
    startsAtMs,
    lobby: typed.lobby === meeting.lobby ? undefined : typed.lobby,
    password: typed.password,
  };
}

function fieldOf(startsAtMs: number | undefined): string {
  return startsAtMs === undefined ? "" : toField(startsAtMs);
}
