//! Who is in a meeting and what is true of it, made of events in the order of their numbers; and who
//! may see what of it. Pure.

use std::collections::BTreeMap;

use tributary_contracts::event::v1::{
    Audience, HandChanged, MeetingEvent, MeetingState, Participant, Presence, PresenceChanged,
    Talk, meeting_event::Body,
};
use tributary_identifiers::{ParticipantId, RelayId};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It was the next one.
    Next,
    /// It was known already.
    Known,
    /// Some before it are missing.
    Gap,
}

/// A meeting, up to an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    participants: BTreeMap<u32, Participant>,
    state: MeetingState,
    talks: BTreeMap<u32, Vec<u32>>,
    pub(super) event_number: u64,
}

impl Roster {
    pub(super) fn new(
        participants: Vec<Participant>,
        state: MeetingState,
        talks: Vec<Talk>,
        event_number: u64,
    ) -> Self {
        let participants = participants.into_iter().map(|p| (p.participant_id, p)).collect();
        let talks = talks.into_iter().map(|talk| (talk.participant_id, talk.target_ids)).collect();
        Self { participants, state, talks, event_number }
    }

    pub(super) fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.get(&id.0)
    }

    /// To whom alone a participant talks; empty: to everybody.
    pub(super) fn talk_of(&self, id: ParticipantId) -> &[u32] {
        self.talks.get(&id.0).map_or(&[], Vec::as_slice)
    }

    pub(super) fn apply(&mut self, event: &MeetingEvent) -> Applied {
        if event.number <= self.event_number {
            return Applied::Known;
        }
        if event.number > self.event_number + 1 {
            return Applied::Gap;
        }
        self.event_number = event.number;
        if let Some(body) = &event.body {
            self.change(event, body);
        }
        // An event of a newer version: its number counts, its content does not.
        Applied::Next
    }

    fn change(&mut self, event: &MeetingEvent, body: &Body) {
        match body {
            Body::Joined(joined) => {
                if let Some(participant) = &joined.participant {
                    self.participants.insert(participant.participant_id, participant.clone());
                }
            }
            Body::Left(left) => {
                self.participants.remove(&left.participant_id);
                self.talks.remove(&left.participant_id);
            }
            Body::Muted(muted) => self.with(muted.participant_id, |p| p.muted = muted.muted),
            Body::PresenceChanged(changed) => self.change_presence(*changed),
            Body::HandChanged(changed) => self.change_hand(*changed, event.number),
            Body::CheckedIn(checked) => {
                self.with(checked.participant_id, |p| p.checked_in_at = event.at);
            }
            Body::TalkChanged(changed) if changed.target_ids.is_empty() => {
                self.talks.remove(&changed.participant_id);
            }
            Body::TalkChanged(changed) => {
                self.talks.insert(changed.participant_id, changed.target_ids.clone());
            }
            Body::LockChanged(changed) => self.state.locked = changed.locked,
            Body::HostChanged(changed) => {
                self.with(changed.participant_id, |p| p.host = changed.host);
            }
            Body::SpotlightChanged(changed) => {
                self.state.spotlight_participant_id = changed.participant_id;
            }
            Body::NameChanged(changed) => {
                self.with(changed.participant_id, |p| {
                    p.display_name.clone_from(&changed.display_name)
                });
            }
            Body::Ended(_) => {
                self.participants.clear();
                self.talks.clear();
            }
            // Not about who is in and how.
            Body::MembersChanged(_)
            | Body::MeetingChanged(_)
            | Body::AttachmentsChanged(_)
            | Body::ChatMessage(_)
            | Body::AskedToUnmute(_)
            | Body::OperationRefused(_)
            | Body::OperationDone(_)
            | Body::Announcement(_) => {}
        }
    }

    fn with(&mut self, id: u32, change: impl FnOnce(&mut Participant)) {
        if let Some(participant) = self.participants.get_mut(&id) {
            change(participant);
        }
    }

    fn change_presence(&mut self, changed: PresenceChanged) {
        self.with(changed.participant_id, |participant| {
            participant.presence = changed.presence;
            participant.offline_reason = changed.reason;
            participant.unreachable = changed.unreachable;
        });
    }

    fn change_hand(&mut self, changed: HandChanged, number: u64) {
        let hand_raised = if changed.raised { number } else { 0 };
        self.with(changed.participant_id, |participant| participant.hand_raised = hand_raised);
    }
}

/// Whether a participant's terminal is behind this core relay, as far as is known.
pub(crate) fn is_carried_by(participant: &Participant, core: &RelayId) -> bool {
    let carrier = &participant.core_relay_id;
    carrier.is_empty() || carrier == core.as_str()
}

/// What one participant may see.
impl Roster {
    /// How a participant stands at this moment; `None` if it is not in.
    pub(super) fn standing(&self, id: ParticipantId) -> Option<Standing> {
        let participant = self.participant(id)?;
        let waiting = participant.presence() == Presence::Waiting;
        Some(Standing { id, waiting, host: participant.host && !waiting })
    }

    /// Who is in, as far as a participant may know: who waits in the lobby is shown to hosts, private
    /// talk to who takes part in it.
    pub(super) fn seen_by(&self, who: Standing) -> Seen {
        let is_shown = |p: &&Participant| who.host || p.presence() != Presence::Waiting;
        let concerns = |(talker, targets): &(&u32, &Vec<u32>)| {
            **talker == who.id.0 || targets.contains(&who.id.0)
        };
        let talk = |(talker, targets): (&u32, &Vec<u32>)| Talk {
            participant_id: *talker,
            target_ids: targets.clone(),
        };
        if who.waiting {
            return Seen { event_number: self.event_number, ..Seen::default() };
        }
        Seen {
            participants: self.participants.values().filter(is_shown).cloned().collect(),
            state: Some(self.state),
            talks: self.talks.iter().filter(concerns).map(talk).collect(),
            event_number: self.event_number,
        }
    }
}

/// How a participant stands in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: ParticipantId,
    /// In the lobby.
    pub(crate) waiting: bool,
    pub(crate) host: bool,
}

impl Standing {
    /// Whether this participant, attached to this relay, is told of an event.
    pub(crate) fn is_told(self, audience: Option<&Audience>, relay: &RelayId) -> bool {
        let Some(audience) = audience else { return !self.waiting };
        let of_relay = !audience.relay_id.is_empty() && audience.relay_id == relay.as_str();
        audience.participant_ids.contains(&self.id.0)
            || (!self.waiting && ((audience.hosts && self.host) || of_relay))
    }
}

/// What one participant sees of a meeting, up to an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) participants: Vec<Participant>,
    pub(crate) state: Option<MeetingState>,
    pub(crate) talks: Vec<Talk>,
    pub(crate) event_number: u64,
}

#[cfg(test)]
mod tests;
