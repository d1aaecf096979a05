//! What people do in a meeting: seen by all whom it concerns, answered once, also after a while away.

use std::collections::BTreeSet;

use tributary_contracts::operation::v1::{
    AskToUnmute, CheckIn, LowerHand, MuteParticipant, RemoveParticipant, SetHand, SetHost,
    SetLocked, SetName, SetSpotlight,
};
use tributary_contracts::terminal::v1::RefusalCode;
use tributary_harness::Service;
use tributary_identifiers::ParticipantId;
use tributary_terminal::{EndReason, OperationBody, OperationRefusal, Outcome, Snapshot, Terminal};

use crate::room::{DEADLINE, Room, knows};

fn applied(outcome: Outcome) {
    assert!(outcome.event_number().is_some(), "{outcome:?}");
}

async fn does(terminal: &Terminal, body: OperationBody) {
    applied(terminal.operate(body).await.unwrap());
}

fn person(snapshot: &Snapshot, id: ParticipantId) -> tributary_terminal::Person {
    snapshot.roster[&id].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_is_seen_by_everybody_behind_every_relay() {
    let room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    let linus = room.guest(0, "Linus").await;
    let own = grace.participant_id();
    for terminal in [&host, &grace, &linus] {
        knows(terminal, |snapshot| snapshot.roster.len() == 3).await;
    }
    applied(linus.raise_hand(true).await.unwrap());
    applied(grace.raise_hand(true).await.unwrap());
    applied(grace.check_in().await.unwrap());
    applied(grace.chat("Good morning", &[]).await.unwrap());
    applied(grace.set_muted(true).await.unwrap());
    does(&grace, OperationBody::SetName(SetName { display_name: "Rear Admiral".into() })).await;
    for terminal in [&host, &grace, &linus] {
        let known = knows(terminal, |s| person(s, own).display_name == "Rear Admiral").await;
        let seen = person(&known, own);
        assert!(seen.hand_raised > person(&known, linus.participant_id()).hand_raised);
        assert!(seen.checked_in.is_some() && seen.muted, "{seen:?}");
        assert_eq!(known.chat.back().unwrap().text, "Good morning");
    }
    // All hands are up already.
    assert_eq!(linus.raise_hand(true).await.unwrap(), Outcome::NothingChanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_does_what_others_may_not() {
    let room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    let linus = room.guest(0, "Linus").await;
    let (whom, other) = (grace.participant_id(), linus.participant_id());
    let id = whom.0;
    knows(&host, |snapshot| snapshot.roster.len() == 3).await;
    applied(grace.raise_hand(true).await.unwrap());
    for body in [
        OperationBody::MuteParticipant(MuteParticipant { participant_id: id }),
        OperationBody::SetSpotlight(SetSpotlight { participant_id: id }),
        OperationBody::LowerHand(LowerHand { participant_id: id }),
        OperationBody::AskToUnmute(AskToUnmute { participant_id: id }),
        OperationBody::SetHost(SetHost { participant_id: id, host: true }),
    ] {
        let refused = linus.operate(body.clone()).await.unwrap();
        assert_eq!(refused.refusal(), Some(OperationRefusal::NotHost), "{body:?}");
        does(&host, body).await;
    }
    let known = knows(&grace, |s| s.asked_to_unmute == 1 && person(s, whom).host).await;
    assert!(known.muted && person(&known, whom).hand_raised == 0);
    assert_eq!(known.spotlight, Some(whom));
    assert_eq!(linus.snapshot().asked_to_unmute, 0);
    // Who was made a host is one.
    let mute = MuteParticipant { participant_id: other.0 };
    does(&grace, OperationBody::MuteParticipant(mute)).await;
    knows(&linus, |snapshot| snapshot.muted).await;
    applied(host.end_meeting().await.unwrap());
    for terminal in [&grace, &linus] {
        let ended = knows(terminal, |snapshot| snapshot.ended.is_some()).await.ended.unwrap();
        assert!(matches!(ended, EndReason::Refused(RefusalCode::MeetingEnded, _)), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_some_reaches_nobody_else() {
    let room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    let linus = room.guest(1, "Linus").await;
    knows(&host, |snapshot| snapshot.roster.len() == 3).await;
    applied(host.chat("for Grace alone", &[grace.participant_id()]).await.unwrap());
    applied(host.chat("for all", &[]).await.unwrap());
    let texts = |known: &Snapshot| -> Vec<String> {
        known.chat.iter().map(|line| line.text.clone()).collect()
    };
    let for_all =
        |snapshot: &Snapshot| snapshot.chat.back().is_some_and(|line| line.text == "for all");
    assert_eq!(texts(&knows(&grace, for_all).await), ["for Grace alone", "for all"]);
    assert_eq!(texts(&knows(&host, for_all).await), ["for Grace alone", "for all"]);
    assert_eq!(texts(&knows(&linus, for_all).await), ["for all"]);
    let wire = format!("{:?}", linus.records());
    assert!(
        wire.contains("for all") && !wire.contains("for Grace alone"),
        "it was sent all the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_while_the_relay_is_away_is_done_once_when_it_is_back() {
    let mut room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    room.world.kill(Service::Relay(1)).await.unwrap();
    let chats = ["one", "two", "three"].map(|text| {
        let chat = tributary_contracts::operation::v1::SendChat {
            text: text.to_owned(),
            to_participant_ids: Vec::new(),
        };
        grace.submit(OperationBody::SendChat(chat)).unwrap()
    });
    // The meeting goes on without her.
    applied(host.chat("meanwhile", &[]).await.unwrap());
    assert_eq!(grace.pending().len(), 3);
    room.world.start_service(Service::Relay(1)).await.unwrap();
    let mut numbers = Vec::new();
    for chat in chats {
        let outcome = tokio::time::timeout(2 * DEADLINE, chat.outcome()).await.unwrap().unwrap();
        numbers.push(outcome.event_number().unwrap());
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    for terminal in [&host, &grace] {
        let known = knows(terminal, |snapshot| snapshot.chat.len() == 4).await;
        let texts: Vec<_> = known.chat.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["meanwhile", "one", "two", "three"]);
        assert_eq!(known.repeated_events, 0);
    }
    assert_eq!(grace.pending().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_outlive_the_registry_and_nats() {
    let mut room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    for service in [Service::MeetingRegistry, Service::Nats] {
        room.world.kill(service).await.unwrap();
        let body = OperationBody::CheckIn(CheckIn {});
        let waiting: Vec<_> = (0..5).map(|_| grace.submit(body.clone()).unwrap()).collect();
        room.world.start_service(service).await.unwrap();
        for submitted in waiting {
            let outcome = tokio::time::timeout(4 * DEADLINE, submitted.outcome()).await;
            applied(outcome.unwrap().unwrap());
        }
    }
    let log = room.log().await;
    let causes: Vec<_> = log.iter().filter_map(|event| event.cause.clone()).collect();
    let ids: BTreeSet<_> = causes.iter().map(|cause| cause.operation_id.clone()).collect();
    assert_eq!((ids.len(), causes.len()), (10, 10));
    assert!(log.iter().zip(1..).all(|(event, number)| event.number == number));
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_wait_in_the_lobby_until_a_host_answers() {
    let room = Room::open_with(true).await;
    let host = room.host(0).await;
    let (grace, linus) = (room.guest(1, "Grace").await, room.guest(0, "Linus").await);
    for terminal in [&grace, &linus] {
        let waiting = knows(terminal, |snapshot| snapshot.waiting).await;
        assert!(waiting.roster.len() <= 1, "who waits sees nobody: {:?}", waiting.roster);
    }
    // Whoever waits does nothing; what they want is done when they are in.
    let hand = grace.submit(OperationBody::SetHand(SetHand { raised: true })).unwrap();
    let known = knows(&host, |snapshot| snapshot.roster.len() == 3).await;
    assert!(known.roster.values().all(|person| person.hand_raised == 0));
    applied(host.chat("before anybody else is in", &[]).await.unwrap());
    applied(host.admit(grace.participant_id(), true).await.unwrap());
    applied(host.admit(linus.participant_id(), false).await.unwrap());
    let known = knows(&grace, |snapshot| !snapshot.waiting && snapshot.roster.len() == 2).await;
    assert!(known.ended.is_none());
    let ended = knows(&linus, |snapshot| snapshot.ended.is_some()).await.ended.unwrap();
    assert!(matches!(ended, EndReason::Refused(RefusalCode::SentAway, _)), "{ended:?}");
    applied(hand.outcome().await.unwrap());
    let wire = format!("{:?}", linus.records());
    assert!(!wire.contains("before anybody else is in"), "who waits is told what is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_new_comes_into_a_locked_meeting() {
    let room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    does(&host, OperationBody::SetLocked(SetLocked { locked: true })).await;
    knows(&grace, |snapshot| snapshot.locked).await;
    let refused = room.try_guest(1, "Linus").await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalCode::MeetingLocked), "{refused}");
    does(&host, OperationBody::SetLocked(SetLocked { locked: false })).await;
    room.guest(1, "Linus").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_host_takes_out_does_not_come_back() {
    let room = Room::open().await;
    let user = room.directory.user("grace", "Grace", "a password for tests").await.unwrap();
    let (host, grace) = (room.host(0).await, room.user(1, &user).await.unwrap());
    let participant_id = grace.participant_id().0;
    knows(&host, |snapshot| snapshot.roster.len() == 2).await;
    let removal = RemoveParticipant { participant_id };
    does(&host, OperationBody::RemoveParticipant(removal)).await;
    let ended = knows(&grace, |snapshot| snapshot.ended.is_some()).await.ended.unwrap();
    assert!(matches!(ended, EndReason::Refused(RefusalCode::Removed, _)), "{ended:?}");
    knows(&host, |snapshot| snapshot.roster.len() == 1).await;
    for relay in [0, 1] {
        let refused = room.user(relay, &user).await.unwrap_err();
        assert_eq!(refused.refusal(), Some(RefusalCode::Removed), "{refused}");
    }
    // Until she is put on the member list.
    let role = tributary_contracts::registry::v1::MemberRole::Member;
    room.directory.set_members(&room.id.to_string(), &[(&user, role)]).await.unwrap();
    room.user(0, &user).await.unwrap();
}
