// Takes another name in the meeting.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import { NAME_MAX } from "../operations/act";
import { pendingOf } from "../operations/pending";
import { stayAt } from "../session/places";
import { selfIn } from "../session/stay";
import { Button } from "../view/Button";
import { TextField } from "../view/fields";

export function NamePanel({ meetingId }: { meetingId: string }) {
  const { t } = useTranslation();
  const { session } = useServices();
  const stay = stayAt(useStore(session.state), meetingId);
  const current = stay === undefined ? "" : (selfIn(stay)?.displayName ?? "");
  const [name, setName] = useState(current);
  const pending = stay !== undefined && pendingOf(stay, "setName") !== undefined;
  const wanted = name.trim();
  const submit = (event: Event) => {
    event.preventDefault();
    session.act({ kind: "setName", displayName: wanted }, meetingId);
  };
  return (
    <form class="form" aria-label={t.name.title} onSubmit={submit}>
      <TextField
        label={t.start.yourName}
        value={name}
        onInput={setName}
        maxLength={NAME_MAX}
        autoComplete="name"
        hint={t.name.hint}
        required
      />
      <Button type="submit" busy={pending} disabled={wanted === "" || wanted === current}>
        {pending ? t.details.saving : t.details.save}
      </Button>
    </form>
  );
}
