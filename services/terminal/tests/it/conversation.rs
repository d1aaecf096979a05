//! Joining, talking, hearing, switching the microphone, leaving.

use std::{collections::HashSet, time::Duration};

use tributary_contracts::{
    event::v1::{Participant, ParticipantJoined, ParticipantLeft, meeting_event},
    terminal::v1::{Speakers, relay_message::Body as Reply},
};
use tributary_identifiers::ParticipantId;
use tributary_terminal::{
    AudioSource, Direction, Event, IdentitySource, MeetingTarget, Options, PacketRecord, Terminal,
};

use crate::stub_relay::{StubRelay, meeting_id};

const SOON: Duration = Duration::from_secs(20);

pub fn tone(hz: f32) -> AudioSource {
    AudioSource::Tone { hz, level_dbfs: -20.0 }
}

fn guest(relay: &StubRelay, name: &str) -> Options {
    let mut options = Options::guest(&relay.url, name, meeting_id());
    options.listen_for_hz = vec![440.0, 550.0, 660.0];
    options.record_packets = true;
    options
}

fn audible(terminal: &Terminal, direction: Direction) -> Vec<PacketRecord> {
    let packets = terminal.packets().into_iter();
    packets.filter(|p| p.direction == direction && p.level.is_some_and(|l| l < 127)).collect()
}

#[tokio::test]
async fn each_hears_the_others_tones_and_not_its_own() {
    let relay = StubRelay::start().await;
    let mut options = guest(&relay, "A");
    options.source = tone(440.0);
    let a = Terminal::join(options).await.unwrap();
    let mut options = guest(&relay, "B");
    options.source = tone(550.0);
    let b = Terminal::join(options).await.unwrap();
    assert_eq!((a.participant_id(), b.participant_id()), (ParticipantId(1), ParticipantId(2)));
    assert_eq!(b.snapshot().subject, "Tests");
    a.wait_until(|s| s.hearing.heard_ms(550.0) >= 1_000, SOON).await.unwrap();
    b.wait_until(|s| s.hearing.heard_ms(440.0) >= 1_000, SOON).await.unwrap();
    assert_eq!((a.hearing().heard_ms(440.0), b.hearing().heard_ms(550.0)), (0, 0));
    assert_eq!((a.hearing().heard_ms(660.0), a.hearing().undecodable), (0, 0));
    a.set_source(AudioSource::Silence);
    b.wait_until(
        |s| s.hearing.last.is_some_and(|at| at.elapsed() > Duration::from_millis(300)),
        SOON,
    )
    .await
    .unwrap();
    b.reset_hearing();
    a.set_source(tone(660.0));
    b.wait_until(|s| s.hearing.heard_ms(660.0) >= 500, SOON).await.unwrap();
    assert_eq!(b.hearing().heard_ms(440.0), 0);
}

#[tokio::test]
async fn the_packet_log_shows_that_the_very_bytes_arrived() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay, "A")).await.unwrap();
    let b = Terminal::join(guest(&relay, "B")).await.unwrap();
    a.reset_packets();
    b.reset_packets();
    a.set_source(tone(440.0));
    b.wait_until(|s| s.hearing.packets >= 150, SOON).await.unwrap();
    let sent = audible(&a, Direction::Sent);
    let received = audible(&b, Direction::Received);
    let digests: HashSet<u64> = sent.iter().map(|packet| packet.digest).collect();
    assert_eq!(digests.len(), sent.len(), "two packets of a tone are alike");
    assert!(received.len() >= 150);
    for packet in &received {
        let original = sent.iter().find(|sent| sent.digest == packet.digest).expect("sent before");
        assert_eq!(
            (original.media_time, original.bytes, original.level),
            (packet.media_time, packet.bytes, packet.level)
        );
        assert!(packet.at >= original.at);
    }
}

