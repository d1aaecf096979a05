//! Waiting to be let in.

use std::time::Duration;

use tributary_contracts::{
    event::v1::{
        LeaveReason, Participant, ParticipantJoined, ParticipantLeft, Presence, meeting_event::Body,
    },
    operation::v1::SetHand,
    terminal::v1::{RefusalCode, Roster, relay_message::Body as Reply},
};
use tributary_identifiers::ParticipantId;
use tributary_terminal::{EndReason, Event, OperationBody, Options, Snapshot, Terminal};

use crate::stub_relay::{StubRelay, meeting_id};

const SOON: Duration = Duration::from_secs(20);

fn me(presence: Presence) -> Body {
    let presence = presence.into();
    let participant = Participant { participant_id: 1, presence, ..Participant::default() };
    Body::Joined(ParticipantJoined { participant: Some(participant) })
}

#[tokio::test]
async fn who_is_let_in_gets_sound_and_roster() {
    let relay = StubRelay::start().await;
    relay.open_lobby();
    let a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    let mut events = a.events();
    let snapshot = a.snapshot();
    assert!(snapshot.waiting && !snapshot.connected && snapshot.roster.is_empty());
    relay.say_event(me(Presence::Waiting));
    a.wait_until(|s| s.cursor == 1, SOON).await.unwrap();
    assert!(a.snapshot().waiting);
    assert_eq!(relay.count("media_offer"), 0);
    relay.say_event(me(Presence::Online));
    let ids = [1, 2].map(|participant_id| Participant { participant_id, ..Participant::default() });
    let roster = Roster { participants: ids.to_vec(), event_number: 2, ..Roster::default() };
    relay.say_of(&meeting_id().to_string(), Reply::Roster(roster));
    let snapshot = a.wait_until(|s| s.connected && s.roster.len() == 2, SOON).await.unwrap();
    assert!(!snapshot.waiting);
    let mut admitted = 0;
    while let Ok(event) = events.try_recv() {
        admitted += u32::from(event == Event::Admitted(meeting_id()));
    }
    assert_eq!((admitted, relay.count("media_offer")), (1, 1));
}

#[tokio::test]
async fn who_was_let_in_while_away_begins_with_a_roster() {
    let relay = StubRelay::start().await;
    relay.open_lobby();
    let a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    relay.say_event(me(Presence::Waiting));
    a.wait_until(|s| s.cursor == 1, SOON).await.unwrap();
    // Done in the lobby, it waits there too.
    let raised = a.submit(OperationBody::SetHand(SetHand { raised: true })).unwrap();
    relay.close_lobby();
    relay.drop_connections();
    let is_done = |s: &Snapshot| s.connected && s.operations.applied == 1;
    let snapshot = a.wait_until(is_done, SOON).await.unwrap();
    assert!(raised.outcome().await.unwrap().event_number().is_some());
    assert_eq!(snapshot.roster.len(), 1);
    assert!(!snapshot.waiting && snapshot.roster[&a.participant_id()].hand_raised > 0);
    assert_eq!(relay.joins().iter().map(|join| join.cursor).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(relay.operations().len(), 1);
}

#[tokio::test]
async fn whose_roster_was_lost_on_its_way_begins_with_another() {
    let relay = StubRelay::start().await;
    relay.open_lobby();
    let a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    relay.say_event(me(Presence::Waiting));
    relay.say_event(me(Presence::Online));
    a.wait_until(|s| !s.waiting && s.cursor == 2, SOON).await.unwrap();
    relay.close_lobby();
    relay.drop_connections();
    let came_back = || relay.joins().len() == 2;
    a.wait_until(|s| s.connections > 0 && s.connected && came_back(), SOON).await.unwrap();
    assert_eq!(relay.joins()[1].cursor, 0);
    // Only a roster tells names here.
    assert!(!a.snapshot().roster[&a.participant_id()].display_name.is_empty());
}

#[tokio::test]
async fn who_is_sent_away_is_out() {
    let relay = StubRelay::start().await;
    relay.open_lobby();
    let a = Terminal::join(Options::guest(&relay.url, "A", meeting_id())).await.unwrap();
    assert_eq!(a.participant_id(), ParticipantId(1));
    let reason = LeaveReason::NotAdmitted.into();
    let left = ParticipantLeft { participant_id: 1, reason, last_seen_at: None };
    relay.say_event(Body::Left(left));
    let snapshot = a.wait_until(|s| s.ended.is_some(), SOON).await.unwrap();
    assert!(matches!(snapshot.ended, Some(EndReason::Refused(RefusalCode::SentAway, _))));
}
