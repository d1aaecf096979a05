//! The state machine of one meeting.
//!
//! A state is the meeting, its counters, who is or was in, who is on the member list, whom hosts have
//! taken out, and what is attached. For one command not all of that is needed; [`Command::needs`] and
//! [`Operation::needs`](crate::Operation::needs) say what is, so that a join into a meeting of
//! thousands reads one row. Applying it to such a part and to the whole has the same outcome.

mod acting;
mod hosting;
mod joining;
mod managing;
mod operating;
mod reaching;

use std::collections::{BTreeMap, BTreeSet};

use tributary_identifiers::{AttachmentId, KeyThumbprint, ParticipantId, UserId};

use crate::{
    Attachment, Audience, Command, Event, Happening, Meeting, MeetingState, Present, Refusal, Role,
    UnixMillis,
};
pub use operating::Operated;

/// How many may be in one meeting at once: the largest that has been designed for.
pub const PARTICIPANTS_MAX: u32 = 5_000;

/// How many may wait in one lobby at once, beside those who are in.
pub const WAITING_MAX: u32 = 500;

/// Where a meeting's log and its participant ids are, and how much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The number of the next event.
    pub next_event: u64,
    /// The id of the next participant.
    pub next_participant: u32,
    /// How many are in or wait in the lobby.
    pub present: u32,
    /// How many of them wait in the lobby.
    pub waiting: u32,
    /// How many are on the member list.
    pub members: u32,
    /// How many files are attached.
    pub attachments: u32,
    /// Their bytes together.
    pub attachment_bytes: u64,
    /// When the last event happened; the next does not happen before it.
    pub last_event_at: UnixMillis,
}

impl Default for Counters {
    /// Of a new meeting with nobody but the organiser on the list.
    fn default() -> Self {
        Self {
            next_event: 1,
            next_participant: 1,
            present: 0,
            waiting: 0,
            members: 1,
            attachments: 0,
            attachment_bytes: 0,
            last_event_at: 0,
        }
    }
}

/// A meeting, or the part of it that a command needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    meeting: Meeting,
    counters: Counters,
    floor: MeetingState,
    participants: BTreeMap<ParticipantId, Present>,
    gone: BTreeMap<ParticipantId, Present>,
    members: BTreeMap<UserId, Role>,
    removed: BTreeSet<UserId>,
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
        Self {
            meeting,
            counters,
            floor: MeetingState::default(),
            participants: by_id(participants),
            gone: BTreeMap::new(),
            members: BTreeMap::new(),
            removed: BTreeSet::new(),
            attachments: BTreeMap::new(),
        }
    }

    /// With what is true of the meeting beside who is in it.
    #[must_use]
    pub const fn with_floor(mut self, floor: MeetingState) -> Self {
        self.floor = floor;
        self
    }

    /// With those who have left and are needed, as they last were.
    #[must_use]
    pub fn with_gone(mut self, gone: impl IntoIterator<Item = Present>) -> Self {
        self.gone.extend(by_id(gone));
        self
    }

    /// With those of the member list that are needed.
    #[must_use]
    pub fn with_members(mut self, members: impl IntoIterator<Item = (UserId, Role)>) -> Self {
        self.members.extend(members);
        self
    }

    /// With those whom hosts have taken out and who are needed.
    #[must_use]
    pub fn with_removed(mut self, users: impl IntoIterator<Item = UserId>) -> Self {
        self.removed.extend(users);
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

    /// What is true of the meeting beside who is in it.
    #[must_use]
    pub const fn floor(&self) -> MeetingState {
        self.floor
    }

    /// Who is in, of those that were given to [`State::new`] or have joined since, by id.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = &Present> {
        self.participants.values()
    }

    /// Who has left, of those that were given to [`State::with_gone`] or have left since, by id.
    pub fn gone(&self) -> impl ExactSizeIterator<Item = &Present> {
        self.gone.values()
    }

    /// One who is in.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Present> {
        self.participants.get(&id)
    }

    /// One who is or was in.
    #[must_use]
    pub fn place(&self, id: ParticipantId) -> Option<&Present> {
        self.participants.get(&id).or_else(|| self.gone.get(&id))
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

    /// Whom hosts have taken out, of those that were given to [`State::with_removed`] or since.
    pub fn removed(&self) -> impl ExactSizeIterator<Item = &UserId> {
        self.removed.iter()
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
        let now = self.event_time(now);
        match command {
            Command::Join(join) => self.join(join, now),
            Command::Leave(leave) => self.leave(&leave, now),
            Command::End => Ok(self.end(now)),
            Command::RelayLost { relay_session, silent } => {
                Ok(self.lose_relay(&relay_session, silent, now))
            }
            Command::SetReachable(set) => self.set_reachable(&set, now),
            Command::Update(update) => self.update(update, now),
            Command::SetMembers(set) => self.set_members(set, now),
            Command::RemoveMembers(remove) => self.remove_members(remove, now),
            Command::Attach(attach) => self.attach(attach, now),
            Command::Detach(detach) => self.detach(&detach, now),
            Command::Announce(announce) => self.announce(announce, now),
        }
    }

    /// When something happens that is applied now: clocks may differ, but time does not go back.
    fn event_time(&self, now: UnixMillis) -> UnixMillis {
        now.max(self.counters.last_event_at)
    }

    fn has_been(&self, id: ParticipantId) -> bool {
        (1..self.counters.next_participant).contains(&id.0)
    }

    /// Something happens that everybody is told.
    fn happen(&mut self, what: Happening, now: UnixMillis) -> Event {
        self.tell(None, what, now)
    }

    /// Something happens that some are told.
    fn tell(&mut self, audience: Option<Audience>, what: Happening, now: UnixMillis) -> Event {
        let number = self.counters.next_event;
        self.counters.next_event += 1;
        self.counters.last_event_at = now;
        Event { number, at: now, cause: None, audience, what }
    }
}

fn by_id(places: impl IntoIterator<Item = Present>) -> BTreeMap<ParticipantId, Present> {
    places.into_iter().map(|one| (one.participant.id, one)).collect()
}
