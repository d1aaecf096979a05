//! The state machine of one meeting.
//!
//! A state is two things: the meeting's counters, and participants who are in. For one command not
//! all of them are needed; [`Command::needs`] says which, so that a join into a meeting of thousands
//! reads one row. Applying a command to such a part and to the whole has the same outcome.

use std::collections::BTreeMap;

use tributary_identifiers::{KeyThumbprint, ParticipantId, RelayId, RelaySessionId, UserId};

use crate::{
    DisplayName, Event, Happening, LeaveReason, Participant, Present, RelayName, UnixMillis,
};

/// How many may be in one meeting at once: the largest that has been designed for.
pub const PARTICIPANTS_MAX: u32 = 5_000;

/// Where a meeting's log and its participant ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The number of the next event.
    pub next_event: u64,
    /// The id of the next participant.
    pub next_participant: u32,
    /// How many are in.
    pub present: u32,
    /// When the meeting ended, if it has.
    pub ended_at: Option<UnixMillis>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { next_event: 1, next_participant: 1, present: 0, ended_at: None }
    }
}

/// A meeting, or the part of it that a command needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    counters: Counters,
    participants: BTreeMap<ParticipantId, Present>,
}

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A terminal comes in, or comes back.
    Join(Join),
    /// A relay says that a participant has left.
    Leave(Leave),
    /// A participant switches the own microphone.
    SetMuted {
        /// Who.
        participant: ParticipantId,
        /// The state from now on.
        muted: bool,
    },
    /// The meeting ends for everybody.
    End,
    /// A relay is gone with all who are behind it.
    RelayLost {
        /// The run of its process.
        relay_session: RelaySessionId,
    },
}

/// A terminal comes in, or comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The user.
    pub user_id: UserId,
    /// The name shown to others.
    pub display_name: DisplayName,
    /// True for somebody without an account.
    pub guest: bool,
    /// The terminal's key.
    pub key: KeyThumbprint,
    /// The relay it is attached to.
    pub relay_id: RelayId,
    /// That relay's name.
    pub relay_name: RelayName,
    /// The run of the relay's process.
    pub relay_session: RelaySessionId,
    /// True if the microphone is off.
    pub muted: bool,
}

/// A relay says that a participant has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Who.
    pub participant: ParticipantId,
    /// Who says so; not heard if the participant has come back under another.
    pub relay_session: RelaySessionId,
    /// Why.
    pub reason: LeaveReason,
}

/// Which of those who are in a command needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs<'a> {
    /// Who has this key.
    Key(&'a KeyThumbprint),
    /// This one.
    Participant(ParticipantId),
    /// Those kept in by this run of a relay.
    RelaySession(&'a RelaySessionId),
    /// All.
    Everybody,
}

/// Why a command can't be applied. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The meeting is over.
    #[error("the meeting has ended")]
    Ended,
    /// As many are in as may be.
    #[error("the meeting is full: {PARTICIPANTS_MAX} participants are in")]
    Full,
    /// That participant is not in any more.
    #[error("participant {0} has left the meeting")]
    HasLeft(ParticipantId),
    /// There has never been such a participant.
    #[error("there is no participant {0} in the meeting")]
    UnknownParticipant(ParticipantId),
}

impl Command {
    /// Which of those who are in must be in the state that this is applied to.
    #[must_use]
    pub const fn needs(&self) -> Needs<'_> {
        match self {
            Self::Join(join) => Needs::Key(&join.key),
            Self::Leave(leave) => Needs::Participant(leave.participant),
            Self::SetMuted { participant, .. } => Needs::Participant(*participant),
            Self::End => Needs::Everybody,
            Self::RelayLost { relay_session } => Needs::RelaySession(relay_session),
        }
    }
}

impl Needs<'_> {
    /// Whether `present` is one of them.
    #[must_use]
    pub fn include(&self, present: &Present) -> bool {
        match self {
            Self::Key(key) => present.key == **key,
            Self::Participant(id) => present.participant.id == *id,
            Self::RelaySession(session) => present.relay_session == **session,
            Self::Everybody => true,
        }
    }
}

impl State {
    /// As read from a store: the counters, and at least those who are in and needed.
    #[must_use]
    pub fn new(counters: Counters, participants: impl IntoIterator<Item = Present>) -> Self {
        let participants = participants.into_iter().map(|one| (one.participant.id, one)).collect();
        Self { counters, participants }
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
        }
    }

    fn join(&mut self, join: Join, now: UnixMillis) -> Result<Vec<Event>, Refusal> {
        if self.counters.ended_at.is_some() {
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
        let ended = self.counters.ended_at.is_some();
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
        if self.counters.ended_at.is_some() {
            return Vec::new();
        }
        let everybody: Vec<_> = self.participants.keys().copied().collect();
        let mut events: Vec<_> = everybody
            .into_iter()
            .map(|id| self.remove(id, LeaveReason::MeetingEnded, now))
            .collect();
        self.counters.ended_at = Some(now);
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
