//! What an event means for the participant of a connection.

use tributary_contracts::event::v1::{LeaveReason, MeetingEvent, Participant, meeting_event::Body};
use tributary_identifiers::{ParticipantId, RelayId};

use crate::meetings::is_carried_by;

/// Where a connection's participant is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// The relay that its terminal is attached to.
    pub(super) relay: &'a RelayId,
    /// The core relay that the connection is one of.
    pub(super) core: &'a RelayId,
}

impl Way<'_> {
    /// Whether a participant is there by this way. A relay that has gone to another core is the same
    /// relay, but another way.
    fn leads_to(self, participant: &Participant) -> bool {
        participant.relay_id == self.relay.as_str() && is_carried_by(participant, self.core)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Ended,
    /// The terminal has come back by another way.
    Elsewhere,
    /// By a host, for good.
    Removed,
    /// By a host, from the lobby.
    SentAway,
    /// It was taken for lost.
    TakenOut,
}

pub(super) fn own_fate(event: &MeetingEvent, own: ParticipantId, way: Way<'_>) -> Fate {
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
                if participant.participant_id == own.0 && !way.leads_to(participant) =>
            {
                Fate::Elsewhere
            }
            _ => Fate::Stays,
        },
        _ => Fate::Stays,
    }
}

#[cfg(test)]
mod tests {
    use tributary_contracts::event::v1::ParticipantJoined;

    use super::*;

    fn fate(relay_id: &str, core_relay_id: &str, participant_id: u32) -> Fate {
        let (relay_id, core_relay_id) = (relay_id.to_owned(), core_relay_id.to_owned());
        let participant =
            Some(Participant { participant_id, relay_id, core_relay_id, ..<_>::default() });
        let body = Some(Body::Joined(ParticipantJoined { participant }));
        let (relay, core) = ("office".parse().unwrap(), "core-a".parse().unwrap());
        let way = Way { relay: &relay, core: &core };
        own_fate(&MeetingEvent { body, ..MeetingEvent::default() }, ParticipantId(7), way)
    }

    #[test]
    fn who_has_come_back_by_another_relay_or_another_core_is_elsewhere() {
        assert_eq!(fate("office", "core-a", 7), Fate::Stays);
        assert_eq!(fate("office", "core-b", 7), Fate::Elsewhere);
        assert_eq!(fate("branch", "core-a", 7), Fate::Elsewhere);
        assert_eq!(fate("core-b", "core-b", 7), Fate::Elsewhere);
        // Others come as they please.
        assert_eq!(fate("branch", "core-b", 8), Fate::Stays);
    }

    #[test]
    fn where_nobody_says_which_core_it_is_the_relay_counts() {
        assert_eq!(fate("office", "", 7), Fate::Stays);
        assert_eq!(fate("branch", "", 7), Fate::Elsewhere);
    }
}
