//! What is read from the log: the chat, who was there, announcements.

use std::time::Duration;

use prost::Message as _;
use tributary_contracts::event::v1::{MeetingEvent, meeting_event::Body};
use tributary_identifiers::ParticipantId;
use tributary_meeting_registry_core::{
    Act, Announce, Audience, Command, Leave, LeaveReason, OfflineReason, Presence, Refusal,
};
use tributary_meeting_registry_server::StoreError;
use tributary_message_bus::subjects::MeetingScope;

use crate::{
    Base,
    acts::{answer, received, with_three_in},
    join, on_both, session,
};

on_both!(
    everybody_reads_what_is_for_them_page_by_page,
    an_announcement_is_made_once_and_read_by_whom_it_is_for,
    attendance_is_read_from_the_log_and_survives_restarts_and_clocks,
    organisers_and_hosts_may_read_who_was_there,
    a_long_log_is_read_to_its_end,
    pages_of_long_messages_are_bounded_in_bytes,
);

fn say(text: &str, to: &[u32]) -> Act {
    Act::SendChat { text: text.into(), to: to.iter().map(|id| ParticipantId(*id)).collect() }
}

async fn chat(
    base: &Base,
    meeting: &MeetingScope,
    who: u32,
    before: Option<u64>,
    limit: u64,
) -> Vec<(u64, String)> {
    let read = base.store.chat(meeting, ParticipantId(who), before, limit).await.unwrap();
    read.iter()
        .map(|event| {
            let event = MeetingEvent::decode(event.as_slice()).unwrap();
            match event.body.unwrap() {
                Body::ChatMessage(message) => (event.number, message.text),
                Body::Announcement(announcement) => (event.number, announcement.text),
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

fn texts(chat: Vec<(u64, String)>) -> Vec<String> {
    chat.into_iter().map(|(_, text)| text).collect()
}

async fn everybody_reads_what_is_for_them_page_by_page(base: Base) {
    let meeting = with_three_in(&base).await;
    let mut sequence = 0;
    let mut send = async |who: u32, text: &str, to: &[u32]| {
        sequence += 1;
        answer(&base, &meeting, &received(who, if who == 1 { sequence } else { 1 }, say(text, to)))
            .await;
    };
    send(1, "one", &[]).await;
    send(1, "two, for Bob", &[2]).await;
    send(1, "three, for Cleo", &[3]).await;
    send(1, "four", &[]).await;
    send(2, "five, for Ann", &[1]).await;
    let all = chat(&base, &meeting, 1, None, 10).await;
    assert_eq!(
        texts(all.clone()),
        ["one", "two, for Bob", "three, for Cleo", "four", "five, for Ann"]
    );
    let of_bob = texts(chat(&base, &meeting, 2, None, 10).await);
    assert_eq!(of_bob, ["one", "two, for Bob", "four", "five, for Ann"]);
    assert_eq!(texts(chat(&base, &meeting, 3, None, 10).await), ["one", "three, for Cleo", "four"]);
    assert_eq!(texts(chat(&base, &meeting, 3, None, 2).await), ["three, for Cleo", "four"]);
    let before = all[2].0;
    assert_eq!(texts(chat(&base, &meeting, 3, Some(before), 2).await), ["one"]);
    assert_eq!(chat(&base, &meeting, 3, Some(0), 2).await, []);
    // Participant 13 is not among those who are named by 1 or 3.
    for who in 4..=13 {
        base.join(&meeting, who, 1).await;
    }
    assert_eq!(texts(chat(&base, &meeting, 13, None, 10).await), ["one", "four"]);
    let nobody = base.store.chat(&meeting, ParticipantId(99), None, 10).await.unwrap_err();
    assert!(matches!(nobody, StoreError::Refused(Refusal::UnknownParticipant(_))));
}

async fn an_announcement_is_made_once_and_read_by_whom_it_is_for(base: Base) {
    let meeting = with_three_in(&base).await;
    base.join(&meeting, 4, 2).await;
    let announce = async |request: &str, text: &str, audience: Option<Audience>| {
        let announce = Announce { text: text.parse().unwrap(), audience };
        base.registry.announce(&meeting, &request.parse().unwrap(), announce).await
    };
    let relay = Audience { relay: Some("relay-2".parse().unwrap()), ..Audience::default() };
    let hosts = Audience { hosts: true, ..Audience::default() };
    assert_eq!(announce("a", "to all", None).await.unwrap(), 5);
    assert_eq!(announce("b", "to relay 2", Some(relay)).await.unwrap(), 6);
    assert_eq!(announce("c", "to Bob", Some(Audience::of([ParticipantId(2)]))).await.unwrap(), 7);
    assert_eq!(announce("d", "to hosts", Some(hosts)).await.unwrap(), 8);
    assert_eq!(announce("a", "to all", None).await.unwrap(), 5, "once for one request");
    let nobody = announce("e", "x", Some(Audience::of([ParticipantId(9)]))).await.unwrap_err();
    assert!(matches!(nobody, StoreError::Refused(Refusal::UnknownParticipant(_))));
    for (who, expected) in [
        (1, vec!["to all", "to hosts"]),
        (2, vec!["to all", "to Bob"]),
        (3, vec!["to all"]),
        (4, vec!["to all", "to relay 2"]),
    ] {
        assert_eq!(texts(chat(&base, &meeting, who, None, 10).await), expected, "{who}");
    }
    base.end(&meeting).await;
    let late = announce("f", "x", None).await.unwrap_err();
    assert!(matches!(late, StoreError::Refused(Refusal::Ended)));
    assert_eq!(announce("c", "to Bob", None).await.unwrap(), 7, "also after the end");
}

async fn attendance_is_read_from_the_log_and_survives_restarts_and_clocks(base: Base) {
    let meeting = with_three_in(&base).await;
    base.pass(Duration::from_secs(10));
    answer(&base, &meeting, &received(2, 1, Act::CheckIn)).await;
    let offline = Presence::Offline(OfflineReason::Interrupted);
    answer(&base, &meeting, &received(2, 2, Act::SetPresence(offline))).await;
    base.pass(Duration::from_secs(10));
    let base = base.restart().await;
    answer(&base, &meeting, &received(2, 3, Act::SetPresence(Presence::Online))).await;
    answer(&base, &meeting, &received(2, 4, Act::SetName("Bobby".into()))).await;
    base.pass(Duration::from_secs(20));
    let lost = Leave {
        participant: ParticipantId(2),
        relay_session: session(1),
        reason: LeaveReason::TerminalLost,
        silent: 9_000,
    };
    base.registry.apply(&meeting, Command::Leave(lost)).await.unwrap();
    base.turn_back(Duration::from_secs(35));
    base.registry.join(&meeting, join(2, 2)).await.unwrap();
    base.pass(Duration::from_secs(40));
    base.end(&meeting).await;

    let base = base.restart().await;
    let (_, report) = base.store.attendance(&meeting).await.unwrap();
    let bob = report.attendances().nth(1).unwrap();
    let stays: Vec<_> = bob
        .stays
        .iter()
        .map(|stay| {
            let end = stay.to.unwrap() - crate::START;
            (stay.from - crate::START, end, stay.relay_id.as_str(), stay.inferred)
        })
        .collect();
    let expected = [
        (0, 10_000, "relay-1", false),
        (20_000, 31_000, "relay-1", true),
        (40_000, 45_000, "relay-2", false),
    ];
    assert_eq!(stays, expected);
    assert_eq!((bob.display_name.as_str(), bob.present_ms(base.now())), ("Bobby", 26_000));
    assert_eq!(bob.checked_in_at, [crate::START + 10_000]);
    assert_eq!(report.csv(base.now()).lines().count(), 1 + 1 + 3 + 1);
}

async fn organisers_and_hosts_may_read_who_was_there(base: Base) {
    let meeting = with_three_in(&base).await;
    base.add(&meeting, "user-3").await;
    let host = Act::SetHost { participant: ParticipantId(2), host: true };
    answer(&base, &meeting, &received(1, 1, host)).await;
    for (user, may) in [("ann", true), ("user-2", true), ("user-3", false), ("eve", false)] {
        let found = base.store.may_export(&meeting, &user.parse().unwrap()).await;
        match found {
            Ok(()) => assert!(may, "{user}"),
            Err(StoreError::Refused(Refusal::NotManager)) => assert!(!may, "{user}"),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_long_log_is_read_to_its_end(base: Base) {
    let meeting = base.meeting().await;
    for who in 0..260 {
        base.store.apply(&meeting, Command::Join(join(who, 1)), base.now()).await.unwrap();
    }
    base.pass(Duration::from_secs(5));
    base.end(&meeting).await;
    let (_, report) = base.store.attendance(&meeting).await.unwrap();
    assert_eq!(report.attendances().count(), 260);
    assert!(report.attendances().all(|one| one.present_ms(u64::MAX) == 5_000));
}

async fn pages_of_long_messages_are_bounded_in_bytes(base: Base) {
    const MESSAGES: u64 = 120;
    const PAGE: usize = 1 << 20;
    let meeting = with_three_in(&base).await;
    for sequence in 1..=MESSAGES {
        answer(&base, &meeting, &received(2, sequence, say(&"王".repeat(4_000), &[]))).await;
    }
    let bytes = |page: &[Vec<u8>]| page.iter().map(Vec::len).sum::<usize>();
    let number = |event: &[u8]| MeetingEvent::decode(event).unwrap().number;
    let (mut numbers, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let after = numbers.last().copied().unwrap_or(0);
        let page = base.store.events(&meeting, after, 500).await.unwrap();
        if page.is_empty() {
            break;
        }
        sizes.push(bytes(&page));
        numbers.extend(page.iter().map(|event| number(event)));
    }
    assert_eq!(numbers, (1..=3 + MESSAGES).collect::<Vec<_>>(), "no gap, no twin");
    assert!(sizes.iter().all(|size| *size <= PAGE), "{sizes:?}");
    assert!(sizes[0] > PAGE / 2, "not smaller than needed: {sizes:?}");

    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let page = base.store.chat(&meeting, ParticipantId(1), before, 100).await.unwrap();
        assert!(bytes(&page) <= PAGE);
        let Some(first) = page.first() else { break };
        before = Some(number(first));
        read.splice(..0, page.iter().map(|event| number(event)));
    }
    assert_eq!(read, (4..=3 + MESSAGES).collect::<Vec<_>>());
    let (_, report) = base.store.attendance(&meeting).await.unwrap();
    assert_eq!(report.attendances().count(), 3, "the whole log is read");
}
