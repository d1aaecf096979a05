// Who waits in the lobby, for hosts: let in or sent away with one tap, beside what they are doing.

import { useTranslation } from "../i18n/context";
import type { HostAct } from "../operations/act";
import { Avatar } from "../view/Avatar";
import { Button } from "../view/Button";
import type { Participant } from "./participant";

interface Props {
  waiting: readonly Participant[];
  /** Those who have been answered; the answer is on its way. */
  answered: ReadonlySet<number>;
  onAct: (act: HostAct) => void;
}

export function WaitingList({ waiting, answered, onAct }: Props) {
  const { t } = useTranslation();
  if (waiting.length === 0) return null;
  const answer = (participantId: number, admitted: boolean) =>
    onAct({ kind: "answerLobby", participantId, admitted });
  const open = waiting.filter(({ id }) => !answered.has(id));
  return (
    <section class="waiting-list" aria-label={t.hosting.waitingList}>
      <header>
        <h2>{t.hosting.waiting(waiting.length)}</h2>
        {open.length > 1 && (
          <Button onClick={() => open.forEach(({ id }) => answer(id, true))}>
            {t.hosting.admitAll}
          </Button>
        )}
      </header>
      <ul class="rows" aria-label={t.hosting.waitingList}>
        {waiting.map(({ id, userId, displayName, guest }) => (
          <li key={id} class="row">
            <Avatar name={displayName} userId={userId} speaking={false} />
            <span class="row-text">
              <span class="row-name">{displayName}</span>
              {guest && <span class="hint">{t.meeting.guest}</span>}
            </span>
            <span class="row-actions">
              <Button
                kind="primary"
                busy={answered.has(id)}
                label={t.hosting.admitNamed(displayName)}
                onClick={() => answer(id, true)}
              >
                {t.hosting.admit}
              </Button>
              <Button
                disabled={answered.has(id)}
                label={t.hosting.sendAwayNamed(displayName)}
                onClick={() => answer(id, false)}
              >
                {t.hosting.sendAway}
              </Button>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
