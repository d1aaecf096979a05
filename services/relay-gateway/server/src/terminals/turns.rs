//! One after the other: what is told to the registry about a participant, joining and leaving, in the
//! order in which it is meant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;
use tributary_identifiers::{KeyThumbprint, UserId};
use tributary_message_bus::subjects::MeetingScope;

/// Who is one participant, for ever: a user through one terminal in one meeting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) scope: MeetingScope,
    pub(crate) user: UserId,
    pub(crate) key: KeyThumbprint,
}

/// The turns of everybody for whom somebody waits.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Who, Arc<tokio::sync::Mutex<()>>>>);

/// It is one's turn; it ends when dropped.
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] OwnedMutexGuard<()>);

impl Turns {
    /// Waits until nobody else has it.
    pub(super) async fn take(&self, who: &Who) -> Turn {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody holds or waits for the others.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(who.clone()).or_default().clone()
        };
        Turn(turn.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use tributary_identifiers::{MeetingId, OrganisationId};

    use super::*;

    fn who(user: &str) -> Who {
        let meeting = MeetingId::try_from(1 << 60).unwrap();
        Who {
            scope: MeetingScope { organisation: OrganisationId::default(), meeting },
            user: user.parse().unwrap(),
            key: "thumbprint".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn one_at_a_time_for_each_participant_and_what_is_over_is_forgotten() {
        let turns = Turns::default();
        let first = turns.take(&who("ada")).await;
        let _other = turns.take(&who("bob")).await;
        let waiting = who("ada");
        let mut second = std::pin::pin!(turns.take(&waiting));
        tokio::select! {
            biased;
            _ = &mut second => panic!("two at a time"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        drop(second.await);
        let _third = turns.take(&who("eve")).await;
        assert_eq!(turns.0.lock().unwrap().len(), 2);
    }
}
