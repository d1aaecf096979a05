//! What a terminal hears on each section, counted, decoded and searched for tones.

use std::time::{Duration, Instant};

use tributary_audio::{DECODED_SAMPLES_MAX, Decoder, FRAME_SAMPLES, ToneMeter};
use tributary_rtc_session::IncomingAudio;

use crate::{Concealment, SECTIONS, Section, playout::Playout, recording::Recording};

/// Longer without a packet is a pause.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// More lost packets than this in a row are not concealed.
const CONCEALED_MAX: u32 = 5;

/// When a tone was heard, exact to the length of what is looked at: about 80 ms before the first time it
/// may have begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToneTimes {
    /// Its frequency.
    pub hz: f32,
    /// When it was noticed first.
    pub first: Instant,
    /// When it was heard last.
    pub last: Instant,
}

/// What a terminal has heard, on one section or on all together, since it joined or since
/// [`reset_hearing`](crate::Terminal::reset_hearing). Pauses and stalls of all together are those of
/// the sections, each by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hearing {
    /// Packets that came in.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that were sent and did not come in, by their sequence numbers.
    pub lost: u64,
    /// Packets that can't be decoded.
    pub undecodable: u64,
    /// How long each of the tones to listen for was heard: frequency in Hz and milliseconds.
    pub tone_ms: Vec<(f32, u64)>,
    /// When each of them was heard, of those that were.
    pub tone_times: Vec<ToneTimes>,
    /// When the first packet came.
    pub first: Option<Instant>,
    /// When the last packet came.
    pub last: Option<Instant>,
    /// Times without a packet for more than 100 ms, between packets.
    pub pauses: u64,
    /// The longest of them.
    pub pause_max: Duration,
    /// The longest time between two packets that belong one after the other, by their RTP times: a
    /// measure of jitter and of interruptions.
    pub stall_max: Duration,
    /// What a receiver with a fixed delay of 100 ms would have had to conceal.
    pub concealment: Concealment,
}

impl Hearing {
    /// For how long a tone was heard, in milliseconds; 0 if it was not listened for.
    pub fn heard_ms(&self, hz: f32) -> u64 {
        self.tone_ms.iter().find(|(tone, _)| *tone == hz).map_or(0, |(_, ms)| *ms)
    }

    /// When a tone was heard, if it was.
    pub fn tone_times(&self, hz: f32) -> Option<ToneTimes> {
        self.tone_times.iter().find(|times| times.hz == hz).copied()
    }

    /// The same with what was heard on another section.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.undecodable += other.undecodable;
        self.concealment = self.concealment.and(other.concealment);
        self.pauses += other.pauses;
        self.pause_max = self.pause_max.max(other.pause_max);
        self.stall_max = self.stall_max.max(other.stall_max);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
        for (hz, ms) in &other.tone_ms {
            match self.tone_ms.iter_mut().find(|(tone, _)| tone == hz) {
                Some((_, sum)) => *sum += ms,
                None => self.tone_ms.push((*hz, *ms)),
            }
        }
        for times in &other.tone_times {
            self.heard(times.hz, times.first, times.last);
        }
        self
    }

    fn heard(&mut self, hz: f32, first: Instant, last: Instant) {
        match self.tone_times.iter_mut().find(|times| times.hz == hz) {
            Some(times) => {
                times.first = times.first.min(first);
                times.last = times.last.max(last);
            }
            None => self.tone_times.push(ToneTimes { hz, first, last }),
        }
    }
}

/// Listens on all sections.
pub(crate) struct Ear(Vec<SectionEar>);

impl Ear {
    pub(crate) fn new(listen_for_hz: &[f32], record: bool, now: Instant) -> Self {
        Self((0..SECTIONS).map(|_| SectionEar::new(listen_for_hz, record, now)).collect())
    }

    /// A new peer connection: numbers start anew.
    pub(crate) fn start_stream(&mut self) {
        for ear in &mut self.0 {
            ear.previous = None;
            ear.playout.start_stream();
        }
    }

    pub(crate) fn push(&mut self, audio: &IncomingAudio, now: Instant) {
        if let Some(ear) = self.0.get_mut(audio.section) {
            ear.push(audio, now);
        }
    }

    pub(crate) fn hearing(&self) -> Hearing {
        let sections = self.0.iter().map(SectionEar::hearing);
        sections.reduce(|all, section| all.and(&section)).unwrap_or_default()
    }

