//! Scheduled meetings invite their members when they begin: once, and whatever happens in between.

use std::time::Duration;

use tributary_meeting_registry_core::{
    Caller, Command, NoticeKind, Occasion, RemoveMembers, Update,
};
use tributary_meeting_registry_server::{Outbox, Scheduler, Store};
use tributary_message_bus::subjects::MeetingScope;

use crate::{Base, millis, on_both};

on_both!(
    everybody_on_the_list_is_invited_when_the_meeting_begins,
    a_beginning_is_found_after_a_restart,
    a_beginning_missed_by_over_an_hour_invites_nobody,
    schedulers_of_replicas_that_look_at_once_invite_once,
    a_meeting_that_is_moved_invites_again,
    a_meeting_that_ends_early_invites_nobody,
    who_is_added_around_the_beginning_is_invited_once,
    many_meetings_begin_at_once,
    who_was_taken_off_the_list_is_not_invited_any_more,
);

const HOUR: Duration = Duration::from_secs(3600);

async fn look(store: &Store) -> usize {
    Scheduler::new(store.clone()).look().await.unwrap()
}

async fn occasions(base: &Base, name: &str) -> Vec<Occasion> {
    let invitation = |kind| match kind {
        NoticeKind::Invitation(occasion) => occasion,
        other => panic!("{other:?}"),
    };
    base.notices(name).await.into_iter().map(|notice| invitation(notice.kind)).collect()
}

async fn move_to(base: &Base, meeting: &MeetingScope, after: Duration) -> u64 {
    let starts_at = base.now() + millis(after);
    let update = Update {
        by: Caller::User("ann".parse().unwrap()),
        subject: None,
        starts_at: Some(starts_at),
        lobby: None,
        password: None,
    };
    base.registry.update(meeting, update, None).await.unwrap();
    starts_at
}

async fn everybody_on_the_list_is_invited_when_the_meeting_begins(base: Base) {
    let meeting = base.scheduled(HOUR, &["bob", "cleo"]).await;
    base.pass(HOUR - Duration::from_millis(1));
    assert_eq!(look(&base.store).await, 0);
    base.pass(Duration::from_millis(1));
    let starts_at = base.now();
    assert_eq!(look(&base.store).await, 3);
    assert_eq!(look(&base.store).await, 0, "once");
    for name in ["ann", "bob", "cleo"] {
        let notices = base.notices(name).await;
        assert_eq!(occasions(&base, name).await, [Occasion::Begins { starts_at }], "{name}");
        let notice = &notices[0];
        assert_eq!((notice.meeting, notice.subject.as_str()), (meeting.meeting, "Planning"));
        assert_eq!((notice.from.shown(), notice.at), ("Ann", starts_at));
    }
    let untold = base.store.untold(Outbox::Notices, 10).await.unwrap();
    assert_eq!(untold.len(), 3);
    assert!(base.store.untold(Outbox::Events, 10).await.unwrap().is_empty());
}

async fn a_beginning_is_found_after_a_restart(base: Base) {
    base.scheduled(HOUR, &["bob"]).await;
    let base = base.restart().await;
    base.pass(HOUR + Duration::from_secs(50 * 60));
    let base = base.restart().await;
    assert_eq!(look(&base.store).await, 2, "the service was away when it began");
    let base = base.restart().await;
    assert_eq!(look(&base.store).await, 0, "and knows that it has invited");
    assert_eq!(occasions(&base, "bob").await.len(), 1);
}

async fn a_beginning_missed_by_over_an_hour_invites_nobody(base: Base) {
    let meeting = base.scheduled(HOUR, &["bob"]).await;
    base.pass(HOUR * 2 + Duration::from_millis(1));
    assert_eq!(look(&base.store).await, 0);
    assert_eq!(occasions(&base, "bob").await, []);
    assert!(base.store.beginning(base.now(), 10).await.unwrap().is_empty(), "done with");
    base.add(&meeting, "cleo").await;
    assert_eq!(occasions(&base, "cleo").await, [Occasion::Added], "it runs all the same");
}

