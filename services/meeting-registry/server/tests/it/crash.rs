//! A process that ends in the middle leaves all or nothing, and the next goes on where it was.

use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::Command;
use tributary_meeting_registry_server::Outbox;

use crate::{Base, join, on_both};

on_both!(a_restart_goes_on_with_the_next_number_and_id, callers_who_give_up_leave_all_or_nothing,);

async fn a_restart_goes_on_with_the_next_number_and_id(base: Base) {
    let meeting = base.meeting().await;
    base.join(&meeting, 1, 1).await;
    base.join(&meeting, 2, 1).await;
    let before = base.store.roster(&meeting).await.unwrap();
    let base = base.restart().await;
    assert_eq!(base.store.roster(&meeting).await.unwrap(), before);
    assert_eq!(
        base.store.untold(Outbox::Events, 10).await.unwrap().len(),
        2,
        "nothing is forgotten"
    );
    assert_eq!(base.join(&meeting, 1, 1).await.id, ParticipantId(1), "it is still in");
    assert_eq!(base.join(&meeting, 3, 1).await.id, ParticipantId(3));
    assert_eq!(base.store.roster(&meeting).await.unwrap().1.event_number(), 3);
}

async fn callers_who_give_up_leave_all_or_nothing(base: Base) {
    let meeting = base.meeting().await;
    for who in 0..40_u32 {
        let (store, meeting) = (base.store.clone(), meeting.clone());
        let command = Command::Join(join(who, 1));
        let calling =
            tokio::spawn(async move { store.apply(&meeting, command, crate::START).await });
        // Further into the call each time.
        for _ in 0..who {
            tokio::task::yield_now().await;
        }
        calling.abort();
        let _ = calling.await;
    }
    let base = base.restart().await;
    let events = base.store.events(&meeting, 0, 500).await.unwrap().len();
    let (_, roster) = base.store.roster(&meeting).await.unwrap();
    assert_eq!(roster.participants().len(), events);
    assert_eq!(roster.event_number(), events as u64);
    assert_eq!(base.store.untold(Outbox::Events, 500).await.unwrap().len(), events);
    let next = u32::try_from(events).unwrap() + 1;
    assert_eq!(base.join(&meeting, 99, 1).await.id, ParticipantId(next));
}