    pub(crate) fn hearing_on(&self, section: Section) -> Hearing {
        self.0.get(section.index()).map(SectionEar::hearing).unwrap_or_default()
    }

    pub(crate) fn reset(&mut self) {
        self.0.iter_mut().for_each(SectionEar::reset);
    }

    /// What was heard on all sections at once.
    pub(crate) fn recorded(&self, now: Instant) -> Option<Vec<i16>> {
        let recordings = self.0.iter().filter_map(|ear| ear.recording.as_ref());
        recordings.map(|recording| recording.samples(now)).reduce(|mut all, section| {
            all.resize(all.len().max(section.len()), 0);
            for (sum, sample) in all.iter_mut().zip(section) {
                *sum = sum.saturating_add(sample);
            }
            all
        })
    }
}

/// Listens on one section. Decodes only if there is something to listen for.
struct SectionEar {
    hearing: Hearing,
    meter: ToneMeter,
    decoder: Option<Decoder>,
    recording: Option<Recording>,
    decoded: Box<[f32; DECODED_SAMPLES_MAX]>,
    previous: Option<(u32, u32)>,
    playout: Playout,
    /// Milliseconds heard of each tone, as noticed last.
    noticed_ms: Vec<u64>,
}

impl SectionEar {
    fn new(listen_for_hz: &[f32], record: bool, now: Instant) -> Self {
        let needs_decoder = record || !listen_for_hz.is_empty();
        Self {
            hearing: Hearing::default(),
            meter: ToneMeter::new(listen_for_hz),
            decoder: needs_decoder.then(|| Decoder::new().ok()).flatten(),
            recording: record.then(|| Recording::new(now)),
            decoded: Box::new([0.0; DECODED_SAMPLES_MAX]),
            previous: None,
            playout: Playout::default(),
            noticed_ms: vec![0; listen_for_hz.len()],
        }
    }

    fn push(&mut self, audio: &IncomingAudio, now: Instant) {
        self.playout.push(audio.media_time, audio.level, now);
        let missing = self.count(audio, now);
        let Some(missing) = missing else { return };
        let Some(decoder) = &mut self.decoder else { return };
        for _ in 0..missing {
            let (concealed, _) = self.decoded.split_at_mut(FRAME_SAMPLES);
            decoder.conceal(concealed);
            self.meter.push(concealed);
        }
        match decoder.decode(&audio.payload, self.decoded.as_mut_slice()) {
            Ok(length) => {
                let samples = self.decoded.get(..length).unwrap_or_default();
                self.meter.push(samples);
                if let Some(recording) = &mut self.recording {
                    recording.push(audio.media_time, samples, now);
                }
            }
            Err(_) => self.hearing.undecodable += 1,
        }
        for ((hz, ms), noticed) in self.meter.heard_ms().zip(&mut self.noticed_ms) {
            if ms > std::mem::replace(noticed, ms) {
                self.hearing.heard(hz, now, now);
            }
        }
    }

    /// Returns how many packets to conceal before this one, `None` if it comes too late to be heard.
    fn count(&mut self, audio: &IncomingAudio, now: Instant) -> Option<u32> {
        let hearing = &mut self.hearing;
        hearing.packets += 1;
        hearing.bytes += audio.payload.len() as u64;
        hearing.first.get_or_insert(now);
        let since_last = hearing.last.replace(now).map(|last| now.saturating_duration_since(last));
        if let Some(pause) = since_last.filter(|pause| *pause > PAUSE_MIN) {
            hearing.pauses += 1;
            hearing.pause_max = hearing.pause_max.max(pause);
        }
        let (sequence, media_time) = match self.previous {
            Some(previous) => previous,
            None => {
                self.previous = Some((audio.sequence, audio.media_time));
                return Some(0);
            }
        };
        let step = audio.sequence.wrapping_sub(sequence).cast_signed();
        if step <= 0 {
            hearing.lost = hearing.lost.saturating_sub(1);
            return None;
        }
        self.previous = Some((audio.sequence, audio.media_time));
        let missing = step.cast_unsigned() - 1;
        hearing.lost += u64::from(missing);
        let follows = audio.media_time.wrapping_sub(media_time) <= 2 * FRAME_SAMPLES as u32;
        if let Some(stall) = since_last.filter(|_| follows) {
            hearing.stall_max = hearing.stall_max.max(stall);
        }
        Some(if missing <= CONCEALED_MAX { missing } else { 0 })
    }

