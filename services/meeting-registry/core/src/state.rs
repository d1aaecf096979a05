//! The state machine of one meeting.
//!
//! A state is the meeting, its counters, who is in, who is on the member list and what is attached.
//! For one command not all of the last three are needed; [`Command::needs`] says which, so that a
//! join into a meeting of thousands reads one row. Applying a command to such a part and to the whole
//! has the same outcome.

mod managing;

use std::collections::BTreeMap;

use tributary_identifiers::{AttachmentId, KeyThumbprint, ParticipantId, RelaySessionId, UserId};

use crate::{
    Attachment, Command, Event, Happening, Join, Leave, LeaveReason, Meeting, Participant, Present,
    Refusal, Role, UnixMillis,
};

/// How many may be in one meeting at once: the largest that has been designed for.
pub const PARTICIPANTS_MAX: u32 = 5_000;

/// Where a meeting's log and its participant ids are, and how much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The number of the next event.
    pub next_event: u64,
    /// The id of the next participant.
    pub next_participant: u32,
    /// How many are in.
    pub present: u32,
    /// How many are on the member list.
    pub members: u32,
    /// How many files are attached.
    pub attachments: u32,
    /// Their bytes together.
    pub attachment_bytes: u64,
}

impl Default for Counters {
    /// Of a new meeting with nobody but the organiser on the list.
    fn default() -> Self {
        Self {
            next_event: 1,
            next_participant: 1,
            present: 0,
            members: 1,
            attachments: 0,
            attachment_bytes: 0,
        }
    }
}

/// A meeting, or the part of it that a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    meeting: Meeting,
    counters: Counters,
    participants: BTreeMap<ParticipantId, Present>,
    members: BTreeMap<UserId, Role>,
    attachments: BTreeMap<AttachmentId, Attachment>,
}

impl State {
    /// As read from a store: the meeting, its counters, and at least those who are in and needed.
    #[must_use]
    pub fn new(
        meeting: Meeting,
        counters: Counters,
        participants: impl IntoIterator<Item = Present>,
    ) -> Self {
        let participants = participants.into_iter().map(|one| (one.participant.id, one)).collect();
        let (members, attachments) = (BTreeMap::new(), BTreeMap::new());
        Self { meeting, counters, participants, members, attachments }
    }

    /// With those of the member list that are needed.
    #[must_use]
    pub fn with_members(mut self, members: impl IntoIterator<Item = (UserId, Role)>) -> Self {
        self.members.extend(members);
        self
    }

    /// With the file that is needed.
    #[must_use]
    pub fn with_attachments(mut self, some: impl IntoIterator<Item = Attachment>) -> Self {
        self.attachments.extend(some.into_iter().map(|one| (one.id.clone(), one)));
        self
    }

    /// The meeting.
    #[must_use]
    pub const fn meeting(&self) -> &Meeting {
        &self.meeting
    }

