//! Who is in a meeting, made of events in the order of their numbers.

use std::collections::BTreeMap;

use tributary_contracts::event::v1::{MeetingEvent, Participant, meeting_event::Body};

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

/// Who is in a meeting.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    pub(super) participants: BTreeMap<u32, Participant>,
    pub(super) event_number: u64,
}

impl Roster {
    pub(super) fn new(participants: Vec<Participant>, event_number: u64) -> Self {
        let participants = participants.into_iter().map(|p| (p.participant_id, p)).collect();
        Self { participants, event_number }
    }

    pub(super) fn apply(&mut self, event: &MeetingEvent) -> Applied {
        if event.number <= self.event_number {
            return Applied::Known;
        }
        if event.number > self.event_number + 1 {
            return Applied::Gap;
        }
        self.event_number = event.number;
        match &event.body {
            Some(Body::Joined(joined)) => {
                if let Some(participant) = &joined.participant {
                    self.participants.insert(participant.participant_id, participant.clone());
                }
            }
            Some(Body::Left(left)) => {
                self.participants.remove(&left.participant_id);
            }
            Some(Body::Muted(muted)) => {
                if let Some(participant) = self.participants.get_mut(&muted.participant_id) {
                    participant.muted = muted.muted;
                }
            }
            Some(Body::Ended(_)) => self.participants.clear(),
            // Not about who is in.
            Some(
                Body::MembersChanged(_) | Body::MeetingChanged(_) | Body::AttachmentsChanged(_),
            )
            // An event of a newer version: its number counts, its content does not.
            | None => {}
        }
        Applied::Next
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::{
        AttachmentsChanged, MeetingChanged, MembersChanged, ParticipantJoined, ParticipantLeft,
        ParticipantMuted,
    };

    use super::*;

    fn event(number: u64, body: Body) -> MeetingEvent {
        MeetingEvent { number, body: Some(body), ..MeetingEvent::default() }
    }

    fn joined(participant_id: u32) -> Body {
        let participant = Participant { participant_id, ..Participant::default() };
        Body::Joined(ParticipantJoined { participant: Some(participant) })
    }

    #[test]
    fn events_about_the_meeting_count_and_change_nobody() {
        let mut roster = Roster::default();
        roster.apply(&event(1, joined(1)));
        let before = roster.participants.clone();
        let members = Body::MembersChanged(MembersChanged { members: 3, removed: 0 });
        let changed = Body::MeetingChanged(MeetingChanged { subject: "New".into() });
        let attached = Body::AttachmentsChanged(AttachmentsChanged { attachments: 1 });
        for (number, body) in (2..).zip([members, changed, attached]) {
            assert_eq!(roster.apply(&event(number, body)), Applied::Next);
        }
        assert_eq!((roster.participants, roster.event_number), (before, 4));
    }

    #[test]
    fn events_apply_in_order_once_and_gaps_are_told() {
        let mut roster = Roster::default();
        assert_eq!(roster.apply(&event(1, joined(1))), Applied::Next);
        assert_eq!(roster.apply(&event(1, joined(2))), Applied::Known);
        assert_eq!(roster.apply(&event(3, joined(3))), Applied::Gap);
        let muted = Body::Muted(ParticipantMuted { participant_id: 1, muted: true });
        assert_eq!(roster.apply(&event(2, muted)), Applied::Next);
        assert!(roster.participants.get(&1).is_some_and(|participant| participant.muted));
        let left = Body::Left(ParticipantLeft { participant_id: 1, reason: 1 });
        assert_eq!(roster.apply(&event(3, left)), Applied::Next);
        assert!(roster.participants.is_empty());
    }
}
