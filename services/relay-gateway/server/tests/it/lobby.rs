//! Who waits to be let in, and who is told of it.

use tributary_contracts::{
    access::v1::Role,
    event::v1::{
        Announcement, ChatMessage, HostChanged, LeaveReason, MeetingEnded, meeting_event::Body,
    },
    operation::v1::{CheckIn, operation::Body as Act},
    terminal::v1::{
        MediaOffer, ReadChat, ReadMeeting, RefusalCode, RelayMessage, relay_message::Body as Said,
        terminal_message::Body as Ask,
    },
};

use crate::{
    fake_access::Verdict,
    fake_log::{hosts_and, left, only},
    person::{Person, code},
    world::{World, meeting},
};

fn said(text: &str) -> Body {
    Body::Announcement(Announcement { text: text.into() })
}

/// A meeting whose organiser is in, and with a lobby.
async fn with_lobby(world: &World) -> (Person, u32) {
    world.open([1]);
    world.registry.log(&meeting(1).to_string(), |log| log.lobby = true);
    let ada = Person::enter(world, "ada").await;
    world.registry.log(&meeting(1).to_string(), |log| log.lobby = false);
    let id = ada.join(1).await.participant_id;
    world.registry.log(&meeting(1).to_string(), |log| log.lobby = true);
    (ada, id)
}

