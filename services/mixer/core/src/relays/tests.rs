//! Tests of who is behind which relay.

use super::*;

fn relay(name: &str) -> RelayId {
    name.parse().unwrap()
}

fn room(who: &[u32]) -> Room {
    Room { id: 7, participants: participants(who) }
}

fn participants(ids: &[u32]) -> Vec<ParticipantId> {
    ids.iter().copied().map(ParticipantId).collect()
}

#[test]
fn a_flood_is_cut_to_the_limit_and_forgiven_after_a_second() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    relays.set(&relay("a"), &participants(&[1]), &[], now, &mut Vec::new()).unwrap();
    let mut admitted = |now| relays.admit(&relay("a"), ParticipantId(1), now);
    for _ in 0..FRAMES_PER_SECOND_MAX {
        assert_eq!(admitted(now), Admission::Admitted);
    }
    assert_eq!(admitted(now), Admission::Flood);
    assert_eq!(admitted(now + Duration::from_secs(1)), Admission::Admitted);
}

#[test]
fn a_repeated_need_gives_no_new_allowance() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    for frame in 0..=FRAMES_PER_SECOND_MAX {
        let ids = if frame % 2 == 0 { vec![1] } else { vec![1, 2] };
        relays.set(&relay("a"), &participants(&ids), &[], now, &mut Vec::new()).unwrap();
        let admission = relays.admit(&relay("a"), ParticipantId(1), now);
        assert_eq!(admission == Admission::Flood, frame == FRAMES_PER_SECOND_MAX);
    }
}

#[test]
fn a_participant_named_twice_is_not_taken_for_another() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    relays.set(&relay("a"), &participants(&[3, 4]), &[], now, &mut gone).unwrap();
    assert_eq!(relays.set(&relay("a"), &participants(&[4, 3]), &[], now, &mut gone), Ok(false));
    assert_eq!(relays.set(&relay("a"), &participants(&[3, 3]), &[], now, &mut gone), Ok(true));
    assert_eq!(gone, participants(&[4]));
}

#[test]
fn only_those_behind_the_relay_are_admitted() {
    let (mut relays, now) = (Relays::default(), Instant::now());
    relays.set(&relay("a"), &participants(&[1]), &[], now, &mut Vec::new()).unwrap();
    assert_eq!(relays.admit(&relay("a"), ParticipantId(2), now), Admission::Foreign);
    assert_eq!(relays.admit(&relay("b"), ParticipantId(1), now), Admission::Foreign);
}

#[test]
fn a_silent_relay_is_gone_with_its_participants() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    relays.set(&relay("a"), &participants(&[1]), &[], now, &mut gone).unwrap();
    let later = now + Duration::from_secs(3);
    relays.set(&relay("b"), &participants(&[2]), &[], later, &mut gone).unwrap();
    assert!(!relays.expire(now + RELAY_SILENCE_MAX - Duration::from_millis(1), &mut gone));
    assert!(relays.expire(now + RELAY_SILENCE_MAX, &mut gone));
    assert_eq!(gone, participants(&[1]));
    assert_eq!(relays.silent_at(), Some(later + RELAY_SILENCE_MAX));
    assert!(relays.expire(later + RELAY_SILENCE_MAX, &mut gone));
    assert!(relays.is_empty());
    assert_eq!(relays.silent_at(), None);
}

#[test]
fn too_many_relays_or_participants_are_refused() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    let crowd: Vec<_> = (0..=PARTICIPANTS_PER_RELAY_MAX as u32).map(ParticipantId).collect();
    assert_eq!(relays.set(&relay("a"), &crowd, &[], now, &mut gone), Err(Refused));
    for number in 0..RELAYS_MAX {
        relays.set(&relay(&number.to_string()), &crowd[..1], &[], now, &mut gone).unwrap();
    }
    assert_eq!(relays.set(&relay("a"), &crowd[..1], &[], now, &mut gone), Err(Refused));
    assert_eq!(relays.set(&relay("7"), &crowd[..1], &[], now, &mut gone), Ok(false));
}

#[test]
fn where_somebody_is_follows_every_change() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    let mut at = |relays: &mut Relays, name: &str, who: &[u32], now| {
        relays.set(&relay(name), &participants(who), &[], now, &mut gone).unwrap();
    };
    at(&mut relays, "a", &[1, 2], now);
    at(&mut relays, "b", &[2, 3], now);
    let who = ParticipantId(2);
    assert_eq!(relays.of(who), [relay("a"), relay("b")]);
    at(&mut relays, "a", &[1], now);
    assert_eq!(relays.of(who), [relay("b")]);
    at(&mut relays, "b", &[], now);
    assert_eq!(relays.of(who), []);
    at(&mut relays, "a", &[2], now);
    assert_eq!(relays.of(ParticipantId(1)), []);
    relays.expire(now + RELAY_SILENCE_MAX, &mut Vec::new());
    assert_eq!(relays.of(who), []);
    assert!(relays.homes.is_empty());
}

#[test]
fn who_sits_in_a_room_with_a_speaker_does_not_hear_the_common_track() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    let speakers: Sources = participants(&[1, 5]).into_iter().collect();
    relays.set(&relay("a"), &participants(&[1, 2]), &[room(&[1, 2])], now, &mut gone).unwrap();
    assert!(!relays.has_listeners(&speakers));
    let left_room = relays.set(&relay("a"), &participants(&[1, 2]), &[], now, &mut gone);
    assert_eq!(left_room, Ok(true), "a change");
    assert!(relays.has_listeners(&speakers));
    relays.set(&relay("a"), &participants(&[2]), &[room(&[2])], now, &mut gone).unwrap();
    assert!(relays.has_listeners(&speakers), "a room with no speaker");
    assert_eq!(relays.room_of(ParticipantId(2)), Some(RoomRef { relay: &relay("a"), id: 7 }));
    relays.set(&relay("b"), &participants(&[2]), &[], now, &mut gone).unwrap();
    assert_eq!(relays.room_of(ParticipantId(2)), None, "has left it");
}

#[test]
fn who_sits_in_no_room_or_a_silent_one_hears_the_common_track() {
    let (mut relays, now, mut gone) = (Relays::default(), Instant::now(), Vec::new());
    let speakers: Sources = participants(&[1, 5]).into_iter().collect();
    let mut set = |behind: &[u32], rooms: &[Room]| {
        relays.set(&relay("a"), &participants(behind), rooms, now, &mut gone).unwrap();
        relays.has_listeners(&speakers)
    };
    let silent = Room { id: 8, participants: participants(&[3]) };
    assert!(!set(&[1, 2], &[room(&[1, 2])]));
    assert!(!set(&[1, 2, 5], &[room(&[1, 2])]), "who speaks outside the room is no listener");
    assert!(set(&[1, 2, 3], &[room(&[1, 2])]));
    assert!(set(&[1, 2, 3], &[room(&[1, 2]), silent]));
}
