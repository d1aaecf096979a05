// The three ways to share.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useMessages } from "../i18n/context";
import { Chosen } from "../members/Chosen";
import { PeoplePicker } from "../members/PeoplePicker";
import type { FoundUser } from "../members/people";
import type { MeetingDetails } from "../session/wire-details";
import { Button } from "../view/Button";
import { TextField } from "../view/fields";
import { LinkCard } from "./LinkCard";
import { ADDRESSES_MAX, addressesIn, wrongAddress } from "./share";
import type { Sharing } from "./useSharing";

interface Props {
  details: MeetingDetails;
  /** The field for the lifetime. */
  ends: ComponentChildren;
  sharing: Sharing;
}

export function ByLink(props: Props) {
  const t = useMessages();
  const { desk } = useServices();
  const { running, share, notice } = props.sharing;
  const busy = running === "link";
  const meetingId = props.details.meeting.id;
  const link = desk.linkOf(meetingId);
  const text = link === undefined ? t.share.makeLink : t.share.makeAnother;
  return (
    <>
      {link !== undefined && <LinkCard key={link.url} link={link} meetingId={meetingId} />}
      {notice}
      <div class="field-row once-more">
        {props.ends}
        <Button
          kind={link === undefined ? "primary" : "quiet"}
          busy={busy}
          disabled={running !== undefined}
          onClick={() => void share({ kind: "link" })}
        >
          {busy ? t.share.making : text}
        </Button>
      </div>
    </>
  );
}

export function ToUsers(props: Props) {
  const t = useMessages();
  const { running, share, notice } = props.sharing;
  const busy = running === "users";
  const [users, setUsers] = useState<readonly FoundUser[]>([]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const userIds = users.map(({ userId }) => userId);
    if (userIds.length === 0) return;
    if (await share({ kind: "users", userIds }, t.share.usersDone(userIds.length))) setUsers([]);
  };
  const excluded = [...users, ...props.details.members].map(({ userId }) => userId);
  return (
    <form class="form" onSubmit={submit}>
      <PeoplePicker
        label={t.share.toWhom}
        exclude={new Set(excluded)}
        onChoose={(user) => setUsers([...users, user])}
      />
      <Chosen people={users} onRemove={(user) => setUsers(users.filter((u) => u !== user))} />
      {props.ends}
      {notice}
      <Button
        kind="primary"
        type="submit"
        busy={busy}
        disabled={users.length === 0 || running !== undefined}
      >
        {busy ? t.share.sending : t.share.send}
      </Button>
    </form>
  );
}

export function ByEmail(props: Props) {
  const t = useMessages();
  const { running, share, notice } = props.sharing;
  const busy = running === "email";
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const submit = async (event: Event) => {
    event.preventDefault();
    const addresses = addressesIn(typed);
    if (addresses.length === 0) return;
    const bad = wrongAddress(addresses);
    const error =
      bad !== undefined
        ? t.share.wrongAddress(bad)
        : addresses.length > ADDRESSES_MAX
          ? t.share.tooMany(ADDRESSES_MAX)
          : undefined;
    setWrong(error);
    if (error !== undefined) return;
    if (await share({ kind: "email", addresses }, t.share.emailDone(addresses.length)))
      setTyped("");
  };
  return (
    // The browser's own check would speak another language, in a bubble of its own.
    <form class="form" noValidate onSubmit={submit}>
      <TextField
        label={t.share.addresses}
        placeholder={t.share.addressesPlaceholder}
        value={typed}
        onInput={(value) => {
          setTyped(value);
          setWrong(undefined);
        }}
        hint={t.share.addressesHint}
        error={wrong}
      />
      {props.ends}
      {notice}
      <Button
        kind="primary"
        type="submit"
        busy={busy}
        disabled={typed.trim() === "" || running !== undefined}
      >
        {busy ? t.share.sendingEmail : t.share.sendEmail}
      </Button>
    </form>
  );
}