#[tokio::test]
async fn a_microphone_that_is_off_sends_silence_as_a_browsers_does() {
    let relay = StubRelay::start().await;
    let mut options = guest(&relay, "A");
    options.source = tone(440.0);
    options.muted = true;
    let a = Terminal::join(options).await.unwrap();
    assert!(relay.joins()[0].muted);
    let paces = |packets: &[PacketRecord]| {
        let steps = packets.windows(2).map(|w| w[1].media_time.wrapping_sub(w[0].media_time));
        steps.filter(|step| *step == 960).count()
    };
    a.wait_until(|_| a.packets().len() >= 50, SOON).await.unwrap();
    let muted = a.packets();
    assert!(muted.iter().all(|packet| packet.level == Some(127)));
    assert!(paces(&muted) >= 40, "silence goes on at 50 packets per second");
    a.set_muted(false).await.unwrap();
    a.wait_until(|s| !s.muted && audible(&a, Direction::Sent).len() > 20, SOON).await.unwrap();
    a.set_muted(true).await.unwrap();
    let id = a.participant_id();
    let snapshot = a.wait_until(|s| s.roster[&id].muted, SOON).await.unwrap();
    assert!(snapshot.muted);
    assert_eq!(relay.count("operate"), 2);
    a.reset_packets();
    a.wait_until(|_| a.packets().len() >= 20, SOON).await.unwrap();
    // The frame that was being made when the microphone went off, and the fade after it.
    let sent = a.packets();
    let tail = sent.iter().filter(|packet| packet.direction == Direction::Sent).skip(2);
    assert!(audible(&a, Direction::Sent).len() <= 2, "silence after the fade: {sent:?}");
    assert!(tail.count() >= 10, "packets go on");
}

#[tokio::test]
async fn roster_and_speakers_follow_what_the_relay_says() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay, "A")).await.unwrap();
    let mut events = a.events();
    let bob = Participant {
        participant_id: 7,
        display_name: "Bob".into(),
        relay_name: "Office B".into(),
        ..Participant::default()
    };
    relay.say_event(meeting_event::Body::Joined(ParticipantJoined { participant: Some(bob) }));
    relay.say(Reply::Speakers(Speakers { speaker_ids: vec![7] }));
    let snapshot = a.wait_until(|s| s.speakers == [ParticipantId(7)], SOON).await.unwrap();
    assert_eq!(snapshot.roster[&ParticipantId(7)].relay_name, "Office B");
    relay.say(Reply::Speakers(Speakers { speaker_ids: vec![] }));
    let left = ParticipantLeft { participant_id: 7, reason: 1, last_seen_at: None };
    relay.say_event(meeting_event::Body::Left(left));
    let snapshot = a
        .wait_until(|s| !s.roster.contains_key(&ParticipantId(7)) && s.speakers.is_empty(), SOON)
        .await
        .unwrap();
    assert_eq!(snapshot.speaking[&ParticipantId(7)].times, 1);
    assert!(matches!(events.recv().await.unwrap(), Event::Meeting(_)));
    assert_eq!(events.recv().await.unwrap(), Event::Speakers(vec![ParticipantId(7)]));
}

#[tokio::test]
async fn a_user_with_an_account_creates_a_meeting_and_is_in_it() {
    let relay = StubRelay::start().await;
    let identity = IdentitySource::LogIn { user_name: "ada".into(), password: "secret".into() };
    let meeting =
        MeetingTarget::Create { subject: "Standup".into(), shared: true, password: String::new() };
    let a = Terminal::join(Options::new(&relay.url, identity, meeting)).await.unwrap();
    assert_eq!(a.meeting_id(), meeting_id());
    assert_eq!((relay.count("log_in"), relay.count("create_meeting")), (1, 1));
    assert_eq!(relay.joins()[0].meeting_id, meeting_id().to_string());
}

#[tokio::test]
async fn leaving_says_so_and_being_killed_does_not() {
    let relay = StubRelay::start().await;
    let a = Terminal::join(guest(&relay, "A")).await.unwrap();
    let b = Terminal::join(guest(&relay, "B")).await.unwrap();
    a.kill();
    b.leave().await;
    assert_eq!(relay.count("leave"), 1);
}
