//! What the gate promises, as single cases and over generated talk.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use tributary_identifiers::ParticipantId;

use crate::{Config, Gate};

const FRAME: Duration = Duration::from_millis(20);
const SPEECH: u8 = 20;
const SILENCE: u8 = 90;

/// A gate on virtual time; frames are the sender's frame numbers.
struct Room {
    gate: Gate<u32>,
    now: Instant,
    sent: HashMap<ParticipantId, u32>,
    heard: Vec<(ParticipantId, u32)>,
}

impl Room {
    fn new(config: Config) -> Self {
        Self {
            gate: Gate::new(config),
            now: Instant::now(),
            sent: HashMap::new(),
            heard: Vec::new(),
        }
    }

    fn push(&mut self, who: u32, level: u8) {
        let who = ParticipantId(who);
        let number = self.sent.entry(who).or_default();
        *number += 1;
        let heard = &mut self.heard;
        self.gate.push(who, level, *number, self.now, &mut |who, frame| heard.push((who, frame)));
    }

    /// Everybody sends a frame with their level, `count` times, a frame's time apart.
    fn talk(&mut self, levels: &[(u32, u8)], count: usize) {
        for _ in 0..count {
            for (who, level) in levels {
                self.push(*who, *level);
            }
            self.now += FRAME;
        }
    }

    fn selected(&self) -> Vec<u32> {
        self.gate.selected().map(|who| who.0).collect()
    }

    fn heard_of(&self, who: u32) -> Vec<u32> {
        let of = self.heard.iter().filter(|(heard, _)| heard.0 == who);
        of.map(|(_, frame)| *frame).collect()
    }
}

#[test]
fn the_first_loud_frame_takes_a_free_slot() {
    let mut room = Room::new(Config::default());
    room.push(1, SPEECH);
    assert_eq!(room.selected(), [1]);
    assert_eq!(room.heard_of(1), [1]);
}

#[test]
fn silence_is_not_let_through() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, 50), (2, SILENCE), (3, 255)], 50);
    assert!(room.heard.is_empty());
    assert!(room.selected().is_empty());
    assert_eq!(room.gate.next_expiry(), None);
}

#[test]
fn an_onset_comes_out_before_the_frame_that_opens_the_gate() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, SILENCE)], 10);
    room.talk(&[(1, SPEECH)], 2);
    assert_eq!(room.heard_of(1), [8, 9, 10, 11, 12]);
}

#[test]
fn an_old_frame_is_no_onset() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, SILENCE)], 2);
    room.now += Duration::from_secs(5);
    room.talk(&[(1, SILENCE), (1, SPEECH)], 1);
    assert_eq!(room.heard_of(1), [3, 4]);
}

#[test]
fn the_hangover_keeps_the_tail() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, SPEECH)], 1);
    room.talk(&[(1, SILENCE)], 100);
    // 400 ms after the last loud frame: that frame and nineteen more.
    assert_eq!(room.heard_of(1), (1..=20).collect::<Vec<_>>());
    assert!(room.selected().is_empty());
}

#[test]
fn a_slot_is_free_after_the_hangover_even_if_nothing_comes() {
    let mut room = Room::new(Config::default());
    let start = room.now;
    room.push(1, SPEECH);
    let expiry = room.gate.next_expiry().unwrap();
    assert_eq!(expiry, start + Config::default().hangover);
    assert!(!room.gate.expire(expiry - Duration::from_millis(1)));
    assert_eq!(room.selected(), [1]);
    assert!(room.gate.expire(expiry));
    assert!(room.selected().is_empty());
    assert!(!room.gate.expire(expiry));
}

#[test]
fn somebody_clearly_louder_takes_the_quietest_slot_after_the_takeover_time() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, 20), (2, 40), (3, 25)], 20);
    room.talk(&[(1, 20), (2, 40), (3, 25), (4, 30)], 6);
    assert!(!room.selected().contains(&4), "not before 120 ms");
    room.talk(&[(1, 20), (2, 40), (3, 25), (4, 30)], 1);
    let mut selected = room.selected();
    selected.sort_unstable();
    assert_eq!(selected, [1, 3, 4]);
    assert_eq!(room.heard_of(4), [4, 5, 6, 7], "with the onset");
}

#[test]
fn a_single_loud_frame_after_a_pause_takes_nobodys_slot() {
    let mut room = Room::new(Config { voices_max: 1, ..Config::default() });
    room.talk(&[(1, 40), (2, 10)], 1);
    room.talk(&[(1, 40)], 50);
    room.talk(&[(1, 40), (2, 10)], 1);
    assert_eq!(room.selected(), [1]);
}

