// After entering: join a meeting, or create one.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { meetingHash, meetingIdOf } from "../app/route";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import type { Identity } from "../session/wire";
import { Button } from "../view/Button";
import { Checkbox, TextField } from "../view/fields";
import { Shell } from "../view/Shell";
import { PASSWORD_MAX, ProblemNotice, SUBJECT_MAX } from "./forms";

export function LobbyScreen({ identity }: { identity: Identity }) {
  const t = useMessages();
  const { session } = useServices();
  return (
    <Shell>
      <div class="hero">
        <h1>{t.lobby.welcome(identity.displayName)}</h1>
        <Button kind="text" onClick={() => session.logOut()}>
          {identity.guest ? t.lobby.changeName : t.lobby.logOut}
        </Button>
      </div>
      <div class="card">
        <JoinForm />
      </div>
      {identity.guest ? (
        <p class="hint centred">{t.lobby.guestsOnlyJoin}</p>
      ) : (
        <div class="card">
          <CreateForm />
        </div>
      )}
    </Shell>
  );
}

function JoinForm() {
  const t = useMessages();
  const [input, setInput] = useState("");
  const [wrong, setWrong] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const meetingId = meetingIdOf(input);
    setWrong(meetingId === undefined);
    if (meetingId !== undefined) location.hash = meetingHash(meetingId);
  };
  return (
    <form class="form" aria-label={t.lobby.joinTitle} onSubmit={submit}>
      <h2>{t.lobby.joinTitle}</h2>
      <div class="field-row">
        <TextField
          label={t.lobby.meetingIdOrLink}
          placeholder={t.lobby.meetingIdPlaceholder}
          value={input}
          onInput={(value) => {
            setInput(value);
            setWrong(false);
          }}
          required
          error={wrong ? t.lobby.notAMeeting : undefined}
        />
        <Button kind="primary" type="submit">
          {t.lobby.join}
        </Button>
      </div>
    </form>
  );
}

function CreateForm() {
  const t = useMessages();
  const { session } = useServices();
  const { busy } = useStore(session.state);
  const [subject, setSubject] = useState("");
  const [shared, setShared] = useState(true);
  const [password, setPassword] = useState<string | undefined>(undefined);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (subject.trim() === "") return;
    const meetingId = await session.createMeeting(subject.trim(), password ?? "", shared);
    if (meetingId !== undefined) location.hash = meetingHash(meetingId);
  };
  return (
    <form class="form" aria-label={t.lobby.createTitle} onSubmit={submit}>
      <h2>{t.lobby.createTitle}</h2>
      <TextField
        label={t.lobby.subject}
        placeholder={t.lobby.subjectPlaceholder}
        value={subject}
        onInput={setSubject}
        maxLength={SUBJECT_MAX}
        required
      />
      <Checkbox label={t.lobby.shared} checked={shared} onChange={setShared} />
      {password === undefined ? (
        <Button kind="text" class="at-start" onClick={() => setPassword("")}>
          {t.lobby.addPassword}
        </Button>
      ) : (
        <TextField
          label={t.lobby.meetingPassword}
          type="password"
          autoComplete="new-password"
          value={password}
          onInput={setPassword}
          maxLength={PASSWORD_MAX}
          hint={t.lobby.passwordHint}
        />
      )}
      <ProblemNotice during={["create"]} />
      <Button type="submit" busy={busy === "create"}>
        {busy === "create" ? t.lobby.creating : t.lobby.createMeeting}
      </Button>
    </form>
  );
}
