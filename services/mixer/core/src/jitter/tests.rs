//! The buffer by itself, tick by tick.

use proptest::prelude::*;

use super::*;

const FRAME: u32 = 960;

/// A buffer on virtual time, with frames numbered by their media time.
struct Link {
    buffer: Buffer,
    start: Instant,
    now: Instant,
    counters: Counters,
}

/// What a tick played: the number of the frame, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Played {
    Frame(i64),
    Merged(i64, i64),
    Concealed,
    Silence,
}

impl Link {
    fn new() -> Self {
        let start = Instant::now();
        let buffer = Buffer::new(Config::default(), start);
        Self { buffer, start, now: start, counters: Counters::default() }
    }

    fn at_ms(&mut self, milliseconds: u64) {
        self.now = self.start + Duration::from_millis(milliseconds);
    }

    fn come(&mut self, number: u32, level: u8) {
        let (media_time, jumped) = self.buffer.observe(number.wrapping_mul(FRAME), self.now);
        let frame = Frame {
            media_time,
            samples: FRAME,
            level,
            ingress_us: u64::from(number),
            payload: Bytes::new(),
        };
        self.buffer.push(frame, jumped, &mut self.counters);
    }

    fn tick(&mut self) -> Played {
        let number = |frame: Frame| frame.media_time / i64::from(FRAME);
        match self.buffer.take(FRAME, self.now, &mut self.counters) {
            Next::Frame(frame) => Played::Frame(number(frame)),
            Next::Merged(first, second) => Played::Merged(number(first), number(second)),
            Next::Concealment(samples) => {
                assert_eq!(samples, FRAME);
                Played::Concealed
            }
            Next::Silence(_) => Played::Silence,
        }
    }

    /// Ten frames on a clean link, each played 12 ms after it came.
    fn settled() -> Self {
        let mut link = Self::new();
        for number in 0..10 {
            link.at_ms(u64::from(number) * 20);
            link.come(number, 20);
            link.at_ms(u64::from(number) * 20 + 12);
            assert_eq!(link.tick(), Played::Frame(i64::from(number)));
        }
        link
    }
}

#[test]
fn a_late_frame_is_still_played_when_nothing_came_after_it() {
    let mut link = Link::settled();
    link.at_ms(212);
    assert_eq!(link.tick(), Played::Concealed);
    link.at_ms(215);
    link.come(10, 20);
    link.at_ms(220);
    link.come(11, 20);
    link.at_ms(232);
    assert_eq!(link.tick(), Played::Frame(10));
    link.at_ms(252);
    assert_eq!(link.tick(), Played::Frame(11));
}

#[test]
fn a_lost_frame_costs_one_concealment_and_no_delay() {
    let mut link = Link::settled();
    link.at_ms(212);
    assert_eq!(link.tick(), Played::Concealed);
    link.at_ms(220);
    link.come(11, 20);
    link.at_ms(232);
    assert_eq!(link.tick(), Played::Frame(11));
}

#[test]
fn reordered_frames_come_out_in_order() {
    let mut link = Link::settled();
    link.at_ms(201);
    link.come(11, 20);
    link.at_ms(202);
    link.come(10, 20);
    link.at_ms(212);
    assert_eq!(link.tick(), Played::Frame(10));
    link.at_ms(232);
    assert_eq!(link.tick(), Played::Frame(11));
}

#[test]
fn concealment_fades_into_silence_after_60_ms() {
    let mut link = Link::settled();
    for tick in 0..6 {
        link.at_ms(212 + tick * 20);
        let expected = if tick < 3 { Played::Concealed } else { Played::Silence };
        assert_eq!(link.tick(), expected);
    }
}

#[test]
fn a_pause_is_not_played_twice() {
    let mut link = Link::settled();
    for tick in 10..35 {
        link.at_ms(tick * 20 + 12);
        link.tick();
    }
    // The frames of the pause were never sent; the next is on time.
    link.at_ms(700);
    link.come(35, 20);
    link.at_ms(712);
    assert_eq!(link.tick(), Played::Frame(35));
}

#[test]
fn a_duplicate_and_a_late_frame_are_counted_and_not_played() {
    let mut link = Link::settled();
    link.at_ms(200);
    link.come(10, 20);
    link.come(10, 20);
    link.come(9, 20);
    link.at_ms(212);
    assert_eq!(link.tick(), Played::Frame(10));
    assert_eq!(link.counters.frames_dropped_duplicate, 1);
    assert_eq!(link.counters.frames_dropped_late, 1);
}

