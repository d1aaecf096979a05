// One picture for a group: its members' avatars, composed. Decorative: the group's name stands beside.

import { hueOf, initialsOf } from "./Avatar";

/** More faces can't be told apart in so small a picture. */
const FACES_MAX = 4;

interface Face {
  readonly userId: string;
  readonly displayName: string;
}

interface Props {
  /** Whose faces to show. */
  faces: readonly Face[];
  /** How many are in the group. */
  total: number;
  speaking: boolean;
  /** Whose picture it is, for who points at it. */
  title: string;
}

export function GroupPicture({ faces, total, speaking, title }: Props) {
  const crowd = total > FACES_MAX;
  // The last place says how many more there are.
  const shown = faces.slice(0, crowd ? FACES_MAX - 1 : FACES_MAX);
  const size = Math.max(1, Math.min(total, FACES_MAX));
  return (
    <span
      class={`group-picture of-${size} ${speaking ? "speaking" : ""}`}
      title={title}
      aria-hidden="true"
    >
      {shown.map(({ userId, displayName }) => (
        <span key={userId} class={`face hue-${hueOf(userId)}`}>
          {initialsOf(displayName)}
        </span>
      ))}
      {crowd && <span class="face more">+{total - shown.length}</span>}
    </span>
  );
}
