// The two ways in: with a name as a guest, with an account.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { savePreferences } from "../app/preferences";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { problemText } from "../i18n/problem";
import type { Activity } from "../session/state";
import { Button } from "../view/Button";
import { Notice, TextField } from "../view/fields";

/** Characters in a display name, a user name and a subject, as the relay accepts them. */
export const NAME_MAX = 64;
export const SUBJECT_MAX = 200;
export const PASSWORD_MAX = 128;

/** The text of the current problem, if it arose during one of these activities. */
export function useProblem(...during: Activity[]): string | undefined {
  const t = useMessages();
  const { session } = useServices();
  const { problem } = useStore(session.state);
  return problem !== undefined && during.includes(problem.during)
    ? problemText(t, problem)
    : undefined;
}

export function ProblemNotice(props: { during: Activity[] }) {
  const text = useProblem(...props.during);
  return text === undefined ? null : <Notice tone="error">{text}</Notice>;
}

export function GuestForm(props: { initialName: string }) {
  const t = useMessages();
  const { session } = useServices();
  const { busy } = useStore(session.state);
  const [name, setName] = useState(props.initialName);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return;
    savePreferences({ name: name.trim() });
    await session.enterAsGuest(name.trim());
  };
  return (
    <form class="form" aria-label={t.start.guestTitle} onSubmit={submit}>
      <h2>{t.start.guestTitle}</h2>
      <TextField
        label={t.start.yourName}
        value={name}
        onInput={setName}
        name="name"
        autoComplete="name"
        maxLength={NAME_MAX}
        required
        hint={t.start.guestHint}
      />
      <ProblemNotice during={["guest"]} />
      <Button kind="primary" type="submit" busy={busy === "guest"}>
        {t.start.enterAsGuest}
      </Button>
    </form>
  );
}

export function LogInForm() {
  const t = useMessages();
  const { session } = useServices();
  const { busy } = useStore(session.state);
  const [userName, setUserName] = useState("");
  const [password, setPassword] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await session.logIn(userName.trim(), password))) setPassword("");
  };
  return (
    <form class="form" aria-label={t.start.logInTitle} onSubmit={submit}>
      <h2>{t.start.logInTitle}</h2>
      <TextField
        label={t.start.userName}
        value={userName}
        onInput={setUserName}
        name="username"
        autoComplete="username"
        maxLength={NAME_MAX}
        required
      />
      <TextField
        label={t.start.password}
        type="password"
        value={password}
        onInput={setPassword}
        name="password"
        autoComplete="current-password"
        required
      />
      <ProblemNotice during={["logIn"]} />
      <Button type="submit" busy={busy === "logIn"}>
        {busy === "logIn" ? t.start.loggingIn : t.start.logIn}
      </Button>
    </form>
  );
}
