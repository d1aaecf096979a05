// Everybody who is there: who is shown to all, who waits, raised hands in order, then the groups, one
// per relay, the own one first, and the members who are not here.

import { useMemo, useState } from "preact/hooks";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import type { Member } from "../members/people";
import type { HostAct } from "../operations/act";
import { lastPending } from "../operations/outbox";
import type { Pending } from "../operations/outbox";
import type { Talks } from "../talk/talk";
import { Button } from "../view/Button";
import { ShareIcon } from "../view/icons";
import { Absent } from "./Absent";
import { CopyLink } from "./CopyLink";
import { groupsOf } from "./groups";
import { GroupTile } from "./GroupTile";
import type { Participant } from "./participant";
import { Person } from "./Person";
import type { Whisper } from "./Person";
import type { PersonActions } from "./personMenu";
import { handsOf } from "./roster";
import type { Roster } from "./roster";
import { Spotlight } from "./Spotlight";
import { WaitingList } from "./WaitingList";

/** In a meeting with more people than this, groups other than the own one are folded at first. */
const UNFOLDED_MAX = 16;

export interface RosterProps {
  roster: Roster;
  talks: Talks;
  pending: readonly Pending[];
  selfId: number;
  meetingId: string;
  organiserUserId: string;
  /** Members who are not in. */
  absent: readonly Member[];
  picked: ReadonlySet<number>;
  onPick: (id: number) => void;
  onWrite: (id: number) => void;
  /** For hosts. */
  onHost: ((act: HostAct) => void) | undefined;
  /** How to let people in, for whoever may. */
  onInvite: (() => void) | undefined;
}

export function RosterView(props: RosterProps) {
  const { t, language } = useTranslation();
  const { roster, selfId, onPick, onWrite, onHost } = props;
  const actions: PersonActions = useMemo(
    () => ({ pick: onPick, write: onWrite, host: onHost }),
    [onPick, onWrite, onHost],
  );
  const isSpeaking = useSpeaking(roster, selfId);
  const [folds, setFolds] = useState<ReadonlyMap<string, boolean>>(new Map());
  const groups = groupsOf(roster.participants.values(), selfId, language);
  const few = roster.participants.size <= UNFOLDED_MAX;
  const shown = show(props, actions, isSpeaking);
  const spotlit =
    roster.spotlightId === undefined ? undefined : roster.participants.get(roster.spotlightId);
  return (
    <div id="roster" class="roster" role="region" aria-label={t.meeting.participants} tabIndex={-1}>
      {onHost !== undefined && <Lobby {...props} onAct={onHost} />}
      {spotlit !== undefined && (
        <Spotlight
          participant={spotlit}
          speaking={isSpeaking(spotlit)}
          onEnd={onHost && (() => onHost({ kind: "setSpotlight", participantId: undefined }))}
        />
      )}
      <div class="groups">
        {groups.map((group) => {
          const unfolded = folds.get(group.relayId) ?? (group.own || few);
          return (
            <GroupTile
              key={group.relayId}
              group={group}
              unfolded={unfolded}
              onToggle={() => setFolds(new Map(folds).set(group.relayId, !unfolded))}
              isSpeaking={isSpeaking}
            >
              {shown}
            </GroupTile>
          );
        })}
      </div>
      <Absent members={props.absent} />
      {roster.participants.size < 2 && <Alone {...props} />}
    </div>
  );
}

function Lobby({ roster, pending, onAct }: RosterProps & { onAct: (act: HostAct) => void }) {
  const answered = pending.flatMap(({ act }) =>
    act.kind === "answerLobby" ? [act.participantId] : [],
  );
  return (
    <WaitingList waiting={[...roster.lobby.values()]} answered={new Set(answered)} onAct={onAct} />
  );
}

/** Whether somebody is heard; of oneself the page knows it first. */
function useSpeaking(roster: Roster, selfId: number): (participant: Participant) => boolean {
  const { microphone } = useServices();
  const selfMuted = useStore(microphone.muted);
  const { speaking } = useStore(microphone.state);
  return ({ id, muted }) => {
    const self = id === selfId;
    if (self ? selfMuted : muted) return false;
    return roster.speakers.includes(id) || (self && speaking);
  };
}

function show(
  props: RosterProps,
  actions: PersonActions,
  isSpeaking: (participant: Participant) => boolean,
) {
  const { roster, talks, selfId, picked, pending } = props;
  const places = new Map(handsOf(roster).map(({ id }, index) => [id, index + 1]));
  const wish = lastPending(pending, "setHand");
  return (participant: Participant) => {
    const { id, userId } = participant;
    const self = id === selfId;
    return (
      <Person
        key={id}
        participant={participant}
        self={self}
        muted={participant.muted}
        speaking={isSpeaking(participant)}
        handPlace={places.get(id) ?? 0}
        handPending={self && wish !== undefined && wish.raised !== participant.handRaised > 0n}
        whisper={whisperOf(talks, id)}
        picked={picked.has(id)}
        spotlit={roster.spotlightId === id}
        organiser={userId === props.organiserUserId}
        actions={actions}
      />
    );
  };
}

function whisperOf({ incoming, own }: Talks, id: number): Whisper {
  if (incoming.has(id)) return "speaksToMe";
  return own.phase === "private" && own.targetIds.includes(id) ? "hearsMe" : "none";
}

function Alone({ meetingId, onInvite }: RosterProps) {
  const { t } = useTranslation();
  return (
    <div class="alone">
      <p>
        <strong>{t.meeting.alone}</strong>
      </p>
      {onInvite === undefined ? (
        <>
          <p class="hint">{t.meeting.alonePlain}</p>
          <CopyLink meetingId={meetingId} label={t.meeting.copyTheLink} />
        </>
      ) : (
        <>
          <p class="hint">{t.meeting.aloneHint}</p>
          <Button icon={<ShareIcon />} onClick={onInvite}>
            {t.meeting.invitePeople}
          </Button>
        </>
      )}
    </div>
  );
}