#[test]
fn whoever_is_not_louder_by_the_hysteresis_waits() {
    let mut room = Room::new(Config { voices_max: 1, ..Config::default() });
    room.talk(&[(1, 30), (2, 24)], 500);
    assert_eq!(room.selected(), [1]);
}

#[test]
fn the_loudest_comes_first() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, 45), (2, 30), (3, 15)], 20);
    assert_eq!(room.selected(), [3, 2, 1]);
}

#[test]
fn a_level_of_a_forged_255_counts_as_silence() {
    let mut room = Room::new(Config { threshold_dbov: 255, ..Config::default() });
    room.talk(&[(1, 255), (2, 127)], 20);
    assert_eq!(room.selected().len(), 2, "both are 127, which 255 lets through");
}

#[test]
fn a_removed_participant_leaves_no_slot_and_no_onset() {
    let mut room = Room::new(Config::default());
    room.talk(&[(1, SPEECH), (2, SILENCE)], 5);
    let revision = room.gate.revision();
    room.gate.remove(ParticipantId(1));
    room.gate.remove(ParticipantId(2));
    assert!(room.selected().is_empty());
    assert_eq!(room.gate.revision(), revision + 1);
    room.talk(&[(2, SPEECH)], 1);
    assert_eq!(room.heard_of(2), [6]);
}

#[test]
fn with_no_voices_allowed_nothing_comes_out() {
    let mut room = Room::new(Config { voices_max: 0, ..Config::default() });
    room.talk(&[(1, 0), (2, 0)], 50);
    assert!(room.heard.is_empty());
}

/// A frame by one of six: who, level, how long after the one before in milliseconds.
fn talk() -> impl Strategy<Value = Vec<(u32, u8, u64)>> {
    prop::collection::vec((0..6_u32, any::<u8>(), 0..120_u64), 0..400)
}

proptest! {
    #[test]
    fn never_more_than_voices_max_are_selected(talk in talk(), voices_max in 0..5_usize) {
        let mut room = Room::new(Config { voices_max, ..Config::default() });
        for (who, level, pause) in talk {
            room.now += Duration::from_millis(pause);
            room.push(who, level);
            let mut selected = room.selected();
            prop_assert!(selected.len() <= voices_max);
            selected.sort_unstable();
            selected.dedup();
            prop_assert_eq!(selected.len(), room.selected().len(), "nobody twice");
        }
    }

    #[test]
    fn frames_come_out_in_order_and_once(talk in talk()) {
        let mut room = Room::new(Config::default());
        for (who, level, pause) in talk {
            room.now += Duration::from_millis(pause);
            room.push(who, level);
        }
        for who in 0..6 {
            prop_assert!(room.heard_of(who).is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn nothing_of_a_selected_speaker_is_lost(talk in talk()) {
        let mut room = Room::new(Config::default());
        for (who, level, pause) in talk {
            room.now += Duration::from_millis(pause);
            let selected_before = {
                room.gate.expire(room.now);
                room.gate.is_selected(ParticipantId(who))
            };
            let heard_before = room.heard.len();
            room.push(who, level);
            let number = room.sent[&ParticipantId(who)];
            if room.gate.is_selected(ParticipantId(who)) {
                prop_assert_eq!(room.heard.last(), Some(&(ParticipantId(who), number)));
                if selected_before {
                    prop_assert_eq!(room.heard.len(), heard_before + 1);
                }
            } else {
                prop_assert_eq!(room.heard.len(), heard_before);
            }
        }
    }

    #[test]
    fn equal_talkers_do_not_flap(levels in prop::collection::vec((20..=26_u8, 20..=26_u8), 1..500)) {
        let mut room = Room::new(Config { voices_max: 1, ..Config::default() });
        for (first, second) in levels {
            room.talk(&[(1, first), (2, second)], 1);
            prop_assert_eq!(room.selected(), [1]);
        }
        prop_assert_eq!(room.gate.revision(), 1);
    }

    #[test]
    fn the_next_expiry_is_when_the_selection_changes(talk in talk()) {
        let mut room = Room::new(Config::default());
        for (who, level, pause) in talk {
            room.now += Duration::from_millis(pause);
            room.push(who, level);
            prop_assert_eq!(room.gate.next_expiry().is_some(), !room.selected().is_empty());
        }
        if let Some(expiry) = room.gate.next_expiry() {
            prop_assert!(!room.gate.expire(expiry - Duration::from_nanos(1)));
            prop_assert!(room.gate.expire(expiry));
        }
    }
}
