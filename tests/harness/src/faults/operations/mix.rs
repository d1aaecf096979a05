//! What people do: a seeded mix of everything that can be done again and again without ending the run.

use tributary_contracts::operation::v1::{
    AskToUnmute, CheckIn, LowerHand, MuteParticipant, OfflineReason, PresenceWish, SendChat,
    SetHand, SetHost, SetLocked, SetMuted, SetName, SetPresence, SetSpotlight, TalkTo,
};
use tributary_terminal::OperationBody;

use crate::seeded::Seeded;

/// Of so many operations of somebody who is no host, one is one that only hosts may do.
const PRESUMPTION: usize = 30;

/// Chooses what a participant does next. `others` are in the meeting beside.
pub fn next(seeded: &mut Seeded, host: bool, others: &[u32]) -> OperationBody {
    let own = seeded.below(100);
    let whom = seeded.one_of(others).copied().unwrap_or(1);
    if seeded.once_in(if host { 3 } else { PRESUMPTION }) {
        return of_hosts(seeded, whom);
    }
    let raised = seeded.once_in(2);
    match own {
        0..18 => OperationBody::SetHand(SetHand { raised }),
        18..40 => chat(seeded, Vec::new()),
        40..55 => chat(seeded, some(others, whom)),
        55..67 => OperationBody::CheckIn(CheckIn {}),
        67..80 => OperationBody::SetPresence(presence(seeded)),
        80..92 => OperationBody::SetMuted(SetMuted { muted: raised }),
        92..97 => OperationBody::SetName(SetName { display_name: format!("Nr. {}", whom + 1) }),
        _ => OperationBody::TalkTo(TalkTo {
            participant_ids: if raised { some(others, whom) } else { Vec::new() },
        }),
    }
}

fn of_hosts(seeded: &mut Seeded, whom: u32) -> OperationBody {
    let on = seeded.once_in(2);
    match seeded.below(7) {
        0 => OperationBody::MuteParticipant(MuteParticipant { participant_id: whom }),
        1 => OperationBody::AskToUnmute(AskToUnmute { participant_id: whom }),
        2 => OperationBody::LowerHand(LowerHand { participant_id: whom }),
        3 => OperationBody::LowerHand(LowerHand { participant_id: 0 }),
        4 => {
            OperationBody::SetSpotlight(SetSpotlight { participant_id: if on { whom } else { 0 } })
        }
        // Nobody may be kept out: who was killed comes back as somebody new.
        5 => OperationBody::SetLocked(SetLocked { locked: false }),
        _ => OperationBody::SetHost(SetHost { participant_id: whom, host: on }),
    }
}

fn chat(seeded: &mut Seeded, to_participant_ids: Vec<u32>) -> OperationBody {
    let text = format!("{:016x}", seeded.number());
    OperationBody::SendChat(SendChat { text, to_participant_ids })
}

fn presence(seeded: &mut Seeded) -> SetPresence {
    let (presence, reason) = match seeded.below(5) {
        0 | 1 => (PresenceWish::Away, OfflineReason::Unspecified),
        2 => (PresenceWish::Offline, OfflineReason::Interrupted),
        _ => (PresenceWish::Online, OfflineReason::Unspecified),
    };
    SetPresence { presence: presence.into(), reason: reason.into() }
}

/// One or two of them.
fn some(others: &[u32], whom: u32) -> Vec<u32> {
    let mut some = vec![whom];
    some.extend(others.first().copied().filter(|first| *first != whom));
    some
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn a_host_does_everything_and_a_seed_does_it_again() {
        let mut seeded = Seeded::new(1);
        let done: Vec<_> = (0..500).map(|_| next(&mut seeded, true, &[2, 3])).collect();
        assert_eq!(done.iter().map(discriminant).collect::<HashSet<_>>().len(), 13);
        let mut again = Seeded::new(1);
        assert!(done.iter().all(|body| *body == next(&mut again, true, &[2, 3])));
    }
}