async fn admit(world: &World, who: u32, by: u32) {
    let event = world.registry.log(&meeting(1).to_string(), |log| log.admit(who, by));
    world.publish(1, &event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_sees_and_does_nothing_until_a_host_lets_them_in() {
    let world = World::start().await;
    let (mut ada, host) = with_lobby(&world).await;
    let mut eve = Person::enter(&world, "eve").await;
    let joined = eve.join(1).await;
    let own = joined.participant_id;
    assert!(joined.waiting);
    let roster = joined.roster.unwrap();
    assert_eq!((roster.participants.len(), roster.event_number), (0, 2));
    assert_eq!(ada.next_numbers(1).await, [2]);

    let offer = || Ask::MediaOffer(MediaOffer { sdp: "v=0".into() });
    assert_eq!(code(eve.ask(offer()).await), RefusalCode::OutOfOrder);
    let chat = Ask::ReadChat(ReadChat::default());
    assert_eq!(code(eve.ask(chat.clone()).await), RefusalCode::OutOfOrder);
    let operation = eve.operation(1, own, Act::CheckIn(CheckIn {}));
    assert_eq!(code(eve.operate(&operation).await), RefusalCode::OutOfOrder);

    world.emit(1, said("to everybody who is in")).await;
    world.emit_to(1, said("to hosts"), hosts_and(&[]), None).await;
    world.emit_to(1, said("to who waits"), only(&[own]), None).await;
    assert_eq!(eve.next_numbers(1).await, [5]);
    assert_eq!(ada.next_numbers(2).await, [3, 4]);

    admit(&world, own, host).await;
    assert_eq!(eve.next_numbers(1).await, [6]);
    let Some(RelayMessage { body: Some(Said::Roster(roster)), meeting_id, .. }) = eve.next().await
    else {
        panic!("no roster")
    };
    assert_eq!((roster.participants.len(), roster.event_number), (2, 6));
    assert_eq!(meeting_id, meeting(1).to_string());
    assert_eq!(code(eve.ask(offer()).await), RefusalCode::BadSessionDescription);
    assert!(matches!(eve.ask(chat).await, Ok(Said::Chat(_))));
    world.emit(1, said("to everybody who is in")).await;
    assert_eq!(eve.next_numbers(1).await, [7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in_while_away_gets_the_roster_when_they_come_back() {
    for is_answered in [true, false] {
        let world = World::start().await;
        let (_ada, host) = with_lobby(&world).await;
        let eve = Person::enter(&world, "eve").await;
        let joined = eve.join(1).await;
        let own = joined.participant_id;
        let cursor = joined.roster.unwrap().event_number;
        let mut again = eve.again().await;
        drop(eve);
        // By a host, or because the lobby was switched off.
        let event = world.registry.log(&meeting(1).to_string(), |log| match is_answered {
            true => log.admit(own, host),
            false => log.let_in(own, None),
        });
        world.publish(1, &event).await;
        let joined = again.resume(1, cursor).await;
        assert!(!joined.waiting && joined.roster.is_none());
        assert_eq!(again.next_numbers(2).await, [3, 4]);
        let rosters = again.next().await.and_then(|message| message.body);
        assert!(matches!(rosters, Some(Said::Roster(roster)) if roster.participants.len() == 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_sent_away_is_told_so() {
    let world = World::start().await;
    let (mut ada, _) = with_lobby(&world).await;
    let mut eve = Person::enter(&world, "eve").await;
    let own = eve.join(1).await.participant_id;
    world.emit_to(1, left(own, LeaveReason::NotAdmitted), hosts_and(&[own]), None).await;
    assert_eq!(eve.next_numbers(1).await, [3]);
    assert_eq!(eve.next_refusal().await, (RefusalCode::SentAway, meeting(1).to_string()));
    assert_eq!(eve.is_closed().await, Some(1000));
    assert_eq!(ada.next_numbers(2).await, [2, 3]);

    // Who waits when the meeting ends hears that it is over, and nothing else.
    let mut bob = Person::enter(&world, "bob").await;
    assert!(bob.join(1).await.waiting);
    world.emit(1, Body::Ended(MeetingEnded {})).await;
    assert_eq!(bob.next_refusal().await, (RefusalCode::MeetingEnded, meeting(1).to_string()));
}

/// The roster that comes next: who is in it, and up to which event.
async fn next_roster(person: &mut Person) -> (Vec<u32>, u64) {
    let roster = match person.next().await.and_then(|message| message.body) {
        Some(Said::Roster(roster)) => roster,
        other => panic!("{other:?}"),
    };
    (roster.participants.iter().map(|p| p.participant_id).collect(), roster.event_number)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_shown_outside_to_hosts_only_and_a_meeting_with_a_lobby_to_no_outsider() {
    let world = World::start().await;
    let (_ada, host) = with_lobby(&world).await;
    let eve = Person::enter(&world, "eve").await;
    let waiting = eve.join(1).await.participant_id;
    for (role, lobby, expected) in [
        (Role::Outsider, true, vec![]),
        (Role::Outsider, false, vec![host]),
        (Role::Member, true, vec![host]),
        (Role::Host, true, vec![host, waiting]),
        (Role::Organiser, true, vec![host, waiting]),
    ] {
        world.registry.log(&meeting(1).to_string(), |log| log.lobby = lobby);
        world.access.decide(meeting(1), Verdict::Allowed(role));
        let read = ReadMeeting {
            identity_token: eve.token.clone(),
            meeting_id: meeting(1).to_string(),
            ..ReadMeeting::default()
        };
        let details = match eve.ask(Ask::ReadMeeting(read)).await.unwrap() {
            Said::MeetingDetails(details) => details,
            other => panic!("{other:?}"),
        };
        let ids: Vec<_> = details.participants.iter().map(|p| p.participant_id).collect();
        assert_eq!(ids, expected, "{role:?}, lobby: {lobby}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_host_sees_who_waits_and_what_only_hosts_see() {
    let world = World::start().await;
    let (mut ada, host) = with_lobby(&world).await;
    world.registry.log(&meeting(1).to_string(), |log| log.lobby = false);
    let mut dan = Person::enter(&world, "dan").await;
    let joined = dan.join(1).await;
    let own = joined.participant_id;
    world.registry.log(&meeting(1).to_string(), |log| log.lobby = true);
    let eve = Person::enter(&world, "eve").await;
    let waiting = eve.join(1).await.participant_id;
    world.emit_to(1, said("to hosts"), hosts_and(&[]), None).await;
    world.emit(1, said("to all")).await;
    // Neither the waiting one's coming nor what is for hosts.
    assert_eq!(dan.next_numbers(1).await, [5]);
    world.emit(1, Body::HostChanged(HostChanged { participant_id: own, host: true })).await;
    assert_eq!(dan.next_numbers(1).await, [6]);
    assert_eq!(next_roster(&mut dan).await, (vec![host, own, waiting], 6));
    world.emit_to(1, said("to hosts"), hosts_and(&[]), None).await;
    assert_eq!(dan.next_numbers(1).await, [7]);
    world.emit(1, Body::HostChanged(HostChanged { participant_id: own, host: false })).await;
    assert_eq!(dan.next_numbers(1).await, [8]);
    assert_eq!(
        next_roster(&mut dan).await,
        (vec![host, own], 8),
        "who waits is not shown any more"
    );
    world.emit_to(1, said("to hosts"), hosts_and(&[]), None).await;
    world.emit(1, said("to all")).await;
    assert_eq!(dan.next_numbers(1).await, [10]);
    assert_eq!(ada.next_numbers(9).await, (2..=10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn private_chat_never_reaches_a_third_terminal() {
    let world = World::start().await;
    world.open([1]);
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let person = Person::enter(&world, name).await;
        let id = person.join(1).await.participant_id;
        people.push((person, id));
    }
    let [ada, bob, eve] = [0, 1, 2].map(|position| people[position].1);
    let private = |text: &str| {
        let to_participant_ids = vec![bob];
        let text = text.to_owned();
        Body::ChatMessage(ChatMessage {
            participant_id: ada,
            text,
            to_participant_ids,
            ..<_>::default()
        })
    };
    for _ in 0..50 {
        world.emit_to(1, private("psst"), only(&[ada, bob]), None).await;
    }
    world.emit(1, said("to all")).await;
    let mut seen = Vec::new();
    for (person, _) in &mut people {
        let mut count = 0;
        loop {
            match person.next_event().await.body {
                Some(Body::ChatMessage(_)) => count += 1,
                Some(Body::Announcement(_)) => break,
                _ => {}
            }
        }
        seen.push(count);
    }
    assert_eq!(seen, [50, 50, 0]);
    // Nor when it comes back from before them.
    let mut again = people[2].0.again().await;
    let joined = again.resume(1, 3).await;
    assert_eq!(joined.participant_id, eve);
    assert_eq!(again.next_numbers(2).await, [54, 55]);
}