    /// The counters.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Who is in, of those that were given to [`State::new`] or have joined since, by id.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = &Present> {
        self.participants.values()
    }

    /// One who is in.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Present> {
        self.participants.get(&id)
    }

    /// Who is in with this terminal key.
    #[must_use]
    pub fn with_key(&self, key: &KeyThumbprint) -> Option<&Present> {
        self.participants.values().find(|present| present.key == *key)
    }

    /// The member list, of those that were given to [`State::with_members`] or have come since.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&UserId, Role)> {
        self.members.iter().map(|(user, role)| (user, *role))
    }

    /// What is attached, of what was given to [`State::with_attachments`] or has come since.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &Attachment> {
        self.attachments.values()
    }

    /// Applies a command and returns what has happened, in order; nothing, if it changes nothing.
    ///
    /// # Errors
    /// The command can't be applied; the state is as before.
    pub fn apply(&mut self, command: Command, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Join(join) => self.join(join, now),
            Command::Leave(leave) => self.leave(&leave, now),
            Command::SetMuted { participant, muted } => self.set_muted(participant, muted, now),
            Command::End => Ok(self.end(now)),
            Command::RelayLost { relay_session } => Ok(self.lose_relay(&relay_session, now)),
            Command::Update(update) => self.update(update, now),
            Command::SetMembers(set) => self.set_members(set, now),
            Command::RemoveMembers(remove) => self.remove_members(remove, now),
            Command::Attach(attach) => self.attach(attach, now),
            Command::Detach(detach) => self.detach(&detach, now),
        }
    }

    fn join(&mut self, join: Join, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        if self.meeting.ended_at.is_some() {
            return Err(Refusal::Ended);
        }
        let known = self.with_key(&join.key).cloned();
        match known {
            Some(known) if known.participant.user_id == join.user_id => {
                Ok(self.come_back(&known, join, now))
            }
            // A participant is one user: another user at the same terminal is another participant.
            Some(known) => {
                let id = self.next_participant_id()?;
                let left = self.remove(known.participant.id, LeaveReason::Left, now);
                Ok(vec![left, self.come_in(id, join, now)])
            }
            None if self.counters.present >= PARTICIPANTS_MAX => Err(Refusal::Full),
            None => {
                let id = self.next_participant_id()?;
                Ok(vec![self.come_in(id, join, now)])
            }
        }
    }

    /// The next id; the last number is never given out, so that there always is a next.
    const fn next_participant_id(&self) -> Result<ParticipantId, Refusal> {
        match self.counters.next_participant {
            u32::MAX => Err(Refusal::Full),
            id => Ok(ParticipantId(id)),
        }
    }

    fn come_in(&mut self, id: ParticipantId, join: Join, now: UnixMillis) -> Event {
        self.counters.next_participant += 1;
        self.counters.present += 1;
        let present = join.present(id, now);
        let participant = present.participant.clone();
        self.participants.insert(id, present);
        self.happen(Happening::Joined(participant), now)
    }

    /// Somebody who is in comes again: under another relay, after a reload, or just once more.
    fn come_back(&mut self, known: &Present, join: Join, now: UnixMillis) -> Vec<Event> {
        let present = join.present(known.participant.id, known.participant.joined_at);
        if present == *known {
            return Vec::new();
        }
        let participant = present.participant.clone();
        self.participants.insert(participant.id, present);
        vec![self.happen(Happening::Joined(participant), now)]
    }

    fn leave(&mut self, leave: &Leave, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        match self.find(leave.participant) {
            Ok(present) if present.relay_session == leave.relay_session => {
                Ok(vec![self.remove(leave.participant, leave.reason, now)])
            }
            Ok(_) | Err(Refusal::HasLeft(_)) => Ok(Vec::new()),
            Err(refusal) => Err(refusal),
        }
    }

    fn set_muted(
        &mut self,
        id: ParticipantId,
        muted: bool,
        now: UnixMillis,
    ) -> Result<Vec<Event>, Refusal> {
        let ended = self.meeting.ended_at.is_some();
        let present = match self.find(id) {
            Err(Refusal::HasLeft(_)) if ended => return Err(Refusal::Ended),
            found => found?,
        };
        if present.participant.muted == muted {
            return Ok(Vec::new());
        }
        present.participant.muted = muted;
        Ok(vec![self.happen(Happening::Muted { participant: id, muted }, now)])
    }

    fn end(&mut self, now: UnixMillis) -> Vec<Event> {
        if self.meeting.ended_at.is_some() {
            return Vec::new();
        }
        let everybody: Vec<_> = self.participants.keys().copied().collect();
        let mut events: Vec<_> = everybody
            .into_iter()
            .map(|id| self.remove(id, LeaveReason::MeetingEnded, now))
            .collect();
        self.meeting.ended_at = Some(now);
        self.meeting.invites_at = None;
        events.push(self.happen(Happening::Ended, now));
        events
    }

    fn lose_relay(&mut self, relay_session: &RelaySessionId, now: UnixMillis) -> Vec<Event> {
        let lost: Vec<_> = self
            .participants
            .values()
            .filter(|present| present.relay_session == *relay_session)
            .map(|present| present.participant.id)
            .collect();
        lost.into_iter().map(|id| self.remove(id, LeaveReason::RelayLost, now)).collect()
    }

    fn find(&mut self, id: ParticipantId) -> Result<&mut Present, Refusal> {
        let has_been = (1..self.counters.next_participant).contains(&id.0);
        match self.participants.get_mut(&id) {
            Some(present) => Ok(present),
            None if has_been => Err(Refusal::HasLeft(id)),
            None => Err(Refusal::UnknownParticipant(id)),
        }
    }

    fn remove(&mut self, id: ParticipantId, reason: LeaveReason, now: UnixMillis) -> Event {
        self.participants.remove(&id);
        self.counters.present = self.counters.present.saturating_sub(1);
        self.happen(Happening::Left { participant: id, reason }, now)
    }

    fn happen(&mut self, what: Happening, now: UnixMillis) -> Event {
        let number = self.counters.next_event;
        self.counters.next_event += 1;
        Event { number, at: now, what }
    }
}

impl Join {
    fn present(self, id: ParticipantId, joined_at: UnixMillis) -> Present {
        let participant = Participant {
            id,
            user_id: self.user_id,
            display_name: self.display_name,
            guest: self.guest,
            relay_id: self.relay_id,
            relay_name: self.relay_name,
            muted: self.muted,
            joined_at,
        };
        Present { participant, key: self.key, relay_session: self.relay_session }
    }
}
