// Creates a meeting: a subject is enough; time, password and people are asked for on request.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { fromField, latestStart, nextFullHour, toField } from "../app/time";
import { useMessages } from "../i18n/context";
import { ChosenForMeeting } from "../members/Chosen";
import type { Invited } from "../members/people";
import { PeoplePicker } from "../members/PeoplePicker";
import { Button } from "../view/Button";
import { Checkbox, TextField } from "../view/fields";
import { PASSWORD_MAX, ProblemNotice, SUBJECT_MAX } from "./forms";

/** A time in the past by less than this is now, in ms. */
const JUST_NOW_MS = 60_000;

export function CreateForm() {
  const t = useMessages();
  const { session, desk, navigation } = useServices();
  const { busy } = useStore(session.state);
  const [subject, setSubject] = useState("");
  const [startsAt, setStartsAt] = useState<string | undefined>(undefined);
  const [wrongTime, setWrongTime] = useState(false);
  const [invited, setInvited] = useState<readonly Invited[] | undefined>(undefined);
  const [shared, setShared] = useState(true);
  const [lobby, setLobby] = useState(false);
  const [password, setPassword] = useState<string | undefined>(undefined);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (subject.trim() === "") return;
    const time = startOf(startsAt, Date.now());
    setWrongTime(time === undefined);
    if (time === undefined) return;
    const meetingId = await desk.create({
      subject: subject.trim(),
      password: password ?? "",
      startsAtMs: time === "now" ? undefined : time,
      invited: invited ?? [],
      shared,
      lobby,
    });
    if (meetingId !== undefined) navigation.toMeeting(meetingId);
  };
  return (
    <form class="form" aria-label={t.create.title} noValidate onSubmit={submit}>
      <h2>{t.create.title}</h2>
      <TextField
        label={t.create.subject}
        placeholder={t.create.subjectPlaceholder}
        value={subject}
        onInput={setSubject}
        maxLength={SUBJECT_MAX}
        required
      />
      {startsAt !== undefined && (
        <TextField
          label={t.create.startsAt}
          type="datetime-local"
          value={startsAt}
          onInput={(value) => {
            setStartsAt(value);
            setWrongTime(false);
          }}
          min={toField(Date.now())}
          max={toField(latestStart(Date.now()))}
          error={wrongTime ? t.create.wrongTime : undefined}
        />
      )}
      {invited !== undefined && <Invite invited={invited} onChange={setInvited} />}
      {password !== undefined && (
        <TextField
          label={t.create.meetingPassword}
          type="password"
          autoComplete="new-password"
          value={password}
          onInput={setPassword}
          maxLength={PASSWORD_MAX}
          hint={t.create.passwordHint}
        />
      )}
      <div class="options">
        <Button
          kind="text"
          onClick={() =>
            setStartsAt(startsAt === undefined ? toField(nextFullHour(Date.now())) : undefined)
          }
        >
          {startsAt === undefined ? t.create.schedule : t.create.startNow}
        </Button>
        {invited === undefined && (
          <Button kind="text" onClick={() => setInvited([])}>
            {t.create.invite}
          </Button>
        )}
        <Button kind="text" onClick={() => setPassword(password === undefined ? "" : undefined)}>
          {password === undefined ? t.create.addPassword : t.create.noPassword}
        </Button>
      </div>
      <Checkbox
        label={t.create.shared}
        hint={t.create.sharedHint}
        checked={shared}
        onChange={setShared}
      />
      <Checkbox
        label={t.hosting.lobby}
        hint={t.hosting.lobbyHint}
        checked={lobby}
        onChange={setLobby}
      />
      <ProblemNotice during={["create"]} />
      <Button type="submit" busy={busy === "create"} disabled={subject.trim() === ""}>
        {busy === "create" ? t.create.creating : t.create.createMeeting}
      </Button>
    </form>
  );
}

function Invite(props: { invited: readonly Invited[]; onChange: (invited: Invited[]) => void }) {
  const t = useMessages();
  const { session } = useServices();
  const { identity } = useStore(session.state);
  const { invited, onChange } = props;
  const excluded = [identity?.userId ?? "", ...invited.map(({ userId }) => userId)];
  return (
    <>
      <PeoplePicker
        label={t.people.search}
        exclude={new Set(excluded)}
        onChoose={(user) => onChange([...invited, { ...user, host: false }])}
      />
      <ChosenForMeeting people={invited} onChange={onChange} />
    </>
  );
}

/** When the meeting is to begin; undefined if what was entered can't be a time for it. */
export function startOf(field: string | undefined, nowMs: number): number | "now" | undefined {
  if (field === undefined) return "now";
  const ms = fromField(field);
  if (ms === undefined || ms < nowMs - JUST_NOW_MS || ms > latestStart(nowMs)) return undefined;
  return ms <= nowMs ? "now" : ms;
}
