// After entering: the own meetings, join one by id or link, create one.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { meetingAddressOf } from "../app/route";
import { useMessages } from "../i18n/context";
import { useStore } from "../app/store";
import { liveStay } from "../session/places";
import type { Identity } from "../session/wire";
import { Button } from "../view/Button";
import { TextField } from "../view/fields";
import { Shell } from "../view/Shell";
import { CreateForm } from "./CreateForm";
import { MyMeetings } from "./MyMeetings";

export function LobbyScreen({ identity }: { identity: Identity }) {
  const t = useMessages();
  const { session } = useServices();
  const live = liveStay(useStore(session.state)) !== undefined;
  return (
    <Shell>
      <div class="hero">
        <h1>{t.lobby.welcome(identity.displayName)}</h1>
        {!live && (
          <Button kind="text" onClick={() => session.logOut()}>
            {identity.guest ? t.lobby.changeName : t.lobby.logOut}
          </Button>
        )}
      </div>
      {!identity.guest && <MyMeetings />}
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
  const { navigation } = useServices();
  const [input, setInput] = useState("");
  const [wrong, setWrong] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const address = meetingAddressOf(input);
    setWrong(address === undefined);
    if (address === undefined) return;
    navigation.toMeeting(address.meetingId, address.secret, address.relay);
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
