// Users of the organisation as the member list and the search show them.

export type MemberRole = "organiser" | "host" | "member";
/** What somebody is in a meeting. */
export type Role = MemberRole | "outsider";

export interface Member {
  readonly userId: string;
  readonly role: MemberRole;
}

/** A user that was found by name. */
export interface FoundUser {
  readonly userId: string;
  readonly userName: string;
  readonly displayName: string;
}

/** Somebody who was chosen for a meeting that is about to be created. */
export interface Invited extends FoundUser {
  readonly host: boolean;
}

/** True for those who may share, change members, and end what is over. */
export function mayManage(role: Role | undefined): boolean {
  return role === "organiser" || role === "host";
}

/** The organiser first, then hosts, then members, each by name. */
export function inOrder(
  members: readonly Member[],
  nameOf: (userId: string) => string,
  language: string,
): Member[] {
  const rank: Record<MemberRole, number> = { organiser: 0, host: 1, member: 2 };
  const names = new Intl.Collator(language, { numeric: true });
  return [...members].sort(
    (a, b) => rank[a.role] - rank[b.role] || names.compare(nameOf(a.userId), nameOf(b.userId)),
  );
}
