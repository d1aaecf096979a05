//! Who is in, as told by the events alone.

use std::collections::BTreeMap;

use tributary_identifiers::{ParticipantId, RelayId};

use crate::{Event, Happening, Participant, RelayName};

/// Everybody who is in a meeting after some event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    participants: BTreeMap<ParticipantId, Participant>,
    event_number: u64,
    ended: bool,
}

/// The participants behind one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The relay.
    pub relay_id: &'a RelayId,
    /// Its name, as the participant who came last to it knows it.
    pub relay_name: &'a RelayName,
    /// Who, by participant id.
    pub participants: Vec<&'a Participant>,
}

/// The event is not the one after those that the roster includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {found} where event {expected} was expected")]
pub struct OutOfOrder {
    /// The number of the next event.
    pub expected: u64,
    /// The number of the event that came.
    pub found: u64,
}

impl Roster {
    /// As read from a store: who is in after event `event_number`.
    #[must_use]
    pub fn at(
        event_number: u64,
        ended: bool,
        participants: impl IntoIterator<Item = Participant>,
    ) -> Self {
        let participants = participants.into_iter().map(|one| (one.id, one)).collect();
        Self { participants, event_number, ended }
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// It is not the next.
    pub fn apply(&mut self, event: &Event) -> Result<(), OutOfOrder> {
        let expected = self.event_number + 1;
        if event.number != expected {
            return Err(OutOfOrder { expected, found: event.number });
        }
        self.event_number = expected;
        match &event.what {
            Happening::Joined(participant) => {
                self.participants.insert(participant.id, participant.clone());
            }
            Happening::Left { participant, .. } => {
                self.participants.remove(participant);
            }
            Happening::Muted { participant, muted } => {
                if let Some(participant) = self.participants.get_mut(participant) {
                    participant.muted = *muted;
                }
            }
            Happening::Ended => self.ended = true,
            Happening::MembersChanged(_)
            | Happening::MeetingChanged
            | Happening::AttachmentsChanged(_) => {}
        }
        Ok(())
    }

    /// Everybody, by participant id.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = &Participant> {
        self.participants.values()
    }

    /// The number of the last event that this includes, 0 if none.
    #[must_use]
    pub const fn event_number(&self) -> u64 {
        self.event_number
    }

    /// Whether the meeting is over.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Everybody by relay, in the order of relay ids.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups = BTreeMap::<&RelayId, Group<'_>>::new();
        for participant in self.participants.values() {
            let (relay_id, relay_name) = (&participant.relay_id, &participant.relay_name);
            let group = groups.entry(relay_id).or_insert_with(|| Group {
                relay_id,
                relay_name,
                participants: Vec::new(),
            });
            group.relay_name = relay_name;
            group.participants.push(participant);
        }
        groups.into_values().collect()
    }
}
