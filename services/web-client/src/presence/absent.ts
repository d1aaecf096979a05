// Members who are not in the meeting: offline, without an entry in the roster.

import type { Roster } from "../meeting/roster";
import type { Member } from "../members/people";

export function absentMembers(
  members: readonly Member[],
  { participants }: Pick<Roster, "participants">,
): Member[] {
  const present = new Set([...participants.values()].map(({ userId }) => userId));
  return members.filter(({ userId }) => !present.has(userId));
}
