// The form to join a meeting by. A member types nothing; somebody else a name, if there is none yet,
// and the meeting's password, if it has one.

import { useEffect, useRef, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { savePreferences } from "../app/preferences";
import { useStore } from "../app/store";
import { useMessages } from "../i18n/context";
import { AudioSettings } from "../media/AudioSettings";
import { entryAt, liveStay } from "../session/places";
import type { Identity } from "../session/wire";
import { Button } from "../view/Button";
import { Checkbox, TextField } from "../view/fields";
import { NAME_MAX, PASSWORD_MAX, ProblemNotice } from "./forms";

interface Props {
  meetingId: string;
  initialName: string;
  identity: Identity | undefined;
}

export function JoinForm({ meetingId, initialName, identity }: Props) {
  const t = useMessages();
  const { session } = useServices();
  const state = useStore(session.state);
  const { busy } = state;
  const live = liveStay(state) !== undefined;
  const [name, setName] = useState(initialName);
  const [password, setPassword] = useState("");
  const entry = entryAt(state, meetingId);
  const joining = entry?.kind === "joining" || busy === "guest";
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
          {!live && (
            <Button kind="text" onClick={() => session.logOut()}>
              {t.preJoin.notYou}
            </Button>
          )}
        </p>
      )}
      {!live && (
        <>
          <AudioSettings brief />
          <JoinMuted />
        </>
      )}
      <PasswordPart meetingId={meetingId} value={password} onInput={setPassword} />
      <ProblemNotice during={["join", "guest"]} />
      {joining ? (
        <Joining meetingId={meetingId} />
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

/**
 * Not shown to whoever may read the meeting: they come in as they are. Shown when reading or joining
 * was refused, since the password may be why, and when it is asked for.
 */
function PasswordPart(props: {
  meetingId: string;
  value: string;
  onInput: (value: string) => void;
}) {
  const t = useMessages();
  const { session } = useServices();
  const { identity, problem, reading } = useStore(session.state);
  const [wanted, setWanted] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const about = reading?.meetingId === props.meetingId ? reading : undefined;
  const refused = problem?.during === "join" && PASSWORD_MAY_HELP.has(problem.reason);
  const unread = about?.status === "refused" && about.details === undefined;
  useEffect(() => {
    if (refused) setWanted(true);
    if (refused || wanted) input.current?.focus();
  }, [refused, wanted, problem]);
  const shown = wanted || unread;
  if (!shown && identity !== undefined) return null;
  if (!shown) {
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
      hint={about?.reason === "passwordNeeded" ? t.preJoin.passwordNeeded : undefined}
    />
  );
}

const PASSWORD_MAY_HELP: ReadonlySet<string> = new Set([
  "notAdmitted",
  "wrongPassword",
  "passwordNeeded",
]);

function Joining({ meetingId }: { meetingId: string }) {
  const t = useMessages();
  const { session } = useServices();
  const entry = entryAt(useStore(session.state), meetingId);
  const hindrance = entry?.kind === "joining" ? entry.hindrance : undefined;
  return (
    <div class="joining">
      <span class="spinner" aria-hidden="true" />
      <span role="status">{t.joining[hindrance ?? "connecting"]}</span>
      <Button onClick={() => session.leave(meetingId)}>{t.preJoin.cancel}</Button>
    </div>
  );
}
