//! Private talk: in force before anything is said, and never for anybody else.

use std::time::Instant;

use tributary_contracts::media::v1::TrackRole;
use tributary_identifiers::ParticipantId;
use tributary_relay_gateway_core::TALK_GUARD;
use tributary_relay_gateway_server::media::{MediaError, TerminalId};

use crate::world::{FRAME, World, frame, scope, unix_us};

fn ids(numbers: &[u32]) -> Vec<ParticipantId> {
    numbers.iter().copied().map(ParticipantId).collect()
}

#[tokio::test]
async fn what_is_said_privately_goes_up_with_whom_it_is_for_and_the_floor_is_left() {
    let world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    let mut peer = world.connect(terminal, 3).await;
    // Dropped: no talk yet. What comes up first is what was said on the floor after it.
    peer.say(1);
    peer.say(0);
    let (of, frames) = world.frames().await;
    assert_eq!((of, frames.len()), (scope(1), 1));
    assert_eq!((frames[0].participant_id, frames[0].target_ids.len()), (7, 0));
    world.media.set_talk(terminal, ids(&[3, 2])).await.unwrap();
    peer.say(0);
    peer.say(1);
    let (_, frames) = world.frames().await;
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].payload[0], &frames[0].target_ids[..]), (1, &[2, 3][..]));
    world.media.set_muted(terminal, true).await.unwrap();
    peer.say(1);
    assert_eq!(world.frames().await.1[0].target_ids, [2, 3], "muted on the floor only");
    world.media.set_muted(terminal, false).await.unwrap();
    world.media.set_talk(terminal, vec![]).await.unwrap();
    peer.say(1);
    peer.say(0);
    let (_, frames) = world.frames().await;
    assert_eq!((frames[0].payload[0], frames[0].target_ids.len()), (0, 0));
}

#[tokio::test]
async fn from_one_set_to_another_it_takes_the_guard_and_nothing_goes_to_anybody_meanwhile() {
    let world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    let mut peer = world.connect(terminal, 3).await;
    world.media.set_talk(terminal, ids(&[2])).await.unwrap();
    peer.say(1);
    assert_eq!(world.frames().await.1[0].target_ids, [2]);
    let (asked, asked_us) = (Instant::now(), unix_us());
    let changing = world.media.set_talk(terminal, ids(&[3]));
    tokio::pin!(changing);
    let mut talking = tokio::time::interval(FRAME / 2);
    loop {
        tokio::select! {
            done = &mut changing => break done.unwrap(),
            _ = talking.tick() => peer.say(1),
        }
    }
    assert!(asked.elapsed() >= TALK_GUARD);
    peer.say(1);
    let (_, frames) = world.frames().await;
    // What was sent up before the command was taken is for the former.
    let first = frames.iter().find(|frame| frame.target_ids != [2]);
    let first = match first {
        Some(first) => first.clone(),
        None => world.frames().await.1[0].clone(),
    };
    assert_eq!(first.target_ids, [3]);
    assert!(first.ingress_us >= asked_us + TALK_GUARD.as_micros() as u64);
}

#[tokio::test]
async fn a_private_voice_is_heard_by_its_targets_in_a_section_of_its_own() {
    let mut world = World::start(false).await;
    let terminals = [world.attach(1, 1, 7, false).await, world.attach(2, 1, 8, false).await];
    let mut target = world.connect(terminals[0], 3).await;
    let mut other = world.connect(terminals[1], 3).await;
    let whisper = frame(TrackRole::Private, 9, &[9], &[7]);
    let heard = world.send_until_heard(1, &whisper, &mut target).await;
    assert_eq!((heard.section, heard.payload[0]), (1, 10));
    let second = frame(TrackRole::Private, 10, &[10], &[7, 10]);
    let mut sections = Vec::new();
    while !sections.contains(&2) {
        world.send(1, whisper.clone());
        sections.push(world.send_until_heard(1, &second, &mut target).await.section);
    }
    assert!(!sections.contains(&0));
    // Nobody else has heard any of it: what comes first is of the floor.
    let floor = frame(TrackRole::Common, 0, &[9], &[]);
    let heard = world.send_until_heard(1, &floor, &mut other).await;
    assert_eq!((heard.section, heard.payload[0]), (0, 1));
}

#[tokio::test]
async fn a_terminal_with_one_section_hears_the_meeting_and_nothing_private() {
    let mut world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    let mut peer = world.connect(terminal, 1).await;
    let floor = frame(TrackRole::Common, 0, &[9], &[]);
    world.send_until_heard(1, &floor, &mut peer).await;
    peer.heard_so_far();
    world.send(1, frame(TrackRole::Private, 9, &[9], &[7]));
    assert_eq!(world.send_until_heard(1, &floor, &mut peer).await.payload[0], 1);
}

#[tokio::test]
async fn who_is_not_there_or_held_can_not_talk() {
    let world = World::start(false).await;
    let nobody = world.media.set_talk(TerminalId(9), ids(&[1])).await;
    assert!(matches!(nobody, Err(MediaError::NotAttached)), "{nobody:?}");
    let held = world.attach(1, 1, 7, true).await;
    let talk = world.media.set_talk(held, ids(&[1])).await;
    assert!(matches!(talk, Err(MediaError::NotLive)), "{talk:?}");
    world.media.set_talk(held, vec![]).await.unwrap();
    let offer = world.media.offer(held, String::new()).await;
    assert!(matches!(offer, Err(MediaError::NotLive)), "{offer:?}");
}

#[tokio::test]
async fn a_second_change_waits_for_its_own_guard() {
    let world = World::start(false).await;
    let terminal = world.attach(1, 1, 7, false).await;
    world.media.set_talk(terminal, ids(&[2])).await.unwrap();
    let asked = Instant::now();
    let changes = [ids(&[3]), ids(&[4])].map(|targets| world.media.set_talk(terminal, targets));
    for change in futures_util::future::join_all(changes).await {
        change.unwrap();
    }
    assert!(asked.elapsed() >= TALK_GUARD);
}
