// The ways in: with a name as a guest, with an account here, with one at another site.

import { useEffect, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { savePreferences } from "../app/preferences";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { problemText } from "../i18n/problem";
import { goAway, redirectUri } from "../app/oidc";
import type { Activity } from "../session/state";
import type { LogInOptions } from "../session/wire";
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

/** What is shown until it is known how one can log in, if that takes longer than this, in ms. */
const USUAL: LogInOptions = { guests: true, providers: [] };
const USUAL_AFTER_MS = 1000;

/** How one can log in; undefined for a moment while it is asked for. */
export function useLogInOptions(): LogInOptions | undefined {
  const { session } = useServices();
  const { identity, logInOptions } = useStore(session.state);
  const [late, setLate] = useState(false);
  const needed = identity === undefined;
  useEffect(() => {
    if (!needed) return undefined;
    void session.loadLogInOptions();
    const timer = setTimeout(() => setLate(true), USUAL_AFTER_MS);
    return () => clearTimeout(timer);
  }, [needed, session]);
  return logInOptions ?? (late ? USUAL : undefined);
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

/** Log-in with an account: here, or at the sites that the organisation trusts. */
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
      <ProblemNotice during={["logIn", "oidc"]} />
      <Button type="submit" busy={busy === "logIn"}>
        {busy === "logIn" ? t.start.loggingIn : t.start.logIn}
      </Button>
      <Providers />
    </form>
  );
}

function Providers() {
  const t = useMessages();
  const { session } = useServices();
  const { busy, logInOptions } = useStore(session.state);
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const providers = logInOptions?.providers ?? [];
  const begin = async (providerId: string) => {
    setChosen(providerId);
    const begun = await session.beginOidcLogIn(providerId, redirectUri(location.href));
    if (begun === undefined) return;
    try {
      goAway({ state: begun.state, hash: location.hash }, sessionStorage);
    } catch {
      // Without storage the way back could not be recognised.
      return session.oidcFailed();
    }
    location.assign(begun.url);
  };
  if (providers.length === 0) return null;
  return (
    <div class="providers">
      {providers.map(({ id, name }) => (
        <Button
          key={id}
          busy={busy === "oidc" && (chosen === undefined || chosen === id)}
          onClick={() => void begin(id)}
        >
          {t.start.logInWith(name)}
        </Button>
      ))}
    </div>
  );
}
