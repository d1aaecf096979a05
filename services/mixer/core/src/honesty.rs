//! Whether participants are as loud as they say. Levels come with the packets (RFC 6464), and nobody
//! decodes to know who speaks; but what is mixed is decoded, and then the claim can be compared.
//!
//! Who claims much more than is heard is doubted: for a minute the difference is taken off the
//! claim, here and, by the route plan, in the relay. A liar thus has a slot for a second a minute.

use std::time::{Duration, Instant};

use tributary_identifiers::ParticipantId;
use tributary_speaker_selection::LEVEL_QUIETEST;

/// So many decoded packets are compared: a second of 20 ms packets.
const COMPARED: u32 = 50;
/// In -dBov: below this the difference between quiet and quieter says nothing.
const FLOOR: u8 = 90;
/// In dB: further apart than any honest measurement, with what the codec and a gain control do.
const TOLERANCE: u32 = 20;
/// How long somebody is doubted.
const DOUBTED_FOR: Duration = Duration::from_secs(60);
/// The most participants doubted at once; the doubt that ends first gives way.
pub const DOUBTS_MAX: usize = 64;

/// What one speaker claimed and what was heard, over the last packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    claimed: u32,
    heard: u32,
    packets: u32,
}

impl Tally {
    /// A packet was decoded. Both levels are in -dBov.
    pub fn add(&mut self, claimed: u8, heard: u8) {
        self.claimed += u32::from(claimed.min(FLOOR));
        self.heard += u32::from(heard.min(FLOOR));
        self.packets += 1;
    }

    /// Once enough was compared: by how many dB less was heard than claimed, if that is too much.
    pub fn verdict(&mut self) -> Option<u8> {
        if self.packets < COMPARED {
            return None;
        }
        let Self { claimed, heard, packets } = std::mem::take(self);
        let difference = heard.saturating_sub(claimed) / packets;
        (difference >= TOLERANCE).then(|| u8::try_from(difference).unwrap_or(LEVEL_QUIETEST))
    }
}

/// Somebody whose claims are corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Who.
    pub who: ParticipantId,
    /// To be added to the claimed level, which is in -dBov.
    pub correction: u8,
    until: Instant,
}

/// Everybody who is doubted.
#[derive(Debug, Default)]
pub struct Doubts(Vec<Doubt>);

impl Doubts {
    /// From now on `who` is doubted. True if that was not so before.
    pub fn doubt(&mut self, who: ParticipantId, correction: u8, now: Instant) -> bool {
        let until = now + DOUBTED_FOR;
        if let Some(known) = self.0.iter_mut().find(|doubt| doubt.who == who) {
            // What is heard is compared with the claim, not with what was made of it.
            *known = Doubt { who, correction: known.correction.max(correction), until };
            return false;
        }
        if self.0.len() >= DOUBTS_MAX {
            let first = self.0.iter().enumerate().min_by_key(|(_, doubt)| doubt.until);
            if let Some((place, _)) = first {
                self.0.swap_remove(place);
            }
        }
        self.0.push(Doubt { who, correction, until });
        true
    }

    /// The level to go by, in -dBov.
    pub fn corrected(&self, who: ParticipantId, claimed: u8) -> u8 {
        let doubt = self.0.iter().find(|doubt| doubt.who == who);
        let correction = doubt.map_or(0, |doubt| doubt.correction);
        claimed.saturating_add(correction).min(LEVEL_QUIETEST)
    }

    /// Ends doubts that are over. True if there were any.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|doubt| now < doubt.until);
        before != self.0.len()
    }

    /// When the next doubt is over.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.0.iter().map(|doubt| doubt.until).min()
    }

    /// Who is doubted.
    pub fn iter(&self) -> impl Iterator<Item = &Doubt> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(claimed: u8, heard: u8) -> Option<u8> {
        let mut tally = Tally::default();
        for _ in 1..COMPARED {
            tally.add(claimed, heard);
            assert_eq!(tally.verdict(), None, "too early");
        }
        tally.add(claimed, heard);
        tally.verdict()
    }

    #[test]
    fn only_a_claim_far_above_what_is_heard_is_held_against_somebody() {
        assert_eq!(verdict(10, 29), None);
        assert_eq!(verdict(10, 30), Some(20));
        assert_eq!(verdict(10, LEVEL_QUIETEST), Some(80));
        assert_eq!(verdict(40, 10), None, "louder than claimed harms nobody");
        assert_eq!(verdict(80, LEVEL_QUIETEST), None, "quiet and silent are alike");
    }

    #[test]
    fn a_doubt_ends_and_the_number_of_doubts_is_bounded() {
        let start = Instant::now();
        let mut doubts = Doubts::default();
        assert!(doubts.doubt(ParticipantId(1), 30, start));
        assert!(!doubts.doubt(ParticipantId(1), 25, start));
        assert_eq!(doubts.corrected(ParticipantId(1), 10), 40);
        assert_eq!(doubts.corrected(ParticipantId(1), 120), LEVEL_QUIETEST);
        assert_eq!(doubts.corrected(ParticipantId(2), 10), 10);
        assert!(!doubts.expire(start + DOUBTED_FOR / 2));
        assert!(doubts.expire(start + DOUBTED_FOR));
        assert_eq!(doubts.next_expiry(), None);
        for who in 0..200 {
            doubts.doubt(ParticipantId(who), 30, start);
        }
        assert_eq!(doubts.iter().count(), DOUBTS_MAX);
    }
}