async fn schedulers_of_replicas_that_look_at_once_invite_once(base: Base) {
    let replica = base.another_replica().await;
    for _ in 0..5 {
        base.scheduled(HOUR, &["bob", "cleo", "dan"]).await;
    }
    base.pass(HOUR);
    let looking: Vec<_> = (0..8)
        .map(|number| {
            let store = if number % 2 == 0 { base.store.clone() } else { replica.clone() };
            tokio::spawn(async move { look(&store).await })
        })
        .collect();
    let mut invited = 0;
    for one in looking {
        invited += one.await.unwrap();
    }
    assert_eq!(invited, 20);
    assert_eq!(base.store.untold(Outbox::Notices, 100).await.unwrap().len(), 20);
    for name in ["ann", "bob", "cleo", "dan"] {
        assert_eq!(base.notices(name).await.len(), 5, "{name}");
    }
}

async fn a_meeting_that_is_moved_invites_again(base: Base) {
    let meeting = base.scheduled(HOUR, &["bob"]).await;
    let later = move_to(&base, &meeting, HOUR * 2).await;
    base.pass(HOUR);
    assert_eq!(look(&base.store).await, 0, "it was moved before it began");
    base.pass(HOUR);
    assert_eq!(look(&base.store).await, 2);
    move_to(&base, &meeting, Duration::ZERO).await;
    assert_eq!(look(&base.store).await, 0, "to the same time: not moved");
    let again = move_to(&base, &meeting, HOUR).await;
    base.pass(HOUR);
    assert_eq!(look(&base.store).await, 2);
    let expected = [later, again].map(|starts_at| Occasion::Begins { starts_at });
    assert_eq!(occasions(&base, "bob").await, expected);
}

async fn a_meeting_that_ends_early_invites_nobody(base: Base) {
    let meeting = base.scheduled(HOUR, &["bob"]).await;
    let deleted = base.scheduled(HOUR, &["bob"]).await;
    base.end(&meeting).await;
    base.registry.delete(&deleted).await.unwrap();
    base.pass(HOUR);
    assert_eq!(look(&base.store).await, 0);
    assert_eq!(base.notices("bob").await, []);
}

async fn who_is_added_around_the_beginning_is_invited_once(base: Base) {
    let meeting = base.scheduled(HOUR, &[]).await;
    base.add(&meeting, "before").await;
    assert_eq!(occasions(&base, "before").await, [], "it has not begun");
    base.pass(HOUR);
    base.add(&meeting, "between").await;
    assert_eq!(look(&base.store).await, 3);
    base.add(&meeting, "after").await;
    assert_eq!(look(&base.store).await, 0);
    let begins = Occasion::Begins { starts_at: base.now() };
    assert_eq!(occasions(&base, "before").await, [begins]);
    assert_eq!(occasions(&base, "between").await, [begins]);
    assert_eq!(occasions(&base, "after").await, [Occasion::Added]);
}

async fn many_meetings_begin_at_once(base: Base) {
    for _ in 0..230 {
        base.scheduled(HOUR, &[]).await;
    }
    base.pass(HOUR);
    assert_eq!(look(&base.store).await, 230, "more than are looked up at once");
    assert_eq!(base.notices("ann").await.len(), 100, "as many as are listed");
}

async fn who_was_taken_off_the_list_is_not_invited_any_more(base: Base) {
    let meeting = base.scheduled(HOUR, &["bob", "cleo"]).await;
    base.pass(HOUR);
    look(&base.store).await;
    let members = ["bob".parse().unwrap()].into();
    let remove = Command::RemoveMembers(RemoveMembers { by: Caller::Platform, members });
    base.registry.apply(&meeting, remove).await.unwrap();
    assert_eq!(base.notices("bob").await, []);
    let untold = base.store.untold(Outbox::Notices, 10).await.unwrap();
    assert_eq!(untold.len(), 2, "nor told any more");
    base.add(&meeting, "bob").await;
    assert_eq!(occasions(&base, "bob").await, [Occasion::Added], "who comes back is");
}
