//! Headless terminals with a voice of their own, and who hears whom.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tributary_terminal::{AudioSource, Direction, Options, PacketRecord, Terminal};

/// Level of a voice's tone. Loud enough for the relays' threshold, soft enough for three in a mix.
const TONE_DBFS: f32 = -20.0;
/// Softer than this a packet carries no voice: it is the relays' threshold of speech, in -dBov.
const VOICED_DBOV: u8 = 50;
/// The length of "now", when somebody is asked what they hear: longer than a relay goes on forwarding
/// somebody who has fallen silent.
const NOW: Duration = Duration::from_millis(500);
/// Questions that are further apart say nothing about now.
const NOW_MAX: Duration = Duration::from_millis(1_500);

/// A terminal with a voice of its own that can be switched on and off.
pub struct Voice {
    terminal: Terminal,
    sound: AudioSource,
    tones: Vec<f32>,
    looks: Mutex<VecDeque<(Instant, Vec<u64>)>>,
    forgotten: Mutex<(Instant, Vec<u64>)>,
}

impl Voice {
    /// Joins as a guest, silent; its voice is a tone of `hz`. It listens for all of `tones`.
    pub async fn join(
        relay_url: &str,
        meeting_id: &str,
        name: &str,
        hz: f32,
        tones: &[f32],
    ) -> Result<Self> {
        let sound = AudioSource::Tone { hz, level_dbfs: TONE_DBFS };
        Self::join_with(relay_url, meeting_id, name, sound, tones).await
    }

    /// Joins as a guest, silent; its voice is a melody.
    pub async fn join_with_melody(
        relay_url: &str,
        meeting_id: &str,
        name: &str,
        variant: u32,
    ) -> Result<Self> {
        Self::join_with(relay_url, meeting_id, name, AudioSource::Melody { variant }, &[]).await
    }

    async fn join_with(
        relay_url: &str,
        meeting_id: &str,
        name: &str,
        sound: AudioSource,
        tones: &[f32],
    ) -> Result<Self> {
        let meeting_id = meeting_id.parse().context("read the meeting's id")?;
        let options = Options {
            listen_for_hz: tones.to_vec(),
            record_packets: !tones.is_empty(),
            ..Options::guest(relay_url, name, meeting_id)
        };
        let terminal = Terminal::join(options)
            .await
            .with_context(|| format!("bring {name} into the meeting by {relay_url}"))?;
        let forgotten = Mutex::new((Instant::now(), vec![0; tones.len()]));
        let looks = Mutex::default();
        Ok(Self { terminal, sound, tones: tones.to_vec(), looks, forgotten })
    }

    /// The terminal itself.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Switches the voice on or off.
    pub fn speak(&self, on: bool) {
        self.terminal.set_source(if on { self.sound.clone() } else { AudioSource::Silence });
    }

    /// For each tone to listen for: is it heard at this moment? None while that is changing. Ask again
    /// and again: "now" is the half second between two questions.
    pub fn hears_now(&self) -> Vec<Option<bool>> {
        let (now, heard) = (Instant::now(), self.heard_ms());
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest look that is old enough stays at the front.
        while looks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= NOW) {
            looks.pop_front();
        }
        let unknown = || vec![None; heard.len()];
        let answer = match looks.front().map(|(at, before)| (now.duration_since(*at), before)) {
            Some((age, before)) if (NOW..NOW_MAX).contains(&age) => {
                let heard = heard.iter().zip(before);
                heard.map(|(heard, before)| is_there(heard.saturating_sub(*before), age)).collect()
            }
            Some((age, _)) if age >= NOW_MAX => {
                looks.clear();
                unknown()
            }
            _ => unknown(),
        };
        looks.push_back((now, heard));
        answer
    }

    /// Lets "now" begin no earlier than at this moment.
    pub fn listen_anew(&self) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Lets [`heard_since_forgotten`](Self::heard_since_forgotten) and the like begin now.
    pub fn forget(&self) {
        let heard = self.heard_ms();
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), heard);
    }

    /// For how many milliseconds each tone was heard.
    pub fn heard_since_forgotten(&self) -> Vec<u64> {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = self.heard_ms();
        heard.iter().zip(&forgotten.1).map(|(now, then)| now.saturating_sub(*then)).collect()
    }

    /// Packets that carried the voice to the relay.
    pub fn voiced_since_forgotten(&self) -> Vec<PacketRecord> {
        self.since_forgotten(Direction::Sent).into_iter().filter(voiced).collect()
    }

    /// Packets that came from the relay.
    pub fn received_since_forgotten(&self) -> Vec<PacketRecord> {
        self.since_forgotten(Direction::Received)
    }

    /// All packets that were sent and are still known.
    pub fn sent(&self) -> Vec<PacketRecord> {
        let mut packets = self.terminal.packets();
        packets.retain(|packet| packet.direction == Direction::Sent);
        packets
    }

    /// Number of packets that have carried the voice to the relay so far.
    pub fn voiced_frames_sent(&self) -> usize {
        self.sent().iter().filter(|packet| voiced(packet)).count()
    }

    /// Times from the speaker's sending to this one's receiving of the same packet.
    pub fn delays_from(&self, speaker: &Self) -> Vec<Duration> {
        // A tone that starts again may give the same packets again.
        let mut sent: HashMap<u64, Vec<Instant>> = HashMap::new();
        for packet in speaker.sent().into_iter().filter(voiced) {
            sent.entry(packet.digest).or_default().push(packet.at);
        }
        let delay = |received: &PacketRecord| {
            let sent = sent.get(&received.digest)?;
            let sent = sent.iter().rev().find(|sent| **sent <= received.at)?;
            Some(received.at.duration_since(*sent))
        };
        let packets = self.terminal.packets();
        let received = packets.iter().filter(|packet| packet.direction == Direction::Received);
        received.filter_map(delay).collect()
    }

    /// Forgets all packets so far.
    pub fn forget_packets(&self) {
        self.terminal.reset_packets();
    }

    /// Leaves the meeting.
    pub async fn leave(self) -> Result<()> {
        self.terminal.leave().await;
        Ok(())
    }

    fn heard_ms(&self) -> Vec<u64> {
        let hearing = self.terminal.hearing();
        self.tones.iter().map(|hz| hearing.heard_ms(*hz)).collect()
    }

    fn since_forgotten(&self, direction: Direction) -> Vec<PacketRecord> {
        let begin = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).0;
        let mut packets = self.terminal.packets();
        packets.retain(|packet| packet.direction == direction && packet.at >= begin);
        packets
    }
}

/// Whether a tone is there that was heard for so long of a time; none if it has come or gone within it.
fn is_there(heard_ms: u64, time: Duration) -> Option<bool> {
    match u128::from(heard_ms) * 4 {
        0 => Some(false),
        four if four >= time.as_millis() * 3 => Some(true),
        _ => None,
    }
}

/// True if a packet carries voice and not the silence between.
fn voiced(packet: &PacketRecord) -> bool {
    packet.level.is_some_and(|level| level <= VOICED_DBOV)
}
