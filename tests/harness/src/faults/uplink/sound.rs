//! What was heard of whom, packet by packet: a voice that speaks alone, and each of two who speak, comes
//! untouched, so that every packet tells when it was sent.

use std::collections::HashMap;

use anyhow::Result;

use crate::branch::Branch;
use crate::office::Packet;

/// Older than this nothing may be played, in microseconds.
const OLD_US: u64 = 1_000_000;
/// The length of a frame, in ms.
const FRAME_MS: u64 = 20;
/// A voice is back with the first of so many frames that come within a second.
const BACK_FRAMES: usize = 25;

/// From somebody to somebody.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// From outside into the office.
    Down,
    /// Out of the office.
    Up,
}

/// A packet that was sent and has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passage {
    sent_us: u64,
    come_us: u64,
}

/// What was heard since everybody forgot.
pub struct Heard {
    down: Vec<Passage>,
    up: Vec<Passage>,
    /// From who speaks inside to the other one inside; only while nobody outside is heard.
    local: Vec<Passage>,
    sent_inside: Vec<u64>,
}

/// How people inside heard each other without the uplink.
pub struct Local {
    /// How long it took from the cut.
    pub after_ms: Option<u64>,
    /// The part of what was sent that was heard.
    pub share: f64,
}

impl Heard {
    /// By who speaks on each side, and by the other one inside.
    pub async fn by(branch: &Branch) -> Result<Self> {
        let (ina, ines) = (branch.inside.packets(0).await?, branch.inside.packets(1).await?);
        let olga = branch.outside.packets(0).await?;
        Ok(Self {
            down: passages(&olga, &ina),
            up: passages(&ina, &olga),
            local: passages(&ina, &ines),
            sent_inside: ina.iter().filter(|one| one.sent).map(|one| one.at_us).collect(),
        })
    }

    fn way(&self, way: Way) -> &[Passage] {
        match way {
            Way::Down => &self.down,
            Way::Up => &self.up,
        }
    }

    /// How long it took from a moment until each side heard the other one again, in ms, down and up.
    pub fn back_ms(&self, since_us: u64) -> [Option<u64>; 2] {
        [Way::Down, Way::Up].map(|way| back_ms(self.way(way), since_us))
    }

    /// How much was played that was older than a second, in ms.
    pub fn stale_ms(&self) -> u64 {
        let all = self.down.iter().chain(&self.up).chain(&self.local);
        let stale = all.filter(|one| one.come_us.saturating_sub(one.sent_us) > OLD_US);
        FRAME_MS * stale.count() as u64
    }

    /// The greatest age of what was played, in ms.
    pub fn oldest_ms(&self) -> u64 {
        let all = self.down.iter().chain(&self.up).chain(&self.local);
        all.map(|one| one.come_us.saturating_sub(one.sent_us) / 1_000).max().unwrap_or_default()
    }

    /// How those inside heard each other between two moments.
    pub fn local(&self, from_us: u64, to_us: u64) -> Local {
        let within = |at: &u64| (from_us..to_us).contains(at);
        let heard = self.local.iter().filter(|one| within(&one.come_us));
        let first = heard.clone().map(|one| one.come_us).min();
        let sent = self.sent_inside.iter().filter(|at| within(at)).count();
        Local {
            after_ms: first.map(|first| (first - from_us) / 1_000),
            share: heard.count() as f64 / sent.max(1) as f64,
        }
    }
}

/// What has come of what was sent, in order of its coming. Packets that are alike tell nothing.
fn passages(speaker: &[Packet], listener: &[Packet]) -> Vec<Passage> {
    let mut sent: HashMap<u64, Option<u64>> = HashMap::new();
    for packet in speaker.iter().filter(|packet| packet.sent) {
        sent.entry(packet.digest).and_modify(|at| *at = None).or_insert(Some(packet.at_us));
    }
    let come = listener.iter().filter(|packet| !packet.sent);
    let mut passages: Vec<Passage> = come
        .filter_map(|packet| {
            let sent_us = sent.get(&packet.digest).copied().flatten()?;
            Some(Passage { sent_us, come_us: packet.at_us })
        })
        .collect();
    passages.sort_by_key(|passage| passage.come_us);
    passages
}

/// From a moment until a voice comes again and stays.
fn back_ms(passages: &[Passage], since_us: u64) -> Option<u64> {
    let after: Vec<_> = passages.iter().filter(|one| one.come_us >= since_us).collect();
    let stays = |at: usize| {
        let end = after.get(at).map_or(0, |first| first.come_us + 1_000_000);
        after.iter().skip(at).take_while(|one| one.come_us < end).count() >= BACK_FRAMES
    };
    let first = (0..after.len()).find(|at| stays(*at))?;
    after.get(first).map(|one| (one.come_us - since_us) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(at_ms: u64, sent: bool, digest: u64) -> Packet {
        Packet { at_us: at_ms * 1_000, sent, digest, bytes: 80 }
    }

    #[test]
    fn a_packet_tells_when_it_was_sent_unless_there_are_two_of_it() {
        let sent = [packet(0, true, 1), packet(20, true, 2), packet(40, true, 2)];
        let come = [packet(50, false, 2), packet(30, false, 1), packet(60, false, 9)];
        let found = passages(&sent, &come);
        assert_eq!(found, [Passage { sent_us: 0, come_us: 30_000 }]);
    }

    #[test]
    fn a_voice_is_back_when_it_stays() {
        let stream = |from: u64| (0..50).map(move |n| from + 20 * n);
        let passage = |ms: u64| Passage { sent_us: ms * 1_000, come_us: (ms + 5) * 1_000 };
        // One straggler, then the stream.
        let all: Vec<_> = [100].into_iter().chain(stream(2_000)).map(passage).collect();
        assert_eq!(back_ms(&all, 0), Some(2_005));
        assert_eq!(back_ms(&all, 1_000_000), Some(1_005));
        assert_eq!(back_ms(&all[..20], 0), None);
    }

    #[test]
    fn what_is_too_old_is_found() {
        let passage = |age_ms: u64| Passage { sent_us: 0, come_us: age_ms * 1_000 };
        let (down, up) = (vec![passage(20), passage(1_001)], vec![passage(1_000), passage(3_000)]);
        let heard = Heard { down, up, local: Vec::new(), sent_inside: Vec::new() };
        assert_eq!((heard.stale_ms(), heard.oldest_ms()), (40, 3_000));
    }
}
