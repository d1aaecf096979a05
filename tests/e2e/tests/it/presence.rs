//! Who is there: changes are seen at once, what is lost is found within ten seconds, and what is only a
//! blip is not told.

use std::time::{Duration, Instant};

use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_contracts::event::v1::{LeaveReason, ParticipantLeft};
use tributary_harness::Service;
use tributary_harness::device::Device;
use tributary_terminal::{OfflineReason, Presence, PresenceWish, Target};

use crate::room::{Room, knows};

/// From the loss of a terminal until everybody knows.
const LOST_WITHIN: Duration = Duration::from_secs(10);
/// How long a device sleeps that is not to be missed.
const BLIP: Duration = Duration::from_secs(4);

/// When and why somebody left, as the log has it.
async fn left(room: &Room, id: u32) -> Option<ParticipantLeft> {
    room.log().await.into_iter().find_map(|event| match event.body {
        Some(Happened::Left(left)) if left.participant_id == id => Some(left),
        _ => None,
    })
}

async fn device(
    room: &Room,
    witness: &tributary_terminal::Terminal,
    relay: usize,
) -> (Device, u32) {
    let device = Device::join(&room.world, relay, &room.id.to_string(), "Device").unwrap();
    let named = |snapshot: &tributary_terminal::Snapshot| {
        snapshot.roster.values().find(|person| person.display_name == "Device").cloned()
    };
    let known = knows(witness, |snapshot| named(snapshot).is_some()).await;
    (device, named(&known).unwrap().participant_id.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_dies_is_missed_within_ten_seconds_and_its_relay_too() {
    let mut room = Room::open().await;
    let host = room.host(0).await;
    let (mut lost, id) = device(&room, &host, 1).await;
    lost.kill().await.unwrap();
    let begin = Instant::now();
    knows(&host, |snapshot| snapshot.roster.len() == 1).await;
    assert!(begin.elapsed() <= LOST_WITHIN, "{:?}", begin.elapsed());
    let found = left(&room, id).await.unwrap();
    assert_eq!(found.reason(), LeaveReason::TerminalLost);
    assert!(found.last_seen_at.is_some());

    let (_stays, id) = device(&room, &host, 1).await;
    room.world.kill(Service::Relay(1)).await.unwrap();
    let begin = Instant::now();
    knows(&host, |snapshot| snapshot.roster.len() == 1).await;
    // The relay's lease, and a look at it every second.
    assert!(begin.elapsed() <= LOST_WITHIN + Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(left(&room, id).await.unwrap().reason(), LeaveReason::RelayLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blip_of_four_seconds_is_told_to_nobody() {
    let room = Room::open().await;
    let host = room.host(0).await;
    let (blinks, id) = device(&room, &host, 1).await;
    let before = room.log().await.len();
    blinks.sleep();
    tokio::time::sleep(BLIP).await;
    blinks.wake();
    // Long enough for anything that would come of it.
    let begin = Instant::now();
    while begin.elapsed() < LOST_WITHIN + Duration::from_secs(2) {
        let log = room.log().await;
        assert_eq!(log.len(), before, "{:?}", log.last());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(left(&room, id).await.is_none());
    assert_eq!(host.roster().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_chosen_and_follows_a_switch_to_another_meeting() {
    let room = Room::open().await;
    let (host, grace) = (room.host(0).await, room.guest(1, "Grace").await);
    let own = grace.participant_id();
    let is = |presence: Presence, reason: OfflineReason| {
        move |snapshot: &tributary_terminal::Snapshot| {
            snapshot.roster.get(&own).is_some_and(|person| {
                (person.presence, person.offline_reason) == (presence, reason)
            })
        }
    };
    let none = OfflineReason::Unspecified;
    grace.set_presence(PresenceWish::Away, none).await.unwrap();
    knows(&host, is(Presence::Away, none)).await;
    grace.set_presence(PresenceWish::Offline, OfflineReason::Interrupted).await.unwrap();
    knows(&host, is(Presence::Offline, OfflineReason::Interrupted)).await;
    grace.set_presence(PresenceWish::Online, none).await.unwrap();
    knows(&host, is(Presence::Online, none)).await;

    let other = room.directory.meeting(&room.organiser, "Other", true).await.unwrap();
    let other = grace.join_held(Target::new(other.parse().unwrap())).await.unwrap();
    grace.switch_to(other).await.unwrap();
    knows(&host, is(Presence::Offline, OfflineReason::OtherMeeting)).await;
    // The events of the meeting that is held still arrive.
    host.chat("are you there?", &[]).await.unwrap();
    let heard = |snapshot: &tributary_terminal::Snapshot| {
        snapshot.chat.back().is_some_and(|line| line.text == "are you there?")
    };
    grace.wait_until_in(room.id, heard, crate::room::DEADLINE).await.unwrap();
    grace.switch_to(room.id).await.unwrap();
    knows(&host, is(Presence::Online, none)).await;
}
