//! [`Session`]: the WebRTC library wrapped in frame mode, Opus only.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::{
    Rtc, RtcConfig,
    change::{SdpOffer, SdpPendingOffer},
    format::Codec,
    media::{Direction, Frequency, MediaData, MediaKind, MediaTime, Mid, Pt},
    rtp::{Extension, ExtensionMap},
};

use crate::{
    connection::{self, Certificate, Connection, Polled, unusable},
    description::{self, AUDIO_SECTIONS_MAX, DescriptionError},
    exchange::{Event, IncomingAudio, OutgoingAudio, Output, PAYLOAD_BYTES_MAX, SendError},
};

/// Interval of the receiver reports (RFC 3550); the library's own choice for audio is longer and keeps
/// a browser from estimating loss in time.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// What the offering side does in its audio sections.
const OFFERED_DIRECTIONS: [Direction; AUDIO_SECTIONS_MAX] =
    [Direction::SendRecv, Direction::SendRecv, Direction::RecvOnly];

/// One peer connection with one to [`AUDIO_SECTIONS_MAX`] audio sections.
pub struct Session {
    connection: Connection,
    sections: Vec<Section>,
    events: VecDeque<Event>,
}

/// One audio section.
struct Section {
    mid: Mid,
    /// Of Opus, once it was needed.
    payload_type: Option<Pt>,
}

impl From<Mid> for Section {
    fn from(mid: Mid) -> Self {
        Self { mid, payload_type: None }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("local_ufrag", &self.local_ufrag()).finish_non_exhaustive()
    }
}

impl Session {
    /// The answering side (the relay): ICE-lite, reachable at `candidates`, which are the addresses of
    /// the socket as the other side sees them. Candidates in the offer are ignored; the other side's
    /// address is learned from its authenticated datagrams. Returns the session and its answer (SDP).
    ///
    /// The session lives until the other side is gone; that nobody ever came is for the caller to time.
    pub fn answer(
        offer_sdp: &str,
        candidates: &[SocketAddr],
        certificate: &Certificate,
        now: Instant,
    ) -> Result<(Self, String), DescriptionError> {
        let offer = description::checked_offer(offer_sdp)?;
        let offer = SdpOffer::from_sdp_string(&offer).map_err(unusable)?;
        let mut rtc = config(certificate).set_ice_lite(true).build(now);
        connection::add_candidates(&mut rtc, candidates)?;
        let answer = rtc.sdp_api().accept_offer(offer).map_err(unusable)?.to_sdp_string();
        let mids = description::audio_mids(&answer)?;
        let sections = mids.iter().map(|mid| Mid::from(mid.as_str()).into()).collect();
        Ok((Self::new(rtc, sections, None), answer))
    }

    /// The offering side (a terminal): full ICE, controlling, reachable at `local`. Returns the session
    /// and its offer (SDP), to be followed by [`accept_answer`](Self::accept_answer).
    ///
    /// `sections` is 1 to [`AUDIO_SECTIONS_MAX`]: the first two send and receive, the third receives.
    pub fn offer(
        local: SocketAddr,
        sections: usize,
        certificate: &Certificate,
        now: Instant,
    ) -> Result<(Self, String), DescriptionError> {
        if !(1..=AUDIO_SECTIONS_MAX).contains(&sections) {
            return Err(DescriptionError::AudioSections { sections });
        }
        let mut rtc = config(certificate).build(now);
        connection::add_candidates(&mut rtc, &[local])?;
        let mut changes = rtc.sdp_api();
        let directions = OFFERED_DIRECTIONS.iter().take(sections);
        let sections = directions
            .map(|way| changes.add_media(MediaKind::Audio, *way, None, None, None).into())
            .collect();
        let (offer, pending) =
            changes.apply().ok_or_else(|| DescriptionError::Unusable("nothing to offer".into()))?;
        Ok((Self::new(rtc, sections, Some(pending)), offer.to_sdp_string()))
    }

    fn new(rtc: Rtc, sections: Vec<Section>, pending: Option<SdpPendingOffer>) -> Self {
        let connection = Connection::new(rtc, pending);
        Self { connection, sections, events: VecDeque::new() }
    }

    /// Takes the answer to [`offer`](Self::offer). After an error the session is of no more use.
    pub fn accept_answer(&mut self, answer_sdp: &str) -> Result<(), DescriptionError> {
        let answered = description::check_answer(answer_sdp)?;
        self.connection.accept_answer(answer_sdp)?;
        self.sections.truncate(answered);
        Ok(())
    }

    /// How many audio sections are in use; before the answer, how many were offered.
    pub fn sections(&self) -> usize {
        self.sections.len()
    }

