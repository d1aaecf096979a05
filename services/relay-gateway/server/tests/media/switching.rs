//! One peer connection and two meetings.

use tributary_contracts::media::v1::{SendFrame, TrackRole};
use tributary_identifiers::ParticipantId;
use tributary_message_bus::subjects::MeetingScope;
use tributary_relay_gateway_core::SWITCH_GUARD;
use tributary_relay_gateway_server::media::{MediaError, TerminalId};

use crate::{
    peer::Peer,
    world::{FRAME, Heard, World, frame, scope, unix_us},
};

/// Says something in a section again and again until something comes to the mixer, and says what.
async fn say_until_heard(
    world: &World,
    peer: &mut Peer,
    section: usize,
) -> (MeetingScope, Vec<SendFrame>) {
    let mut talking = tokio::time::interval(FRAME);
    let mut heard = std::pin::pin!(world.frames());
    loop {
        tokio::select! {
            _ = talking.tick() => peer.say(section),
            frames = &mut heard => return frames,
        }
    }
}

#[tokio::test]
async fn a_switch_takes_the_peer_connection_along_and_back_again() {
    let mut world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    let second = world.attach(2, 2, 70, true).await;
    let mut peer = world.connect(first, 3).await;
    assert_eq!(world.needs_other_than(1, &[]).await.participant_ids, [7]);
    let floor = frame(TrackRole::Common, 0, &[99], &[]);
    let here = frame(TrackRole::Common, 1, &[99], &[]);
    let mut times = vec![world.send_until_heard(1, &floor, &mut peer).await.media_time];
    let mut live = [(first, 1, 7), (second, 2, 70)];
    for _ in 0..3 {
        let [(from, left, _), (to, entered, who)] = live;
        peer.heard_so_far();
        world.media.switch(from, to).await.unwrap();
        assert_eq!(world.needs_other_than(entered, &[]).await.participant_ids, [who]);
        // What the other meeting says is not heard any more; the next thing heard is of this one.
        world.send(left, floor.clone());
        let heard = world.send_until_heard(entered, &here, &mut peer).await;
        assert_eq!((heard.section, heard.payload[0]), (0, 2));
        times.push(heard.media_time);
        let (of, frames) = say_until_heard(&world, &mut peer, 0).await;
        assert_eq!((of, frames[0].participant_id), (scope(entered), who));
        live.reverse();
    }
    let steps: Vec<_> = times.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert!(steps.iter().all(|step| *step > 0 && *step < 60 * 48_000), "one timeline: {times:?}");
}

#[tokio::test]
async fn a_meeting_that_is_only_held_needs_nothing_and_one_that_was_left_says_so_once() {
    let world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    let second = world.attach(2, 2, 70, true).await;
    world.needs_other_than(1, &[]).await;
    world.media.switch(first, second).await.unwrap();
    let (mut left, mut entered, mut said_again) = (0, 0, 0);
    // Signs of life come once a second.
    while said_again < 3 {
        if let Heard::Needs(of, needs) = world.heard().await {
            match (of == scope(1), needs.participant_ids.as_slice()) {
                (true, []) => left += 1,
                (false, [70]) => {
                    entered += 1;
                    said_again = entered - 1;
                }
                // From before the switch.
                (true, [7]) if entered == 0 => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(left, 1);
    world.media.detach(second).await.unwrap();
    assert_eq!(world.needs_other_than(2, &[70]).await.participant_ids, [] as [u32; 0]);
}

#[tokio::test]
async fn who_is_switched_to_has_the_microphone_that_was_asked_for() {
    let world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    let second = world.attach(2, 2, 70, true).await;
    let mut peer = world.connect(first, 3).await;
    world.media.set_muted(second, true).await.unwrap();
    world.media.switch(first, second).await.unwrap();
    let mut talking = tokio::time::interval(FRAME);
    let mut said = 0;
    let mut heard = std::pin::pin!(world.frames());
    while said < 15 {
        tokio::select! {
            _ = talking.tick() => {
                peer.say(0);
                said += 1;
            }
            frames = &mut heard => panic!("muted in the second meeting: {frames:?}"),
        }
    }
    world.media.set_muted(second, false).await.unwrap();
    loop {
        tokio::select! {
            _ = talking.tick() => peer.say(0),
            (of, _) = &mut heard => break assert_eq!(of, scope(2)),
        }
    }
}

#[tokio::test]
async fn what_is_under_way_at_a_switch_reaches_nobody_in_the_other_meeting() {
    let world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    let second = world.attach(2, 2, 70, true).await;
    let mut peer = world.connect(first, 3).await;
    let guard_us = SWITCH_GUARD.as_micros() as u64;
    let asked_us = unix_us();
    world.media.switch(first, second).await.unwrap();
    let (of, frames) = say_until_heard(&world, &mut peer, 0).await;
    assert_eq!(of, scope(2));
    assert!(frames[0].ingress_us >= asked_us + guard_us);
    // The same of what was said privately: a talk is in force here when the guard is over.
    let asked_us = unix_us();
    world.media.switch(second, first).await.unwrap();
    world.media.set_talk(first, vec![ParticipantId(8)]).await.unwrap();
    assert!(unix_us() >= asked_us + guard_us);
    let (of, frames) = say_until_heard(&world, &mut peer, 1).await;
    assert_eq!((of, &frames[0].target_ids[..]), (scope(1), &[8][..]));
}

#[tokio::test]
async fn attached_anew_a_terminal_is_what_is_said_now() {
    let world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    let second = world.attach(2, 2, 70, true).await;
    let peer = world.connect(first, 3).await;
    // The terminal has lost its connection, and comes back live in the other meeting.
    world.attach(1, 1, 7, true).await;
    world.attach(2, 2, 70, false).await;
    assert_eq!(world.needs_other_than(2, &[]).await.participant_ids, [70]);
    drop(peer);
    let mut peer = world.connect(second, 3).await;
    peer.say(0);
    assert_eq!(world.frames().await.0, scope(2));
}

#[tokio::test]
async fn only_who_is_attached_can_be_switched() {
    let world = World::start(false).await;
    let first = world.attach(1, 1, 7, false).await;
    for (from, to) in [(first, TerminalId(9)), (TerminalId(9), first)] {
        let switched = world.media.switch(from, to).await;
        assert!(matches!(switched, Err(MediaError::NotAttached)), "{switched:?}");
    }
    world.media.switch(first, first).await.unwrap();
    let mut peer = world.connect(first, 1).await;
    peer.say(0);
    assert_eq!(world.frames().await.0, scope(1), "still live");
}
