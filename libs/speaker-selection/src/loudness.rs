//! A participant's loudness over some syllables: rises at once, falls slowly.
//!
//! It always lies between the quietest and the loudest level heard, so two talkers whose levels
//! stay within the hysteresis of each other never displace one another.

use std::time::{Duration, Instant};

/// How far a louder frame pulls the loudness towards itself; 1 would be at once.
const ATTACK: f32 = 0.5;
/// How long a quieter level takes to show, roughly: a syllable.
const RELEASE: Duration = Duration::from_millis(200);

/// Smoothed level.
#[derive(Debug)]
pub struct Loudness {
    /// In dBov, 0 is the loudest.
    dbov: f32,
    heard: Instant,
}

impl Loudness {
    /// Starts with the first frame's level, in -dBov.
    pub fn new(level: u8, now: Instant) -> Self {
        Self { dbov: -f32::from(level), heard: now }
    }

    /// Takes in the level of a frame, in -dBov.
    pub fn hear(&mut self, level: u8, now: Instant) {
        let towards = -f32::from(level) - self.dbov;
        let share = if towards > 0.0 {
            ATTACK
        } else {
            (self.since_heard(now).as_secs_f32() / RELEASE.as_secs_f32()).min(1.0)
        };
        self.dbov += towards * share;
        self.heard = now;
    }

    /// How long ago the last frame was.
    pub fn since_heard(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// The loudness, in dBov: 0 is the loudest, -127 the quietest.
    pub fn dbov(&self) -> f32 {
        self.dbov
    }
}
