//! What an event means for the participant of a connection.

use tributary_contracts::event::v1::{LeaveReason, MeetingEvent, meeting_event::Body};
use tributary_identifiers::{ParticipantId, RelayId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Ended,
    /// The terminal has come back by another relay.
    Elsewhere,
    /// By a host, for good.
    Removed,
    /// By a host, from the lobby.
    SentAway,
    /// It was taken for lost.
    TakenOut,
}

pub(super) fn own_fate(event: &MeetingEvent, own: ParticipantId, relay: &RelayId) -> Fate {
    match &event.body {
        Some(Body::Ended(_)) => Fate::Ended,
        Some(Body::Left(left)) if left.participant_id == own.0 => match left.reason() {
            LeaveReason::MeetingEnded => Fate::Stays,
            LeaveReason::Removed => Fate::Removed,
            LeaveReason::NotAdmitted => Fate::SentAway,
            _ => Fate::TakenOut,
        },
        Some(Body::Joined(joined)) => match &joined.participant {
            Some(participant)
                if participant.participant_id == own.0
                    && participant.relay_id != relay.as_str() =>
            {
                Fate::Elsewhere
            }
            _ => Fate::Stays,
        },
        _ => Fate::Stays,
    }
}
