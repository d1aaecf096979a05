// The members who have not joined: offline, folded away.

import { useTranslation } from "../i18n/context";
import type { Member } from "../members/people";
import { inOrder } from "../members/people";
import { useNames } from "../members/useNames";
import { Avatar } from "../view/Avatar";

export function Absent({ members }: { members: readonly Member[] }) {
  const { t, language } = useTranslation();
  const nameOf = useNames(members.map(({ userId }) => userId));
  if (members.length === 0) return null;
  return (
    <details class="absent">
      <summary>{t.presence.notHere(members.length)}</summary>
      <ul aria-label={t.presence.notHereList}>
        {inOrder(members, nameOf, language).map(({ userId }) => {
          const name = nameOf(userId);
          return (
            <li
              key={userId}
              class="person offline"
              aria-label={[name, t.presence.offline].join(", ")}
            >
              <Avatar name={name} userId={userId} speaking={false} dot="offline" />
              <span class="person-text">
                <span class="person-name">{name}</span>
                <span class="person-marks">{t.presence.offline}</span>
              </span>
            </li>
          );
        })}
      </ul>
    </details>
  );
}
