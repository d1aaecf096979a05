//! Services stop, die and come back while people talk; nobody does anything about it.

use std::time::{Duration, Instant};

use tributary_harness::{Service, World};

use crate::meeting::Meeting;

/// How long audio may take to be back after the service is back.
const BACK_DEADLINE: Duration = Duration::from_secs(20);
/// How long an outage lasts during which audio must go on.
const OUTAGE: Duration = Duration::from_secs(2);

const ALL: [Service; 7] = [
    Service::Credential,
    Service::MeetingRegistry,
    Service::AccessControl,
    Service::Mixer,
    Service::Relay(0),
    Service::Relay(1),
    Service::Nats,
];

/// True if a running meeting's audio does not pass through it.
fn beside_the_audio(service: Service) -> bool {
    matches!(service, Service::Credential | Service::MeetingRegistry | Service::AccessControl)
}

/// Fails if audio stops for as long as a second while a service is away.
async fn audio_goes_on(meeting: &Meeting, speakers: &[usize], service: Service) {
    let begin = Instant::now();
    let mut last_heard = begin;
    while begin.elapsed() < OUTAGE {
        if meeting.all_hear(speakers) {
            last_heard = Instant::now();
        }
        let gap = last_heard.elapsed();
        assert!(gap < Duration::from_millis(1000), "without {service:?} audio has stopped");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn each_service_recovers(stop: impl AsyncFn(&mut World, Service)) {
    let mut meeting = Meeting::start(&[0, 0, 1]).await;
    for service in ALL {
        // One voice behind each relay: forwarded to the speakers, mixed for the listener.
        meeting.speak(&[0, 2]).await;
        stop(&mut meeting.world, service).await;
        if beside_the_audio(service) {
            audio_goes_on(&meeting, &[0, 2], service).await;
        }
        meeting.world.start_service(service).await.unwrap();
        let begin = Instant::now();
        meeting.hears(&[0, 2], BACK_DEADLINE).await;
        eprintln!("{service:?}: heard {} ms after it was ready", begin.elapsed().as_millis());
        meeting.speak(&[1]).await;
        meeting.everybody_is_in_once().await;
    }
    // Who comes now finds everything as ever.
    meeting.join(1).await;
    meeting.speak(&[3]).await;
    meeting.everybody_is_in_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_can_be_stopped_and_started_in_a_running_meeting() {
    each_service_recovers(async |world, service| {
        world.terminate(service).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_can_die_and_be_started_in_a_running_meeting() {
    each_service_recovers(async |world, service| {
        world.kill(service).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_meeting_goes_on_without_jetstream() {
    let mut meeting = Meeting::start(&[0, 0, 1]).await;
    meeting.speak(&[0, 2]).await;
    meeting.world.configure_nats(false).unwrap();
    meeting.world.terminate(Service::Nats).await.unwrap();
    meeting.world.start_service(Service::Nats).await.unwrap();
    meeting.hears(&[0, 2], BACK_DEADLINE).await;
    // Longer than a lease lives: the mixer must not give the meeting up.
    for speakers in [&[1][..], &[0, 1, 2], &[0, 2], &[2]] {
        meeting.speak(speakers).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        meeting.hears(speakers, Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_meeting_goes_on_without_any_service_beside_the_audio() {
    let mut meeting = Meeting::start(&[0, 0, 1]).await;
    meeting.speak(&[0, 2]).await;
    for service in ALL.into_iter().filter(|service| beside_the_audio(*service)) {
        meeting.world.kill(service).await.unwrap();
    }
    for speakers in [&[1][..], &[0, 1, 2], &[0, 2], &[2]] {
        meeting.speak(speakers).await;
    }
}
