// What one can ask for about meetings, in the words of this client: members, shares, attachments.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Store } from "../app/store";
import type { FoundUser, Invited, Member } from "../members/people";
import type { NameBook } from "../members/names";
import type { Share, ShareForm, ShareLink } from "../sharing/share";
import type { Answer } from "./connection";
import type { Outcome } from "./refusal";
import type { Session } from "./session";
import { meetingOf } from "./wire";
import type { Meeting } from "./wire";
import { foundUserOf, wireMemberRole } from "./wire-details";
import { shareLinkOf, shareOf, wireForm } from "./wire-sharing";

/** A meeting that is to be created. */
export interface Plan {
  readonly subject: string;
  /** Empty: none. */
  readonly password: string;
  /** Unix time in ms; undefined: now. */
  readonly startsAtMs: number | undefined;
  readonly invited: readonly Invited[];
  readonly shared: boolean;
  /** Outsiders wait until somebody lets them in. */
  readonly lobby: boolean;
}

/** What of a meeting is to be changed; undefined stays as it is. */
export interface Change {
  readonly subject: string | undefined;
  /** Empty: none. */
  readonly password: string | undefined;
  readonly startsAtMs: number | undefined;
  readonly lobby: boolean | undefined;
}

export class Desk {
  /** The links that were made on this page: the server shows each one once. */
  private readonly links = new Map<string, { shareId: string; link: ShareLink }>();

  /** Meetings that were to be shared when they were created, and are not. */
  private readonly unlinked = new Set<string>();
  /** How a meeting is being shared just now: one share at a time, as the relay has it. */
  readonly sharing = new Store<ShareForm["kind"] | undefined>(undefined);

  constructor(
    private readonly session: Session,
    private readonly names: NameBook,
  ) {}

  /** The new meeting's id; if there is none, the session's state has the problem. */
  async create(plan: Plan): Promise<string | undefined> {
    const { subject, password, shared, invited, lobby } = plan;
    const created = await this.session.askAs("create", "createMeeting", {
      subject,
      password,
      shared,
      lobby,
      memberUserIds: invited.map(({ userId }) => userId),
      hostUserIds: invited.filter(({ host }) => host).map(({ userId }) => userId),
      ...startsAt(plan.startsAtMs),
    });
    if (!created.ok) return undefined;
    const { meetingId, share } = created.value;
    const link = this.keepLink(meetingId, share);
    if (shared && link === undefined) this.unlinked.add(meetingId);
    return meetingId;
  }

  async update(meetingId: string, change: Change): Promise<Outcome<void>> {
    const { subject, password, lobby } = change;
    return nothing(
      await this.session.ask("updateMeeting", {
        meetingId,
        ...(subject === undefined ? {} : { subject }),
        ...(password === undefined ? {} : { password }),
        ...(lobby === undefined ? {} : { lobby }),
        ...startsAt(change.startsAtMs),
      }),
    );
  }

  async myMeetings(): Promise<Outcome<Meeting[]>> {
    return mapped(await this.session.ask("listMyMeetings", {}), ({ meetings }) =>
      meetings.map((meeting) => meetingOf(meeting, meeting.meetingId)),
    );
  }

  async findUsers(beginning: string): Promise<Outcome<FoundUser[]>> {
    const found = mapped(await this.session.ask("findUsers", { beginning }), ({ users }) =>
      users.map(foundUserOf),
    );
    if (found.ok) this.names.learn(found.value);
    return found;
  }

  /** Those of these users that there are. */
  async usersById(userIds: readonly string[]): Promise<Outcome<FoundUser[]>> {
    const asked = { userIds: [...userIds] };
    return mapped(await this.session.ask("findUsers", asked), ({ users }) =>
      users.map(foundUserOf),
    );
  }

  async setMember(meetingId: string, { userId, role }: Member): Promise<Outcome<void>> {
    const set = [{ userId, role: wireMemberRole(role) }];
    return nothing(await this.session.ask("changeMembers", { meetingId, set }));
  }

  async removeMember(meetingId: string, userId: string): Promise<Outcome<void>> {
    const removeUserIds = [userId];
    return nothing(await this.session.ask("changeMembers", { meetingId, removeUserIds }));
  }

  /** Shares; for a link, also keeps it for this page. */
  async share(
    meetingId: string,
    form: ShareForm,
    expiresAtMs: number | undefined,
    language: string,
  ): Promise<Outcome<ShareLink | undefined>> {
    this.sharing.set(form.kind);
    const answer = await this.session.ask("shareMeeting", {
      meetingId,
      form: wireForm(form),
      language,
      ...(expiresAtMs === undefined ? {} : { expiresAt: timestampFromMs(expiresAtMs) }),
    });
    const link = mapped(answer, (made) => this.keepLink(meetingId, made));
    if (answer.ok) this.unlinked.delete(meetingId);
    this.sharing.set(undefined);
    return link;
  }

  /** True if a link was asked for with this meeting and could not be made, until it is shared. */
  lacksLink(meetingId: string): boolean {
    return this.unlinked.has(meetingId);
  }

  linkOf(meetingId: string): ShareLink | undefined {
    return this.links.get(meetingId)?.link;
  }

  async shares(meetingId: string): Promise<Outcome<Share[]>> {
    return mapped(await this.session.ask("listShares", { meetingId }), ({ shares }) =>
      shares.map(shareOf),
    );
  }

  async revoke(meetingId: string, shareId: string): Promise<Outcome<void>> {
    const answer = await this.session.ask("revokeShare", { meetingId, shareId });
    if (answer.ok && this.links.get(meetingId)?.shareId === shareId) this.links.delete(meetingId);
    return nothing(answer);
  }

  async deleteAttachment(meetingId: string, attachmentId: string): Promise<Outcome<void>> {
    return nothing(await this.session.ask("deleteAttachment", { meetingId, attachmentId }));
  }

  private keepLink(
    meetingId: string,
    made: Answer<"shareMeeting"> | undefined,
  ): ShareLink | undefined {
    const link = shareLinkOf(made?.link);
    const shareId = made?.share?.shareId ?? "";
    if (link !== undefined) this.links.set(meetingId, { shareId, link });
    return link;
  }
}

function startsAt(ms: number | undefined) {
  return ms === undefined ? {} : { startsAt: timestampFromMs(ms) };
}

function mapped<T, U>(outcome: Outcome<T>, map: (value: T) => U): Outcome<U> {
  return outcome.ok ? { ok: true, value: map(outcome.value) } : outcome;
}

function nothing(outcome: Outcome<unknown>): Outcome<void> {
  return outcome.ok ? { ok: true, value: undefined } : outcome;
}