    fn hearing(&self) -> Hearing {
        Hearing {
            tone_ms: self.meter.heard_ms().collect(),
            concealment: self.playout.counted(),
            ..self.hearing.clone()
        }
    }

    fn reset(&mut self) {
        self.hearing = Hearing::default();
        self.playout.reset();
        self.meter.reset();
        self.noticed_ms.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tributary_audio::{Encoder, PACKET_BYTES_MAX, Tone};

    const FRAME: Duration = Duration::from_millis(20);

    fn tone_packets(count: u32) -> Vec<IncomingAudio> {
        let mut encoder = Encoder::voice(32_000).unwrap();
        let mut tone = Tone::new(440.0, -20.0);
        let (mut samples, mut packet) = ([0.0; FRAME_SAMPLES], [0; PACKET_BYTES_MAX]);
        let mut encode = |number: u32| {
            tone.fill(&mut samples);
            let length = encoder.encode(&samples, &mut packet).unwrap();
            IncomingAudio {
                section: 0,
                media_time: number * 960,
                sequence: 100 + number,
                level: Some(23),
                payload: Bytes::copy_from_slice(&packet[..length]),
            }
        };
        (0..count).map(&mut encode).collect()
    }

    #[test]
    fn losses_pauses_and_tones_are_counted() {
        let start = Instant::now();
        let mut ear = Ear::new(&[440.0, 660.0], false, start);
        let mut now = start;
        for (number, audio) in tone_packets(100).iter().enumerate() {
            now += if number == 50 { Duration::from_millis(300) } else { FRAME };
            if ![20, 21, 70].contains(&number) {
                ear.push(audio, now);
            }
        }
        let hearing = ear.hearing();
        assert_eq!((hearing.packets, hearing.lost, hearing.pauses), (97, 3, 1));
        assert_eq!(hearing.pause_max, Duration::from_millis(300));
        assert_eq!(hearing.stall_max, Duration::from_millis(300));
        assert!(hearing.heard_ms(440.0) > 1_800, "{hearing:?}");
        assert_eq!(hearing.heard_ms(660.0), 0);
        ear.reset();
        assert_eq!(ear.hearing().packets, 0);
    }

    #[test]
    fn late_packets_and_broken_ones_do_no_harm() {
        let now = Instant::now();
        let mut ear = Ear::new(&[440.0], true, now);
        let packets = tone_packets(3);
        for index in [0, 2, 1] {
            ear.push(&packets[index], now);
        }
        assert_eq!((ear.hearing().packets, ear.hearing().lost), (3, 0));
        let broken = IncomingAudio {
            sequence: 103,
            payload: Bytes::from_static(&[3, 63]),
            ..packets[2].clone()
        };
        ear.push(&broken, now);
        assert_eq!(ear.hearing().undecodable, 1);
    }

    #[test]
    fn sections_are_heard_apart_and_together() {
        let now = Instant::now();
        let mut ear = Ear::new(&[440.0], true, now);
        let packets = tone_packets(20);
        for (number, audio) in packets.iter().enumerate() {
            let at = now + FRAME * number as u32;
            ear.push(&IncomingAudio { section: 1, ..audio.clone() }, at);
            let silence = IncomingAudio { payload: Bytes::from_static(&[0xf8]), ..audio.clone() };
            ear.push(&silence, at + FRAME / 2);
        }
        let (meeting, private) =
            (ear.hearing_on(Section::Meeting), ear.hearing_on(Section::FirstPrivate));
        assert_eq!((meeting.packets, private.packets, ear.hearing().packets), (20, 20, 40));
        assert_eq!((meeting.heard_ms(440.0), meeting.tone_times(440.0)), (0, None));
        assert!(private.heard_ms(440.0) > 200, "{private:?}");
        let times = private.tone_times(440.0).unwrap();
        assert!(times.first < now + FRAME * 10 && times.last == now + FRAME * 19, "{times:?}");
        assert_eq!(ear.hearing().tone_times(440.0), Some(times));
        assert_eq!(ear.hearing_on(Section::SecondPrivate).packets, 0);
        let loudest = ear.recorded(now + FRAME * 20).unwrap().into_iter().max().unwrap();
        assert!(loudest > 2_000, "{loudest}");
        ear.reset();
        assert_eq!(ear.hearing().tone_times(440.0), None);
    }
}
