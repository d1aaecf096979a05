// Everybody who is in, in groups: one per relay, the own one first.

import { useId } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useMessages, useTranslation } from "../i18n/context";
import { Button } from "../view/Button";
import { ShareIcon } from "../view/icons";
import { CopyLink } from "./CopyLink";
import { groupsOf } from "./groups";
import type { Group } from "./groups";
import { Person } from "./Person";
import type { Roster } from "./roster";

export function RosterView(props: {
  roster: Roster;
  selfId: number;
  meetingId: string;
  /** How to let people in, for whoever may. */
  onInvite: (() => void) | undefined;
}) {
  const { t, language } = useTranslation();
  const groups = groupsOf(props.roster.participants.values(), props.selfId, language);
  const others = [...props.roster.participants.keys()].some((id) => id !== props.selfId);
  return (
    <div class="roster" role="region" aria-label={t.meeting.participants}>
      {groups.map((group) => (
        <GroupView
          key={group.relayId}
          group={group}
          selfId={props.selfId}
          speakers={props.roster.speakers}
        />
      ))}
      {!others && (
        <div class="alone">
          <p>
            <strong>{t.meeting.alone}</strong>
          </p>
          {props.onInvite === undefined ? (
            <>
              <p class="hint">{t.meeting.alonePlain}</p>
              <CopyLink meetingId={props.meetingId} label={t.meeting.copyTheLink} />
            </>
          ) : (
            <>
              <p class="hint">{t.meeting.aloneHint}</p>
              <Button icon={<ShareIcon />} onClick={props.onInvite}>
                {t.meeting.invitePeople}
              </Button>
            </>
          )}
        </div>
      )}
    </div>
  );
}

function GroupView(props: { group: Group; selfId: number; speakers: readonly number[] }) {
  const t = useMessages();
  const { microphone } = useServices();
  const selfMuted = useStore(microphone.muted);
  const { speaking: selfSpeaking } = useStore(microphone.state);
  const id = useId();
  const { group, selfId, speakers } = props;
  return (
    <section class="group" aria-labelledby={id}>
      <header>
        <h2 id={id}>{group.name}</h2>
        <span class="count">{t.meeting.people(group.participants.length)}</span>
        {group.own && <span class="own">{t.meeting.yourGroup}</span>}
      </header>
      <ul aria-label={group.name}>
        {group.participants.map((participant) => {
          const self = participant.id === selfId;
          const muted = self ? selfMuted : participant.muted;
          const heard = speakers.includes(participant.id) || (self && selfSpeaking);
          return (
            <Person
              key={participant.id}
              participant={participant}
              self={self}
              muted={muted}
              speaking={heard && !muted}
            />
          );
        })}
      </ul>
    </section>
  );
}
