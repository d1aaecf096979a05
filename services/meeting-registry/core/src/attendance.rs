//! Who was there, through which relay, from when to when, and who checked in: from the events alone.
//!
//! A stay begins when somebody comes in or is online or away again, and ends when they leave or go
//! offline. Moving to another relay does not end it. Who was lost was there until last heard of.
//!
//! **Invariants:** stays of one participant follow one another and never overlap; a stay never ends
//! before it begins.

mod text;

use std::collections::BTreeMap;

use tributary_identifiers::{ParticipantId, RelayId, UserId};

use crate::{DisplayName, Event, Happening, Participant, Presence, RelayName, UnixMillis};

/// The attendance of everybody after some events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttendanceReport {
    participants: BTreeMap<ParticipantId, Attendance>,
}

/// One participant's attendance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// Number in the meeting.
    pub participant: ParticipantId,
    /// The account or guest.
    pub user_id: UserId,
    /// The name shown to others, the last one.
    pub display_name: DisplayName,
    /// True for somebody without an account.
    pub guest: bool,
    /// When the participant was there, in order.
    pub stays: Vec<Stay>,
    /// When the participant checked in, in order.
    pub checked_in_at: Vec<UnixMillis>,
    /// The relay it is attached to now.
    relay: (RelayId, RelayName),
}

/// A time in which a participant was there, online or away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// From when.
    pub from: UnixMillis,
    /// To when; `None` while it goes on.
    pub to: Option<UnixMillis>,
    /// Through which relay it began.
    pub relay_id: RelayId,
    /// The name of that relay.
    pub relay_name: RelayName,
    /// True if the participant was lost, so that the end is when it was last heard of.
    pub inferred: bool,
}

impl AttendanceReport {
    /// Takes the next event in. Those that say nothing of attendance can be left out.
    pub fn take(&mut self, event: &Event) {
        match &event.what {
            Happening::Joined(participant) => self.come(participant, event.at),
            Happening::PresenceChanged { participant, presence, .. } => {
                if let Some(one) = self.participants.get_mut(participant) {
                    one.be(*presence, event.at);
                }
            }
            Happening::Left { participant, reason, last_seen_at } => {
                if let Some(one) = self.participants.get_mut(participant) {
                    // Who left by choice was there until then, however late that was told.
                    let to = last_seen_at.unwrap_or(event.at).min(event.at);
                    one.end(to, reason.is_loss());
                }
            }
            Happening::CheckedIn { participant } => {
                if let Some(one) = self.participants.get_mut(participant) {
                    one.checked_in_at.push(event.at);
                }
            }
            Happening::NameChanged { participant, name } => {
                if let Some(one) = self.participants.get_mut(participant) {
                    one.display_name = name.clone();
                }
            }
            Happening::Ended => {
                for one in self.participants.values_mut() {
                    one.end(event.at, false);
                }
            }
            _ => {}
        }
    }

    /// Who was there or checked in, by participant id; not who was in the lobby only.
    pub fn attendances(&self) -> impl Iterator<Item = &Attendance> {
        self.participants.values().filter(|one| one.was_there())
    }

    /// Those after one of them, at most `limit`.
    pub fn page(
        &self,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> impl Iterator<Item = &Attendance> {
        self.attendances()
            .filter(move |one| after.is_none_or(|id| one.participant > id))
            .take(limit)
    }

    fn come(&mut self, participant: &Participant, at: UnixMillis) {
        let one = self.participants.entry(participant.id).or_insert_with(|| Attendance {
            participant: participant.id,
            user_id: participant.user_id.clone(),
            display_name: participant.display_name.clone(),
            guest: participant.guest,
            stays: Vec::new(),
            checked_in_at: Vec::new(),
            relay: (participant.relay_id.clone(), participant.relay_name.clone()),
        });
        one.display_name.clone_from(&participant.display_name);
        one.guest = participant.guest;
        one.relay = (participant.relay_id.clone(), participant.relay_name.clone());
        one.be(participant.presence, at);
    }
}

impl Attendance {
    /// All stays together, in ms; one that goes on counts up to `now`.
    #[must_use]
    pub fn present_ms(&self, now: UnixMillis) -> UnixMillis {
        self.stays.iter().map(|stay| stay.length_ms(now)).sum()
    }

    fn was_there(&self) -> bool {
        !self.stays.is_empty() || !self.checked_in_at.is_empty()
    }

    fn be(&mut self, presence: Presence, at: UnixMillis) {
        if !matches!(presence, Presence::Online | Presence::Away) {
            self.end(at, false);
        } else if self.stays.last().is_none_or(|stay| stay.to.is_some()) {
            let (relay_id, relay_name) = self.relay.clone();
            self.stays.push(Stay { from: at, to: None, relay_id, relay_name, inferred: false });
        }
    }

    fn end(&mut self, to: UnixMillis, inferred: bool) {
        if let Some(stay) = self.stays.last_mut().filter(|stay| stay.to.is_none()) {
            (stay.to, stay.inferred) = (Some(to.max(stay.from)), inferred);
        }
    }
}

impl Stay {
    /// Its length in ms; up to `now` while it goes on.
    #[must_use]
    pub fn length_ms(&self, now: UnixMillis) -> UnixMillis {
        self.to.unwrap_or(now).saturating_sub(self.from)
    }
}
