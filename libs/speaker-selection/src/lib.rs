//! Who of many is speaking: a gate that lets the loudest few through, by the audio level that
//! terminals put into every packet (RFC 6464), so that nobody decodes to know who speaks.
//!
//! A relay gates its own participants, the mixer gates what the relays let through. Pure: time is
//! an argument, frames are any type.
//!
//! Invariants: never more than `Config::voices_max` are selected; what comes out of one
//! participant is a subsequence of what went in, in order, nothing twice; between selection and
//! deselection nothing is left out.

mod gate;
mod loudness;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use gate::Gate;

/// The quietest level RFC 6464 can express, in -dBov.
pub const LEVEL_QUIETEST: u8 = 127;

/// When somebody counts as speaking, and who gives way to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many are let through at a time.
    pub voices_max: usize,
    /// Louder than this is speech, in -dBov (RFC 6464): with 50, levels 0 to 49 are.
    pub threshold_dbov: u8,
    /// How long a slot outlasts its holder's last frame of speech, so that word ends and short
    /// pauses are kept.
    pub hangover: Duration,
    /// How much louder than the quietest selected somebody must be to take over, in dB.
    pub hysteresis_db: u8,
    /// For how long somebody must be that much louder.
    pub takeover: Duration,
    /// How many frames from before the selection come out with it, so that the onset of a word
    /// is not clipped.
    pub onset_frames: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            voices_max: 3,
            threshold_dbov: 50,
            hangover: Duration::from_millis(400),
            hysteresis_db: 6,
            takeover: Duration::from_millis(120),
            onset_frames: 3,
        }
    }
}
