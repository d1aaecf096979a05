// Who is on the member list, for those who may change it: add by name, make host, remove.

import { useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages, useTranslation } from "../i18n/context";
import { failureText } from "../i18n/problem";
import type { Outcome } from "../session/refusal";
import type { MeetingDetails } from "../session/wire-details";
import { Avatar } from "../view/Avatar";
import { Button } from "../view/Button";
import { Notice } from "../view/fields";
import { PeoplePicker } from "./PeoplePicker";
import { inOrder } from "./people";
import type { Member } from "./people";
import { useNames } from "./useNames";

type Told = { tone: "info" | "error"; text: string };

export function MembersPanel({ details }: { details: MeetingDetails }) {
  const { t, language } = useTranslation();
  const { session, desk } = useServices();
  const nameOf = useNames(details.members.map(({ userId }) => userId));
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<Told | undefined>(undefined);
  const meetingId = details.meeting.id;
  const change = async (asking: Promise<Outcome<void>>, done: string | undefined) => {
    setBusy(true);
    setTold(undefined);
    const answer = await asking;
    if (answer.ok) {
      if (done !== undefined) setTold({ tone: "info", text: done });
      await session.readMeeting(meetingId);
    } else {
      setTold({ tone: "error", text: failureText(t, "other", answer.reason) });
    }
    setBusy(false);
  };
  const members = inOrder(details.members, nameOf, language);
  return (
    <>
      <p class="hint">{t.members.hint}</p>
      <PeoplePicker
        label={t.people.search}
        exclude={new Set(details.members.map(({ userId }) => userId))}
        onChoose={({ userId, displayName }) =>
          void change(
            desk.setMember(meetingId, { userId, role: "member" }),
            t.members.added(displayName),
          )
        }
      />
      {told !== undefined && <Notice tone={told.tone}>{told.text}</Notice>}
      {members.length < 2 && <p class="empty">{t.members.onlyYou}</p>}
      <ul class="rows" aria-label={t.members.list} aria-busy={busy}>
        {members.map((member) => (
          <MemberRow
            key={member.userId}
            member={member}
            name={nameOf(member.userId)}
            busy={busy}
            onRole={(role) =>
              void change(desk.setMember(meetingId, { userId: member.userId, role }), undefined)
            }
            onRemove={() =>
              void change(
                desk.removeMember(meetingId, member.userId),
                t.members.removed(nameOf(member.userId)),
              )
            }
          />
        ))}
      </ul>
    </>
  );
}

function MemberRow(props: {
  member: Member;
  name: string;
  busy: boolean;
  onRole: (role: "host" | "member") => void;
  onRemove: () => void;
}) {
  const t = useMessages().members;
  const { session } = useServices();
  const { identity } = useStore(session.state);
  const { member, name, busy } = props;
  const self = member.userId === identity?.userId;
  const marks = [t.roles[member.role], ...(self ? [t.you] : [])].join(" · ");
  const host = member.role === "host";
  return (
    <li class="row">
      <Avatar name={name} userId={member.userId} speaking={false} />
      <span class="row-text">
        <span class="row-name">{name}</span>
        <span class="hint">{marks}</span>
      </span>
      {member.role !== "organiser" && (
        <span class="row-actions">
          <Button
            kind="text"
            disabled={busy}
            label={host ? t.makeMemberNamed(name) : t.makeHostNamed(name)}
            onClick={() => props.onRole(host ? "member" : "host")}
          >
            {host ? t.makeMember : t.makeHost}
          </Button>
          <Button kind="text" disabled={busy} label={t.removeNamed(name)} onClick={props.onRemove}>
            {t.remove}
          </Button>
        </span>
      )}
    </li>
  );
}
