// The meeting made small: who speaks, microphone, hand, leave, and the way back.

import type { ComponentChildren } from "preact";
import { useServices } from "../app/context";
import { useStore } from "../app/store";
import { useTranslation } from "../i18n/context";
import { Control, HandButton, MuteButton, useControls } from "../meeting/ControlBar";
import { useKeys } from "../meeting/keys";
import { shownPresence } from "../meeting/participant";
import { handsOf } from "../meeting/roster";
import { useDisplayNames } from "../meeting/whisper";
import type { Entry } from "../session/places";
import { selfIn } from "../session/stay";
import type { Stay } from "../session/stay";
import { cutOffRelay } from "../session/way";
import { isUnheard } from "../talk/talk";
import { Avatar } from "../view/Avatar";
import { LeaveIcon, RestoreIcon } from "../view/icons";

/** More faces have no room. */
const FACES_MAX = 3;

interface Props {
  entry: Extract<Entry, { kind: "inside" }>;
  /** The window that it is in: its keys are heard there. */
  window: Window;
  /** In place of the subject, which it contains. */
  grip?: ComponentChildren;
}

export function MiniMeeting({ entry, window, grip }: Props) {
  const { t } = useTranslation();
  const { microphone, mini, session } = useServices();
  const cutOff = cutOffRelay(useStore(session.state));
  const { stay, hindrance } = entry;
  const controls = useControls(stay);
  useKeys(
    {
      mute: controls.mute,
      hand: controls.hand,
      talk: (on) => void microphone.pushToTalk(on),
    },
    window,
  );
  const { unread } = stay.chat;
  return (
    <>
      <div class="mini-header">
        {grip ?? <span class="mini-subject">{stay.meeting.subject || t.meeting.untitled}</span>}
        {unread > 0 && (
          <span class="badge" title={t.control.chatUnread(unread)}>
            {unread}
          </span>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={t.mini.restore}
          title={t.mini.restore}
          onClick={() => mini.close()}
        >
          <RestoreIcon />
        </button>
      </div>
      {hindrance !== undefined && (
        <p class="mini-note away" role="status">
          {t.connection.reconnecting}
        </p>
      )}
      {hindrance === undefined && cutOff !== undefined && (
        <p class="mini-note away" role="status">
          {t.said.cutOff(cutOff)}
        </p>
      )}
      <Heard stay={stay} />
      {isUnheard(stay.talks.own, stay.roster.participants) && (
        <p class="mini-note away" role="status">
          {t.whisper.unheard}
        </p>
      )}
      <Speakers stay={stay} />
      <div class="mini-bar" role="toolbar" aria-label={t.meeting.controls}>
        <MuteButton />
        <HandButton controls={controls} />
        <Control
          class="leave"
          label={t.meeting.leave}
          icon={<LeaveIcon />}
          onClick={controls.leave}
        />
      </div>
    </>
  );
}

function Heard({ stay }: { stay: Stay }) {
  const { t } = useTranslation();
  const talkers = [...stay.talks.incoming.keys()];
  const names = useDisplayNames(stay, talkers);
  if (talkers.length === 0) return null;
  return (
    <p class="mini-note" role="status">
      {talkers.length === 1 ? t.whisper.heard(names) : t.whisper.heardMany(names)}
    </p>
  );
}

function Speakers({ stay }: { stay: Stay }) {
  const { t, language } = useTranslation();
  const { microphone } = useServices();
  const muted = useStore(microphone.muted);
  const { speaking } = useStore(microphone.state);
  const { participants, speakers } = stay.roster;
  const heard = speakers.flatMap((id) => participants.get(id) ?? []);
  const self = selfIn(stay);
  // The relay does not tell anybody of themselves sooner than the page knows it.
  const own = self !== undefined && speaking && !muted && !speakers.includes(self.id);
  const all = own ? [...heard, self] : heard;
  const names = new Intl.ListFormat(language).format(all.map(({ displayName }) => displayName));
  const hands = handsOf(stay.roster).length;
  const words = [
    all.length === 0 ? t.mini.nobodySpeaks : t.mini.speaking(names),
    ...(hands > 0 ? [t.mini.hands(hands)] : []),
  ];
  return (
    <div class="mini-speakers">
      <span class="mini-faces">
        {all.slice(0, FACES_MAX).map((speaker) => (
          <Avatar
            key={speaker.id}
            name={speaker.displayName}
            userId={speaker.userId}
            speaking
            dot={shownPresence(speaker)}
          />
        ))}
      </span>
      <span class="mini-who">{words.join(" · ")}</span>
    </div>
  );
}
