//! What organisers, hosts and members do to a meeting beside being in it: changing it, its member
//! list, and what is attached.

use std::collections::{BTreeMap, BTreeSet};

use tributary_identifiers::UserId;

use super::State;
use crate::{
    Announce, Attach, AttachmentsChange, Caller, Detach, Event, Happening, MEMBERS_MAX,
    MembersChange, NewPassword, Presence, Refusal, RemoveMembers, Role, Sender, SetMembers,
    UnixMillis, Update,
};

impl State {
    /// Whether a caller may change the meeting and its member list.
    ///
    /// # Errors
    /// Not this one.
    pub fn check_manager(&self, caller: &Caller) -> Result<(), Refusal> {
        if self.manages(caller) { Ok(()) } else { Err(Refusal::NotManager) }
    }

    fn manages(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Platform => true,
            Caller::User(user) => self.members.get(user).is_some_and(|role| role.manages()),
        }
    }

    pub(super) fn update(
        &mut self,
        update: Update,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        self.check_manager(&update.by)?;
        if self.meeting.ended_at.is_some() {
            return Err(Refusal::Ended);
        }
        let mut meeting = self.meeting.clone();
        if let Some(subject) = update.subject {
            meeting.subject = subject;
        }
        if let Some(lobby) = update.lobby {
            meeting.lobby = lobby;
        }
        match update.password {
            None => {}
            Some(NewPassword::None) => meeting.password_hash = None,
            Some(NewPassword::Hash(hash)) => meeting.password_hash = Some(hash),
        }
        // A meeting that is moved begins anew, and so invites anew.
        if update.starts_at.is_some() && update.starts_at != meeting.starts_at {
            meeting.starts_at = update.starts_at;
            meeting.invites_at = update.starts_at;
        }
        if meeting == self.meeting {
            return Ok(Vec::new());
        }
        let opened = self.meeting.lobby && !meeting.lobby;
        self.meeting = meeting;
        let mut events = vec![self.happen(Happening::MeetingChanged, now)];
        if opened {
            let waiting = self.ids_of(|one| one.participant.presence == Presence::Waiting);
            events.extend(waiting.into_iter().filter_map(|id| self.let_in(id, now)));
        }
        Ok(events)
    }

    pub(super) fn set_members(
        &mut self,
        set: SetMembers,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        self.check_manager(&set.by)?;
        let (mut added, mut changed) = (BTreeMap::new(), BTreeMap::new());
        for (user, role) in set.members {
            match (self.members.get(&user), role) {
                (Some(known), role) if *known == role => {}
                (Some(Role::Organiser), _) => return Err(Refusal::OrganiserStays),
                (_, Role::Organiser) => return Err(Refusal::NoSecondOrganiser),
                (Some(_), role) => drop(changed.insert(user, role)),
                (None, role) => drop(added.insert(user, role)),
            }
        }
        if added.is_empty() && changed.is_empty() {
            return Ok(Vec::new());
        }
        let more = u32::try_from(added.len()).unwrap_or(u32::MAX);
        let members = self.counters.members.saturating_add(more);
        // The organiser is on the list, and not counted.
        if more > 0 && members > MEMBERS_MAX + 1 {
            return Err(Refusal::TooManyMembers);
        }
        self.counters.members = members;
        for (user, role) in added.iter().chain(&changed) {
            self.members.insert(user.clone(), *role);
            self.removed.remove(user);
        }
        let from = match set.by {
            Caller::Platform => self.meeting.organiser(),
            Caller::User(user) => Sender { user, name: set.by_name },
        };
        let invitation = self.meeting.invitation_of_added(from, now).filter(|_| !added.is_empty());
        let removed = BTreeSet::new();
        let users: Vec<_> = added.keys().chain(changed.keys()).cloned().collect();
        let change = MembersChange { members, added, changed, removed, invitation };
        let mut events = vec![self.happen(Happening::MembersChanged(change), now)];
        events.extend(self.follow_list(&users, now));
        Ok(events)
    }

    pub(super) fn remove_members(
        &mut self,
        remove: RemoveMembers,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        self.check_manager(&remove.by)?;
        if remove.members.contains(&self.meeting.organiser) {
            return Err(Refusal::OrganiserStays);
        }
        let removed: BTreeSet<_> =
            remove.members.into_iter().filter(|user| self.members.contains_key(user)).collect();
        if removed.is_empty() {
            return Ok(Vec::new());
        }
        let mut events = vec![self.unlist(removed.clone(), now)];
        let users: Vec<_> = removed.into_iter().collect();
        events.extend(self.follow_list(&users, now));
        Ok(events)
    }

    /// Takes members off the list; all of them are on it.
    pub(super) fn unlist(&mut self, removed: BTreeSet<UserId>, now: UnixMillis) -> Event {
        for user in &removed {
            self.members.remove(user);
        }
        let less = u32::try_from(removed.len()).unwrap_or(u32::MAX);
        let members = self.counters.members.saturating_sub(less);
        self.counters.members = members;
        let (added, changed) = (BTreeMap::new(), BTreeMap::new());
        let change = MembersChange { members, added, changed, removed, invitation: None };
        self.happen(Happening::MembersChanged(change), now)
    }

    /// Who is in as one of these users is what the list says from now on: host or not, and not in
    /// the lobby while on it.
    fn follow_list(&mut self, users: &[UserId], now: UnixMillis) -> Vec<Event> {
        let users: BTreeSet<_> = users.iter().collect();
        let mut events = Vec::new();
        for id in self.ids_of(|one| users.contains(&one.participant.user_id)) {
            let Some(present) = self.participants.get_mut(&id) else { continue };
            let role = self.members.get(&present.participant.user_id);
            let host = role.is_some_and(|role| role.manages());
            let (waits, was) =
                (present.participant.presence == Presence::Waiting, present.participant.host);
            present.listed_host = host;
            present.participant.host = host;
            if waits && role.is_some() {
                events.extend(self.let_in(id, now));
            } else if was != host {
                events.push(self.happen(Happening::HostChanged { participant: id, host }, now));
            }
        }
        events
    }

    pub(super) fn announce(
        &mut self,
        announce: Announce,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        if self.meeting.ended_at.is_some() {
            return Err(Refusal::Ended);
        }
        let Announce { text, audience } = announce;
        let named = audience.iter().flat_map(|audience| &audience.participants);
        if let Some(nobody) = named.copied().find(|id| !self.has_been(*id)) {
            return Err(Refusal::UnknownParticipant(nobody));
        }
        Ok(vec![self.tell(audience, Happening::Announcement(text), now)])
    }

    pub(super) fn attach(
        &mut self,
        attach: Attach,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        let Attach { attachment, limits } = attach;
        if !self.members.contains_key(&attachment.by) {
            return Err(Refusal::NotMember);
        }
        if attachment.size > limits.bytes_max {
            return Err(Refusal::AttachmentTooLarge(limits.bytes_max));
        }
        if self.counters.attachments >= limits.count_max {
            return Err(Refusal::TooManyAttachments(limits.count_max));
        }
        let bytes = self.counters.attachment_bytes.saturating_add(attachment.size);
        if bytes > limits.meeting_bytes_max {
            return Err(Refusal::AttachmentsTooLarge(limits.meeting_bytes_max));
        }
        self.counters.attachments += 1;
        self.counters.attachment_bytes = bytes;
        self.attachments.insert(attachment.id.clone(), attachment.clone());
        Ok(vec![self.change_attachments(Some(attachment), None, now)])
    }

    pub(super) fn detach(
        &mut self,
        detach: &Detach,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        let may_any = self.manages(&detach.by);
        let Some(attachment) = self.attachments.get(&detach.attachment) else {
            // Who is nobody here is not told what there is.
            let known =
                may_any || detach.by.user().is_some_and(|user| self.members.contains_key(user));
            return Err(if known { Refusal::NoSuchAttachment } else { Refusal::NotAttacher });
        };
        if !may_any && detach.by.user() != Some(&attachment.by) {
            return Err(Refusal::NotAttacher);
        }
        let size = attachment.size;
        self.attachments.remove(&detach.attachment);
        self.counters.attachments = self.counters.attachments.saturating_sub(1);
        self.counters.attachment_bytes = self.counters.attachment_bytes.saturating_sub(size);
        Ok(vec![self.change_attachments(None, Some(detach.attachment.clone()), now)])
    }

    fn change_attachments(
        &mut self,
        added: Option<crate::Attachment>,
        removed: Option<tributary_identifiers::AttachmentId>,
        now: UnixMillis,
    ) -> Event {
        let attachments = self.counters.attachments;
        let change = AttachmentsChange { attachments, added, removed };
        self.happen(Happening::AttachmentsChanged(change), now)
    }
}
