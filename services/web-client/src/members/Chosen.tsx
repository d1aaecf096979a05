// Those who were chosen, each with a way to take the choice back; for a meeting also who is a host.

import { useMessages } from "../i18n/context";
import { CloseIcon } from "../view/icons";
import type { FoundUser, Invited } from "./people";

interface Props<T extends FoundUser> {
  people: readonly T[];
  onRemove: (user: T) => void;
}

export function Chosen<T extends FoundUser>({ people, onRemove }: Props<T>) {
  return <Chips people={people} onRemove={onRemove} />;
}

export function ChosenForMeeting(props: {
  people: readonly Invited[];
  onChange: (people: Invited[]) => void;
}) {
  const { people, onChange } = props;
  const toggle = (user: Invited) =>
    onChange(people.map((p) => (p === user ? { ...p, host: !p.host } : p)));
  return (
    <Chips
      people={people}
      onRemove={(user) => onChange(people.filter((p) => p !== user))}
      onToggleHost={toggle}
    />
  );
}

function Chips<T extends FoundUser & { host?: boolean }>(
  props: Props<T> & { onToggleHost?: (user: T) => void },
) {
  const t = useMessages();
  if (props.people.length === 0) return null;
  return (
    <ul class="chips" aria-label={t.people.chosen}>
      {props.people.map((user) => (
        <li key={user.userId} class="chip">
          <span class="chip-name">{user.displayName}</span>
          {props.onToggleHost !== undefined && (
            <button
              type="button"
              class="chip-toggle"
              aria-pressed={user.host === true}
              aria-label={t.people.hostNamed(user.displayName)}
              onClick={() => props.onToggleHost?.(user)}
            >
              {t.people.host}
            </button>
          )}
          <button
            type="button"
            class="chip-remove"
            aria-label={t.people.remove(user.displayName)}
            onClick={() => props.onRemove(user)}
          >
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}