#[test]
fn silence_is_skipped_and_quiet_frames_are_merged_to_catch_up() {
    let mut link = Link::new();
    link.buffer.begin_spurt(8);
    for (number, level) in [(0, 127), (1, 127), (2, 60), (3, 60), (4, 20)] {
        link.come(number, level);
    }
    link.at_ms(2);
    assert_eq!(link.tick(), Played::Merged(1, 2), "0 is left out");
    link.at_ms(20);
    link.come(5, 20);
    link.at_ms(22);
    assert_eq!(link.tick(), Played::Frame(3), "speech follows");
    link.at_ms(42);
    assert_eq!(link.tick(), Played::Frame(4));
    assert_eq!(link.counters.frames_compressed, 2);
}

#[test]
fn loud_frames_are_merged_only_after_a_while() {
    let mut link = Link::new();
    link.buffer.begin_spurt(4);
    (0..4).for_each(|number| link.come(number, 20));
    let mut merged_at = Vec::new();
    for tick in 0..60 {
        link.at_ms(tick * 20 + 2);
        if let Played::Merged(..) = link.tick() {
            merged_at.push(tick * 20);
        }
        link.at_ms(tick * 20 + 10);
        link.come(4 + tick as u32, 20);
    }
    assert_eq!(link.counters.concealed, 0);
    assert!(merged_at[0] >= 300, "{merged_at:?}");
    // The first frames came 70 ms before they were due: two frames, and the tick's own wait.
    assert_eq!(merged_at.len(), 2, "{merged_at:?}");
}

#[test]
fn no_more_than_200_ms_wait() {
    let mut link = Link::settled();
    (10..100).for_each(|number| link.come(number, 20));
    assert!(link.buffer.frames().count() <= 10);
    assert_eq!(link.counters.frames_dropped_overflow, 80);
    link.at_ms(400);
    assert_eq!(link.tick(), Played::Frame(90));
}

proptest! {
    #[test]
    fn frames_come_out_once_and_in_order(
        delays in prop::collection::vec((0..150_u64, any::<bool>(), any::<u8>()), 1..300),
    ) {
        let mut link = Link::new();
        let arrivals = delays.iter().enumerate().filter(|(_, (_, lost, _))| !lost);
        let mut arrivals: Vec<_> = arrivals
            .map(|(number, (delay, _, level))| (number as u64 * 20 + delay, number as u32, *level))
            .collect();
        arrivals.sort_unstable();
        let (mut coming, mut last, mut played) = (arrivals.iter().peekable(), -1, 0);
        for tick in 0..delays.len() as u64 + 30 {
            while let Some((at, number, level)) = coming.next_if(|(at, ..)| *at <= tick * 20 + 7) {
                link.at_ms(*at);
                link.come(*number, level % 128);
            }
            link.at_ms(tick * 20 + 7);
            match link.tick() {
                Played::Frame(number) => {
                    prop_assert!(number > last);
                    (last, played) = (number, played + 1);
                }
                Played::Merged(first, second) => {
                    prop_assert!(first > last && second == first + 1);
                    (last, played) = (second, played + 2);
                }
                Played::Concealed | Played::Silence => {}
            }
            let buffered = link.buffer.frames().map(|frame| frame.samples).sum::<u32>();
            prop_assert!(buffered <= 9600);
        }
        let left = link.buffer.frames().count() as u64;
        let counters = link.counters;
        let merged_counted = counters.frames_dropped_late + counters.frames_dropped_overflow;
        prop_assert!(played + left + merged_counted <= arrivals.len() as u64);
        prop_assert!(
            played + left + merged_counted + counters.frames_compressed >= arrivals.len() as u64
        );
    }

    #[test]
    fn any_media_times_at_any_time_are_bounded(
        frames in prop::collection::vec((any::<u32>(), 0..3000_u64, 1..=48_u32), 0..200),
    ) {
        let mut link = Link::new();
        for (media_time, pause, steps) in frames {
            link.now += Duration::from_millis(pause);
            let (media_time, jumped) = link.buffer.observe(media_time, link.now);
            let frame = Frame {
                media_time,
                samples: steps * 120,
                level: 0,
                ingress_us: 0,
                payload: Bytes::new(),
            };
            link.buffer.push(frame, jumped, &mut link.counters);
            prop_assert!(link.buffer.frames().count() <= 80);
            for _ in 0..3 {
                match link.buffer.take(FRAME, link.now, &mut link.counters) {
                    Next::Concealment(samples) | Next::Silence(samples) => {
                        prop_assert!(samples > 0 && samples <= FRAME);
                    }
                    Next::Frame(_) | Next::Merged(..) => {}
                }
            }
        }
    }
}
