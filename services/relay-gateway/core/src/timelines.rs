//! The timelines of one terminal: the meeting's, and one for each private voice.
//!
//! They belong to the peer connection, not to the meeting: who goes to another meeting takes them
//! along, so that the receiver sees one stream of packets going on.

use std::time::{Duration, Instant};

use tributary_identifiers::ParticipantId;

use crate::egress::{Placement, Slot};

/// The audio section of the meeting.
pub const FLOOR: usize = 0;
/// The audio section in which a terminal talks privately, and the first in which it hears others do.
pub const PRIVATE: usize = 1;
/// Audio sections of a terminal at most.
pub const SECTIONS_MAX: usize = PRIVATE + PRIVATE_VOICES_MAX;
/// Private voices that somebody can hear at a time.
const PRIVATE_VOICES_MAX: usize = 2;
/// Who is silent for so long no longer keeps others out.
const TALKER_KEPT: Duration = Duration::from_secs(1);

/// Where a frame goes on one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// In which audio section.
    pub section: usize,
    /// Where on its timeline.
    pub placement: Placement,
}

/// No section is free for this talker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

#[derive(Clone, Debug, Default)]
struct PrivateSlot {
    slot: Slot,
    /// Whose voice it carries, and when that was heard last.
    talker: Option<(ParticipantId, Instant)>,
}

/// The timelines of one terminal.
#[derive(Clone, Debug, Default)]
pub struct Timelines {
    floor: Slot,
    private: [PrivateSlot; PRIVATE_VOICES_MAX],
    /// How many of them the terminal has a section for.
    private_sections: usize,
}

impl Timelines {
    /// Timelines of a new peer connection with so many audio sections.
    pub(crate) fn new(sections: usize) -> Self {
        let private_sections = sections.saturating_sub(PRIVATE).min(PRIVATE_VOICES_MAX);
        Self { private_sections, ..Self::default() }
    }

    /// Makes them ready to go on with frames of another meeting.
    pub(crate) fn carried(mut self) -> Self {
        self.floor.forget_stream();
        for private in &mut self.private {
            private.slot.forget_stream();
            private.talker = None;
        }
        self
    }

    /// Places a frame of the meeting. `None`: it lies before one that was sent already.
    pub(crate) fn place(&mut self, stream: u32, time: u32, now: Instant) -> Option<Delivery> {
        let placement = self.floor.place(stream, time, now)?;
        Some(Delivery { section: FLOOR, placement })
    }

    /// Places a frame of a private voice: in the section that the talker has, or else in a free one.
    ///
    /// # Errors
    /// Others have them all.
    pub(crate) fn place_private(
        &mut self,
        talker: ParticipantId,
        stream: u32,
        time: u32,
        now: Instant,
    ) -> Result<Option<Delivery>, Crowded> {
        let usable = self.private.get_mut(..self.private_sections).unwrap_or_default();
        let has = |private: &PrivateSlot| private.talker.is_some_and(|(who, _)| who == talker);
        let free = |private: &PrivateSlot| {
            private.talker.is_none_or(|(_, at)| now.saturating_duration_since(at) >= TALKER_KEPT)
        };
        let index = usable.iter().position(has).or_else(|| usable.iter().position(free));
        let (index, private) =
            index.and_then(|index| Some((index, usable.get_mut(index)?))).ok_or(Crowded)?;
        if !has(private) {
            private.slot.forget_stream();
        }
        private.talker = Some((talker, now));
        let placement = private.slot.place(stream, time, now);
        Ok(placement.map(|placement| Delivery { section: PRIVATE + index, placement }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn sections(timelines: &mut Timelines, talkers: &[u32], time: u32, now: Instant) -> Vec<usize> {
        let place = |who: &u32| {
            let placed = timelines.place_private(ParticipantId(*who), 5, time, now);
            placed.map_or(0, |delivery| delivery.unwrap().section)
        };
        talkers.iter().map(place).collect()
    }

    #[test]
    fn a_talker_keeps_the_section_and_a_third_one_has_none_until_one_is_free() {
        let (mut timelines, start) = (Timelines::new(3), Instant::now());
        for frame in 0..100 {
            let now = start + frame * FRAME;
            assert_eq!(sections(&mut timelines, &[7, 8, 9], frame * 960, now), [1, 2, 0]);
        }
        // 7 stops; 9 has to wait for a second.
        let stopped = start + 99 * FRAME;
        for frame in 100..200 {
            let now = start + frame * FRAME;
            let free = now - stopped >= TALKER_KEPT;
            let expected = [2, if free { 1 } else { 0 }];
            assert_eq!(sections(&mut timelines, &[8, 9], frame * 960, now), expected);
        }
    }

    #[test]
    fn no_more_voices_than_the_terminal_has_sections() {
        let now = Instant::now();
        assert_eq!(sections(&mut Timelines::new(1), &[7], 0, now), [0]);
        assert_eq!(sections(&mut Timelines::new(2), &[7, 8], 0, now), [1, 0]);
        assert_eq!(sections(&mut Timelines::new(30), &[7, 8, 9], 0, now), [1, 2, 0]);
    }

    #[test]
    fn another_talker_goes_on_with_the_time_that_has_passed_whatever_the_stream() {
        let (mut timelines, now) = (Timelines::new(2), Instant::now());
        let mut place = |who, time, now| {
            let placed = timelines.place_private(ParticipantId(who), 5, time, now);
            placed.unwrap().unwrap().placement
        };
        assert_eq!(place(7, 77, now), Placement { media_time: 0, talkspurt_start: true });
        let later = now + Duration::from_secs(2);
        assert_eq!(place(8, 0, later), Placement { media_time: 96_000, talkspurt_start: true });
        let next = later + FRAME;
        assert_eq!(place(8, 960, next), Placement { media_time: 96_960, talkspurt_start: false });
    }

    #[test]
    fn carried_over_they_go_on_with_equal_stream_numbers() {
        let (mut timelines, now) = (Timelines::new(3), Instant::now());
        timelines.place(1, 960_000, now);
        sections(&mut timelines, &[7, 8], 960_000, now);
        let mut timelines = timelines.carried();
        let later = now + FRAME;
        let placed = timelines.place(1, 0, later).unwrap();
        assert_eq!(placed.placement, Placement { media_time: 960, talkspurt_start: false });
        assert_eq!(sections(&mut timelines, &[9], 0, later), [1], "their talkers are forgotten");
    }
}