    /// The own ICE user name fragment, by which [`crate::stun_local_ufrag`] finds this session.
    pub fn local_ufrag(&self) -> &str {
        self.connection.local_ufrag()
    }

    /// True if the datagram belongs to this session: it comes from the session's other side, or is an
    /// authentic STUN message for it.
    pub fn accepts(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        self.connection.accepts(source, destination, datagram, now)
    }

    /// Takes a datagram that came from `source` to `destination`, which must be one of the session's
    /// candidates. Ignores what the session does not accept.
    pub fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        self.connection.receive(source, destination, datagram, now);
    }

    /// Moves the session's time on. Due at the time of the last [`Output::Timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    /// Sends one packet; it comes out of the next polls.
    pub fn send_audio(&mut self, frame: &OutgoingAudio, now: Instant) -> Result<(), SendError> {
        let length = frame.payload.len();
        if length == 0 || length > PAYLOAD_BYTES_MAX {
            return Err(SendError::PayloadLength(length));
        }
        if !self.is_connected() {
            return Err(SendError::NotConnected);
        }
        let rtc = &mut self.connection.rtc;
        let section = self.sections.get_mut(frame.section).ok_or(SendError::NotWanted)?;
        let mid = section.mid;
        if !rtc.media(mid).is_some_and(|media| media.direction().is_sending()) {
            return Err(SendError::NotWanted);
        }
        let mut writer = rtc.writer(mid).ok_or(SendError::NotConnected)?;
        let known = section.payload_type.or_else(|| {
            let mut params = writer.payload_params();
            params.find(|params| params.spec().codec == Codec::Opus).map(|params| params.pt())
        });
        let payload_type = known.ok_or(SendError::NotWanted)?;
        if let Some(level) = frame.level {
            // The library's level is 0 to -127 dBov; voice activity is for the receiver to judge.
            let level = i8::try_from(level.min(127)).unwrap_or(127);
            writer = writer.audio_level(-level, level < 127);
        }
        let media_time = MediaTime::new(u64::from(frame.media_time), Frequency::FORTY_EIGHT_KHZ);
        writer
            .start_of_talkspurt(frame.talkspurt_start)
            .write(payload_type, now, media_time, Arc::<[u8]>::from(&*frame.payload))
            .map_err(|_| SendError::NotWanted)?;
        section.payload_type = Some(payload_type);
        // Packets are made when time moves on, also by nothing.
        self.handle_timeout(now);
        Ok(())
    }

    /// What is to be done next. To be called until it returns [`Output::Timeout`].
    pub fn poll(&mut self) -> Output {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Output::Event(event);
            }
            match self.connection.poll() {
                Polled::Transmit { destination, contents } => {
                    return Output::Transmit { destination, contents };
                }
                Polled::Event(event) => self.take_event(event),
                Polled::Timeout(at) => return Output::Timeout(at),
                Polled::Ended => self.events.push_back(Event::Disconnected),
            }
        }
    }

    fn take_event(&mut self, event: str0m::Event) {
        match event {
            str0m::Event::Connected => self.events.push_back(Event::Connected),
            str0m::Event::MediaData(data) => {
                let section = self.sections.iter().position(|section| section.mid == data.mid);
                let audio = section.and_then(|section| incoming(section, data));
                self.events.extend(audio.map(Event::Audio));
            }
            _ => {}
        }
    }

    /// Says goodbye: what it takes comes out of the next polls, then [`Event::Disconnected`].
    pub fn close(&mut self) {
        self.connection.close();
    }

    /// False after [`Event::Disconnected`].
    pub fn is_alive(&self) -> bool {
        self.connection.is_alive()
    }

    /// True while audio can flow.
    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }
}

fn config(certificate: &Certificate) -> RtcConfig {
    let mut extensions = ExtensionMap::empty();
    extensions.set(1, Extension::AudioLevel);
    extensions.set(4, Extension::RtpMid);
    connection::config(certificate)
        .clear_codecs()
        .enable_opus(true, false)
        .set_extension_map(extensions)
        // Nothing waits for a lost packet: the mixer's jitter buffer and the listeners' decide.
        .set_reordering_size_audio(0)
        .set_rtcp_report_interval_audio(REPORT_INTERVAL)
}

fn incoming(section: usize, data: MediaData) -> Option<IncomingAudio> {
    if data.data.is_empty() {
        return None;
    }
    Some(IncomingAudio {
        section,
        // Both are counters that the library extended to 64 bits; the low half is what was sent.
        media_time: low_half(data.time.numer()),
        sequence: low_half(**data.seq_range.start()),
        level: data.ext_vals.audio_level.map(i8::unsigned_abs),
        payload: Bytes::copy_from_slice(&data.data),
    })
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}
