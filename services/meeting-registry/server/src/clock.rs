//! The one place where this service reads a clock.
//!
//! Events are dated by a steady clock: it begins with the machine's time and then counts what has
//! passed, whatever becomes of the machine's time meanwhile, which it approaches by no more than a
//! hundredth of what passes. So nobody's attendance grows or shrinks because a clock was set. What
//! people have put in a calendar goes by the machine's time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tributary_meeting_registry_core::UnixMillis;

/// A part of the time that passes by which the steady clock may approach the machine's.
const SLEW: u32 = 100;

/// The steady clock of this process, once somebody has looked at it.
static STEADY: Mutex<Option<Steady>> = Mutex::new(None);

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock, and the steady clock of the process; for what replicas must agree on, the
    /// database's.
    System,
    /// A clock that somebody else sets.
    Manual(Arc<AtomicU64>),
}

/// A clock that runs by what has passed and only leans towards the machine's time.
#[derive(Clone, Copy, Debug)]
struct Steady {
    /// What it showed last, since 1970.
    shown: Duration,
    /// When that was.
    at: Instant,
}

impl Clock {
    /// A clock that stands at `now` until it is set.
    #[must_use]
    pub fn manual(now: UnixMillis) -> (Self, Arc<AtomicU64>) {
        let hands = Arc::new(AtomicU64::new(now));
        (Self::Manual(Arc::clone(&hands)), hands)
    }

    /// The time by which things happen, in Unix milliseconds: steady within a process.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System => {
                let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
                // Under the lock, so that no reading is older than the one before.
                let (wall, at) = (machine_time(), Instant::now());
                let steady = steady.get_or_insert(Steady { shown: wall, at });
                to_millis(steady.read(wall, at))
            }
            Self::Manual(hands) => hands.load(Ordering::SeqCst),
        }
    }

    /// The time of calendars and of other machines, in Unix milliseconds; 0 on a machine whose clock
    /// stands before 1970.
    #[must_use]
    pub fn wall(&self) -> UnixMillis {
        match self {
            Self::System => to_millis(machine_time()),
            Self::Manual(hands) => hands.load(Ordering::SeqCst),
        }
    }

    /// What [`Clock::now`] shows when [`Clock::wall`] shows `time`, if neither is set until then.
    #[must_use]
    pub fn from_wall(&self, time: UnixMillis) -> UnixMillis {
        let (now, wall) = (self.now(), self.wall());
        if time >= wall { now.saturating_add(time - wall) } else { now.saturating_sub(wall - time) }
    }
}

impl Steady {
    /// What it shows now; never less than before.
    fn read(&mut self, wall: Duration, at: Instant) -> Duration {
        let passed = at.saturating_duration_since(self.at);
        let counted = self.shown.saturating_add(passed);
        let lean = passed / SLEW;
        self.shown = wall.clamp(counted.saturating_sub(lean), counted.saturating_add(lean));
        self.at = self.at.max(at);
        self.shown
    }
}

fn machine_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn to_millis(time: Duration) -> UnixMillis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    /// A steady clock, and readings of it by what has passed and what the machine's clock shows.
    struct Stand {
        steady: Steady,
        begin: Instant,
    }

    impl Stand {
        fn new() -> Self {
            let begin = Instant::now();
            Self { steady: Steady { shown: START, at: begin }, begin }
        }

        /// How far it has come since the start.
        fn read(&mut self, passed: Duration, wall: Duration) -> Duration {
            self.steady.read(wall, self.begin + passed) - START
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_follows_a_clock_that_runs_well_exactly() {
        let mut stand = Stand::new();
        for millis in [1, 2, 500, 500, 10_000, 86_400_000] {
            let passed = Duration::from_millis(millis);
            assert_eq!(stand.read(passed, START + passed), passed);
        }
    }

    #[test]
    fn a_machine_set_an_hour_ahead_stretches_a_stay_by_no_more_than_a_hundredth() {
        let mut stand = Stand::new();
        let came = stand.read(seconds(10), START + seconds(10));
        // Set in the middle of a stay of ten minutes, and read every second.
        let left = (11..=610)
            .map(|second| {
                let set = if second > 300 { HOUR } else { Duration::ZERO };
                stand.read(seconds(second), START + seconds(second) + set)
            })
            .max();
        let stay = left.unwrap() - came;
        assert!((seconds(600)..=seconds(606)).contains(&stay), "{stay:?}");
    }

    #[test]
    fn a_machine_set_an_hour_back_shortens_a_stay_by_no_more_than_a_hundredth() {
        let mut stand = Stand::new();
        let came = stand.read(seconds(10), START + seconds(10));
        let mut before = came;
        for second in 11..=610 {
            let wall = START + seconds(second);
            let wall = if second > 300 { wall - HOUR } else { wall };
            let now = stand.read(seconds(second), wall);
            assert!(now > before, "it never goes back, nor stands");
            before = now;
        }
        let stay = before - came;
        assert!((seconds(594)..=seconds(600)).contains(&stay), "{stay:?}");
    }

    #[test]
    fn a_machine_that_drifts_is_followed() {
        let mut stand = Stand::new();
        // Half a percent too fast, as far as this machine's counter goes: the calendar is right.
        for minute in 1..=600_u64 {
            let passed = seconds(minute * 60);
            let drifted = passed.mul_f64(1.005);
            assert_eq!(stand.read(passed, START + drifted), drifted);
        }
    }

    #[test]
    fn after_a_jump_it_comes_to_the_machine_s_time_in_the_end_and_stays_there() {
        let mut stand = Stand::new();
        let ahead = seconds(36);
        let after = |stand: &mut Stand, passed| stand.read(passed, START + passed + ahead);
        assert_eq!(after(&mut stand, HOUR / 2), HOUR / 2 + seconds(18));
        assert_eq!(after(&mut stand, HOUR), HOUR + ahead);
        assert_eq!(after(&mut stand, HOUR * 2), HOUR * 2 + ahead);
    }

    #[test]
    fn a_reading_from_before_changes_nothing() {
        let mut stand = Stand::new();
        let now = stand.read(seconds(10), START + seconds(10));
        assert_eq!(stand.read(seconds(5), START + HOUR), now);
        assert_eq!(stand.read(seconds(11), START + seconds(11)), seconds(11));
    }

    #[test]
    fn the_process_has_one_steady_clock_near_the_machine_s() {
        let (first, second) = (Clock::System, Clock::System.clone());
        let (now, wall) = (first.now(), first.wall());
        assert!(now.abs_diff(wall) < 1_000, "{now} {wall}");
        assert!(second.now() >= now);
        assert!(first.from_wall(wall + 5_000).abs_diff(now + 5_000) < 1_000);
        let (manual, hands) = Clock::manual(7_000);
        assert_eq!((manual.from_wall(9_000), manual.from_wall(1_000)), (9_000, 1_000));
        hands.store(8_000, Ordering::SeqCst);
        assert_eq!((manual.now(), manual.wall()), (8_000, 8_000));
    }
}
