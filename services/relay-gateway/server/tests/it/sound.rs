//! Microphones: off here as soon as somebody asks for it, on when the registry says so.

use std::time::Duration;

use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::time::{Instant, interval, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tributary_contracts::{
    event::v1::{
        Announcement, Cause, LeaveReason, OperationRefused, ParticipantMuted,
        meeting_event::Body as EventBody,
    },
    media::v1::SendBatch,
    operation::v1::{SetMuted, TalkTo},
    terminal::v1::{
        MediaOffer, Operate, ReadChat, relay_message::Body as Said, terminal_message::Body as Ask,
    },
};
use tributary_message_bus::{Subscriber, permissions::User};
use tributary_terminal::{AudioSource, OperationBody, Options, Terminal, operations};

use crate::{
    cable::Cable,
    fake_log::{left, only},
    peer::Peer,
    person::Person,
    world::{World, eventually, meeting, scope},
};

const SOON: Duration = Duration::from_secs(20);
/// What was on its way has arrived then.
const SETTLING: Duration = Duration::from_millis(300);
const QUIET: Duration = Duration::from_millis(700);

/// The voices that a relay sends up.
struct Up(Subscriber);

impl Up {
    async fn is_heard(&mut self) {
        // What has piled up says nothing about now.
        let from = Instant::now() + SETTLING;
        while timeout_at(from, self.0.next()).await.is_ok() {}
        timeout(SOON, self.frame()).await.expect("nobody is heard");
    }

    async fn is_silent(&mut self) {
        let from = Instant::now() + SETTLING;
        while timeout_at(from, self.0.next()).await.is_ok() {}
        assert!(timeout(QUIET, self.frame()).await.is_err(), "somebody is heard");
    }

    async fn frame(&mut self) {
        loop {
            let message = self.0.next().await.unwrap();
            if !SendBatch::decode(message.payload).unwrap().frames.is_empty() {
                return;
            }
        }
    }
}

/// Says by the terminal's connection what the terminal itself knows nothing of: its own microphone
/// stays on.
async fn operate(terminal: &Terminal, act: OperationBody) -> String {
    let draft = terminal.draft(meeting(1), act).unwrap();
    let operation = Some(operations::sign(&terminal.key(), &draft).unwrap());
    match terminal.request(Ask::Operate(Operate { operation })).await.unwrap() {
        Said::OperationReceived(received) => received.operation_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_silence_is_silent_at_once_and_until_the_registry_has_answered() {
    let world = World::start().await;
    world.open([1]);
    world.registry_bus.ensure_operation_stream().await.unwrap();
    let mixer = world.nats.connect(&User::Mixer).await;
    let relay = "test".parse().unwrap();
    let mut up = Up(mixer.hear(scope(1).up(&relay)).await.unwrap());
    let (terminal, _cable) = talker(&world, "eve").await;
    let own = terminal.participant_id().0;
    up.is_heard().await;
    let refuse = async |operation_id: String| {
        let cause = Some(Cause { participant_id: own, operation_id });
        let refused = EventBody::OperationRefused(OperationRefused::default());
        world.emit_to(1, refused, only(&[own]), cause).await;
    };
    for act in [
        OperationBody::SetMuted(SetMuted { muted: true }),
        OperationBody::TalkTo(TalkTo { participant_ids: vec![own + 1] }),
    ] {
        // Nobody applies it.
        let operation_id = operate(&terminal, act).await;
        up.is_silent().await;
        refuse(operation_id).await;
        up.is_heard().await;
    }
    // Asking to be heard again changes nothing before the registry has said so.
    let muted = |muted| {
        let muted = ParticipantMuted { participant_id: own, muted, by_participant_id: own + 1 };
        EventBody::Muted(muted)
    };
    world.emit(1, muted(true)).await;
    up.is_silent().await;
    operate(&terminal, OperationBody::SetMuted(SetMuted { muted: false })).await;
    up.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_silences_for_a_while_only() {
    let world = World::start().await;
    world.open([1]);
    world.registry_bus.ensure_operation_stream().await.unwrap();
    let mixer = world.nats.connect(&User::Mixer).await;
    let relay = "test".parse().unwrap();
    let mut up = Up(mixer.hear(scope(1).up(&relay)).await.unwrap());
    let (terminal, _cable) = talker(&world, "eve").await;
    up.is_heard().await;
    // As far as the registry goes it may be known already, and answered long ago.
    operate(&terminal, OperationBody::SetMuted(SetMuted { muted: true })).await;
    up.is_silent().await;
    up.is_heard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_for_good_is_in_force_all_the_same() {
    let world = World::start().await;
    world.open([1]);
    let mixer = world.nats.connect(&User::Mixer).await;
    let relay = "test".parse().unwrap();
    let mut up = Up(mixer.hear(scope(1).up(&relay)).await.unwrap());
    world.registry.log(&meeting(1).to_string(), |log| {
        let text = "something".to_owned();
        let said = EventBody::Announcement(Announcement { text });
        (0..10).for_each(|_| drop(log.add(said.clone(), None, None)));
    });
    // What was before her nobody has any more.
    let ada = Person::enter(&world, "ada").await;
    ada.join(1).await;
    world.registry.log(&meeting(1).to_string(), |log| log.forgotten = 11);
    let registry_answers = world.registry.paging.lock().await;
    let mut eve = Person::enter(&world, "eve").await;
    let own = eve.resume(1, 5).await.participant_id;
    let _talking = talk(&eve).await;
    up.is_heard().await;
    let muted = ParticipantMuted { participant_id: own, muted: true, by_participant_id: own + 1 };
    world.emit(1, EventBody::Muted(muted)).await;
    up.is_heard().await;
    drop(registry_answers);
    let Some(Said::Roster(roster)) = eve.next().await.and_then(|message| message.body) else {
        panic!("no roster")
    };
    assert!(roster.participants.iter().any(|p| p.participant_id == own && p.muted));
    up.is_silent().await;
}

/// Talks by a peer connection until it is dropped.
async fn talk(person: &Person) -> AbortOnDropHandle<()> {
    let (offering, sdp) = Peer::offering(1).await;
    let answer = match person.ask(Ask::MediaOffer(MediaOffer { sdp })).await.unwrap() {
        Said::MediaAnswer(answer) => answer.sdp,
        other => panic!("{other:?}"),
    };
    let mut peer = offering.connect(answer).await;
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut frames = interval(Duration::from_millis(20));
        loop {
            frames.tick().await;
            peer.say(0);
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_while_nobody_could_tell_is_out_at_once() {
    let world = World::start().await;
    world.open([1]);
    let mixer = world.nats.connect(&User::Mixer).await;
    let relay = "test".parse().unwrap();
    let mut up = Up(mixer.hear(scope(1).up(&relay)).await.unwrap());
    let mut ada = Person::enter(&world, "ada").await;
    ada.join(1).await;
    let (terminal, cable) = talker(&world, "eve").await;
    let own = terminal.participant_id().0;
    up.is_heard().await;
    // The connection waits for the registry; meanwhile its terminal is lost, and removed.
    let registry_answers = world.registry.chatting.lock().await;
    let mut reading = std::pin::pin!(terminal.request(Ask::ReadChat(ReadChat::default())));
    let asked = || !world.registry.chats.lock().unwrap().is_empty();
    tokio::select! {
        _ = &mut reading => panic!("the registry does not answer"),
        () = eventually("the registry is asked", asked) => {}
    }
    cable.cut();
    let number = world.emit(1, left(own, LeaveReason::Removed)).await;
    while ada.next_event().await.number < number {}
    up.is_heard().await;
    drop(registry_answers);
    up.is_silent().await;
    // Well before it was taken for lost.
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}

/// Somebody who talks, and the cable by which the relay hears of it; the sound goes beside it.
async fn talker(world: &World, name: &str) -> (Terminal, Cable) {
    let cable = Cable::to(&world.url).await;
    let source = AudioSource::Tone { hz: 440.0, level_dbfs: -20.0 };
    let options = Options { source, ..Options::guest(&cable.url, name, meeting(1)) };
    (Terminal::join(options).await.unwrap(), cable)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_be_told_is_muted_and_removed_all_the_same() {
    let world = World::start().await;
    world.open([1]);
    let mixer = world.nats.connect(&User::Mixer).await;
    let relay = "test".parse().unwrap();
    let mut up = Up(mixer.hear(scope(1).up(&relay)).await.unwrap());
    for name in ["muted", "removed"] {
        let (terminal, cable) = talker(&world, name).await;
        let own = terminal.participant_id().0;
        up.is_heard().await;
        cable.cut();
        // The peer connection goes on for now.
        up.is_heard().await;
        let muted =
            ParticipantMuted { participant_id: own, muted: true, by_participant_id: own + 1 };
        let decided = match name {
            "muted" => EventBody::Muted(muted),
            _ => left(own, LeaveReason::Removed),
        };
        world.emit(1, decided).await;
        up.is_silent().await;
    }
    // Well before anybody was taken for lost.
    assert!(world.registry.leaves.lock().unwrap().is_empty());
}
