//! Who is in, as told by the events alone.

use std::collections::{BTreeMap, BTreeSet};

use tributary_identifiers::{ParticipantId, RelayId};

use crate::{Event, Happening, MeetingState, Participant, RelayName, RelayPath};

/// Everybody who is in a meeting after some event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    participants: BTreeMap<ParticipantId, Participant>,
    event_number: u64,
    ended: bool,
    state: MeetingState,
    talks: BTreeMap<ParticipantId, BTreeSet<ParticipantId>>,
}

/// The participants behind one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The relay.
    pub relay_id: &'a RelayId,
    /// Its name, as the participant who came last to it knows it.
    pub relay_name: &'a RelayName,
    /// How many relays lie between the core and it, itself included, as that participant knows it.
    pub relay_depth: u32,
    /// Which these are, as that participant knows it.
    pub relay_path: &'a RelayPath,
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
        let (state, talks) = (MeetingState::default(), BTreeMap::new());
        Self { participants, event_number, ended, state, talks }
    }

    /// With what is true of the meeting beside who is in it.
    #[must_use]
    pub const fn with_state(mut self, state: MeetingState) -> Self {
        self.state = state;
        self
    }

    /// With who talks to whom only.
    #[must_use]
    pub fn with_talks(
        mut self,
        talks: impl IntoIterator<Item = (ParticipantId, BTreeSet<ParticipantId>)>,
    ) -> Self {
        self.talks.extend(talks.into_iter().filter(|(_, targets)| !targets.is_empty()));
        self
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
        self.take(event);
        Ok(())
    }

    fn take(&mut self, event: &Event) {
        match &event.what {
            Happening::Joined(participant) => {
                self.participants.insert(participant.id, participant.clone());
            }
            Happening::Left { participant, .. } => {
                self.participants.remove(participant);
                self.talks.remove(participant);
                if self.state.spotlight == Some(*participant) {
                    self.state.spotlight = None;
                }
            }
            Happening::Muted { participant, muted, .. } => {
                self.change(*participant, |one| one.muted = *muted);
            }
            Happening::PresenceChanged { participant, presence, unreachable } => {
                self.change(*participant, |one| {
                    (one.presence, one.unreachable) = (*presence, *unreachable);
                });
            }
            Happening::HandChanged { participant, raised, .. } => {
                let hand_raised = if *raised { event.number } else { 0 };
                self.change(*participant, |one| one.hand_raised = hand_raised);
            }
            Happening::CheckedIn { participant } => {
                self.change(*participant, |one| one.checked_in_at = Some(event.at));
            }
            Happening::HostChanged { participant, host } => {
                self.change(*participant, |one| one.host = *host);
            }
            Happening::NameChanged { participant, name } => {
                self.change(*participant, |one| one.display_name = name.clone());
            }
            Happening::TalkChanged { participant, targets } if targets.is_empty() => {
                self.talks.remove(participant);
            }
            Happening::TalkChanged { participant, targets } => {
                self.talks.insert(*participant, targets.clone());
            }
            Happening::LockChanged { locked } => self.state.locked = *locked,
            Happening::SpotlightChanged { participant } => self.state.spotlight = *participant,
            Happening::Ended => self.ended = true,
            Happening::MembersChanged(_)
            | Happening::MeetingChanged
            | Happening::AttachmentsChanged(_)
            | Happening::ChatMessage(_)
            | Happening::AskedToUnmute { .. }
            | Happening::OperationRefused { .. }
            | Happening::OperationDone
            | Happening::Announcement(_) => {}
        }
    }

    fn change(&mut self, id: ParticipantId, how: impl FnOnce(&mut Participant)) {
        if let Some(participant) = self.participants.get_mut(&id) {
            how(participant);
        }
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

    /// What is true of the meeting beside who is in it.
    #[must_use]
    pub const fn state(&self) -> MeetingState {
        self.state
    }

    /// Who talks to some only, and to whom.
    pub fn talks(
        &self,
    ) -> impl ExactSizeIterator<Item = (ParticipantId, &BTreeSet<ParticipantId>)> {
        self.talks.iter().map(|(id, targets)| (*id, targets))
    }

    /// Everybody by relay, in the order of relay ids.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups = BTreeMap::<&RelayId, Group<'_>>::new();
        for participant in self.participants.values() {
            let Participant { relay_id, relay_name, relay_path, .. } = participant;
            let relay_depth = participant.relay_depth;
            let group = groups.entry(relay_id).or_insert_with(|| Group {
                relay_id,
                relay_name,
                relay_depth,
                relay_path,
                participants: Vec::new(),
            });
            group.relay_name = relay_name;
            (group.relay_depth, group.relay_path) = (relay_depth, relay_path);
            group.participants.push(participant);
        }
        groups.into_values().collect()
    }
}
