// Before a meeting: name, microphone, muted or not. For somebody who has a link this is the first
// screen, and entering as a guest is part of joining.

import { useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { savePreferences } from "../app/preferences";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { AudioSettings } from "../media/AudioSettings";
import type { Identity } from "../session/wire";
import { Button } from "../view/Button";
import { Checkbox, TextField } from "../view/fields";
import { Shell } from "../view/Shell";
import { LogInForm, NAME_MAX, PASSWORD_MAX, ProblemNotice } from "./forms";

interface Props {
  meetingId: string;
  initialName: string;
}

export function PreJoinScreen({ meetingId, initialName }: Props) {
  const t = useMessages();
  const { session, microphone } = useServices();
  const { identity, place, problem } = useStore(session.state);
  const [withAccount, setWithAccount] = useState(problem?.reason === "expired");
  // Whoever had an account is offered to log in again when the identity is gone.
  useEffect(() => {
    if (identity !== undefined) setWithAccount(!identity.guest);
  }, [identity]);
  useEffect(() => void microphone.prepare(), [microphone]);
  const logIn = withAccount && identity === undefined;
  return (
    <Shell>
      <div class="hero">
        <h1>{t.preJoin.title}</h1>
        <p class="meeting-id">{t.preJoin.meeting(meetingId)}</p>
      </div>
      {logIn ? (
        <div class="card narrow">
          <ProblemNotice during={["join"]} />
          <LogInForm />
          <Button kind="text" onClick={() => setWithAccount(false)}>
            {t.start.asGuest}
          </Button>
        </div>
      ) : (
        <div class="card narrow">
          <JoinForm meetingId={meetingId} initialName={initialName} identity={identity} />
          {identity === undefined && place.kind === "outside" && (
            <Button kind="text" onClick={() => setWithAccount(true)}>
              {t.start.haveAccount}
            </Button>
          )}
        </div>
      )}
    </Shell>
  );
}

function JoinForm({
  meetingId,
  initialName,
  identity,
}: Props & { identity: Identity | undefined }) {
  const t = useMessages();
  const { session } = useServices();
  const { busy, place } = useStore(session.state);
  const [name, setName] = useState(initialName);
  const [password, setPassword] = useState("");
  const joining = place.kind === "joining" || busy === "guest";
  const submit = async (event: Event) => {
    event.preventDefault();
    if (identity === undefined) {
      if (name.trim() === "") return;
      savePreferences({ name: name.trim() });
      if (!(await session.enterAsGuest(name.trim()))) return;
    }
    session.join(meetingId, password);
  };
  return (
    <form class="form" aria-label={t.preJoin.title} onSubmit={submit}>
      {identity === undefined ? (
        <TextField
          label={t.start.yourName}
          value={name}
          onInput={setName}
          name="name"
          autoComplete="name"
          maxLength={NAME_MAX}
          required
        />
      ) : (
        <p class="joining-as">
          {t.preJoin.joiningAs(identity.displayName)}
          <Button kind="text" onClick={() => session.logOut()}>
            {t.preJoin.notYou}
          </Button>
        </p>
      )}
      <AudioSettings brief />
      <JoinMuted />
      <PasswordPart value={password} onInput={setPassword} />
      <ProblemNotice during={["join", "guest"]} />
      {joining ? (
        <Joining />
      ) : (
        <Button kind="primary" type="submit">
          {t.preJoin.join}
        </Button>
      )}
    </form>
  );
}

function JoinMuted() {
  const t = useMessages();
  const { microphone } = useServices();
  const { status } = useStore(microphone.state);
  const muted = useStore(microphone.muted);
  return (
    <Checkbox
      label={t.preJoin.joinMuted}
      checked={muted}
      disabled={status !== "live" && status !== "starting"}
      onChange={(on) => microphone.setJoinMuted(on)}
    />
  );
}

/** Shown when asked for, and when joining was refused: the password may be why. */
function PasswordPart(props: { value: string; onInput: (value: string) => void }) {
  const t = useMessages();
  const { session } = useServices();
  const { problem } = useStore(session.state);
  const [wanted, setWanted] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const refused = problem?.during === "join" && problem.reason === "notAdmitted";
  useEffect(() => {
    if (refused) setWanted(true);
    if (refused || wanted) input.current?.focus();
  }, [refused, wanted]);
  if (!wanted) {
    return (
      <Button kind="text" class="at-start" onClick={() => setWanted(true)}>
        {t.preJoin.havePassword}
      </Button>
    );
  }
  return (
    <TextField
      label={t.preJoin.meetingPassword}
      type="password"
      value={props.value}
      onInput={props.onInput}
      maxLength={PASSWORD_MAX}
      inputRef={input}
    />
  );
}

function Joining() {
  const t = useMessages();
  const { session } = useServices();
  const { place } = useStore(session.state);
  const hindrance = place.kind === "joining" ? place.hindrance : undefined;
  return (
    <div class="joining">
      <span class="spinner" aria-hidden="true" />
      <span role="status">{t.joining[hindrance ?? "connecting"]}</span>
      <Button onClick={() => session.leave()}>{t.preJoin.cancel}</Button>
    </div>
  );
}
