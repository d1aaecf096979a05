//! What all sessions have in common: the WebRTC library's connection, which datagrams are its own, and
//! its end.

use std::{fmt, net::SocketAddr, sync::Once, time::Instant};

use str0m::{
    Candidate, IceConnectionState, Input, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    config::DtlsCert,
    net::{Protocol, Receive},
};

use crate::{description::DescriptionError, dtls, exchange::Datagram};

/// Makes the crypto back end known. Every constructor does it; calling it again changes nothing.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| str0m::crypto::from_feature_flags().install_process_default());
}

/// The DTLS certificate of a process. Making one is dear, so sessions share it.
#[derive(Clone)]
pub struct Certificate(DtlsCert);

impl Certificate {
    /// A new self-signed certificate (ECDSA P-256). `None` if the system has no randomness.
    pub fn generate() -> Option<Self> {
        install_crypto();
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate().map(Self)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// What every session is made with.
pub(crate) fn config(certificate: &Certificate) -> RtcConfig {
    install_crypto();
    Rtc::builder().set_dtls_cert(certificate.0.clone()).set_stats_interval(None)
}

/// Makes a session reachable at these addresses.
pub(crate) fn add_candidates(
    rtc: &mut Rtc,
    addresses: &[SocketAddr],
) -> Result<(), DescriptionError> {
    for address in addresses {
        rtc.add_local_candidate(Candidate::host(*address, "udp").map_err(unusable)?);
    }
    Ok(())
}

pub(crate) fn unusable(error: impl fmt::Display) -> DescriptionError {
    DescriptionError::Unusable(error.to_string())
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    local_ufrag: String,
    ended: bool,
}

/// What a connection wants done, or has for its session.
#[expect(clippy::large_enum_variant, reason = "boxed, every frame would be an allocation more")]
pub(crate) enum Polled {
    /// Send this.
    Transmit { destination: SocketAddr, contents: Datagram },
    /// For the session.
    Event(str0m::Event),
    /// Nothing more before this time.
    Timeout(Instant),
    /// The other side is gone or has closed. Comes once.
    Ended,
}

impl Connection {
    /// A connection, with an offer that is not answered yet if the other side is the answering one.
    pub(crate) fn new(mut rtc: Rtc, pending: Option<SdpPendingOffer>) -> Self {
        let local_ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        Self { rtc, pending, local_ufrag, ended: false }
    }

    /// Takes an answer that has been checked.
    pub(crate) fn accept_answer(&mut self, answer_sdp: &str) -> Result<(), DescriptionError> {
        let answer = SdpAnswer::from_sdp_string(answer_sdp).map_err(unusable)?;
        let pending = self.pending.take().ok_or(DescriptionError::NoPendingOffer)?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(unusable)
    }

    pub(crate) fn local_ufrag(&self) -> &str {
        &self.local_ufrag
    }

    /// Whether a datagram comes from the other side, as far as an ICE check has shown who that is, or
    /// is an authentic STUN message.
    pub(crate) fn accepts(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        // Before the answer there is no other side yet.
        self.pending.is_none()
            && Receive::new(Protocol::Udp, source, destination, datagram)
                .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes a datagram; ignores what is not accepted.
    pub(crate) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if self.pending.is_some() {
            return;
        }
        for piece in dtls::pieces(datagram) {
            let Ok(receive) = Receive::new(Protocol::Udp, source, destination, piece) else {
                return;
            };
            let input = Input::Receive(now, receive);
            if !self.rtc.accepts(&input) {
                return;
            }
            if let Err(error) = self.rtc.handle_input(input) {
                tracing::debug!(%error, "datagram ignored");
            }
        }
    }

    /// Moves time on.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            tracing::debug!(%error, "timeout not handled in full");
        }
    }

    pub(crate) fn poll(&mut self) -> Polled {
        loop {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Transmit(transmit)) => {
                    let contents = Datagram(transmit.contents);
                    return Polled::Transmit { destination: transmit.destination, contents };
                }
                Ok(str0m::Output::Event(str0m::Event::IceConnectionStateChange(
                    IceConnectionState::Disconnected,
                ))) => {
                    if let Some(ended) = self.end() {
                        return ended;
                    }
                }
                Ok(str0m::Output::Event(event)) => return Polled::Event(event),
                Ok(str0m::Output::Timeout(at)) => {
                    if self.rtc.is_alive() || self.ended {
                        return Polled::Timeout(at);
                    }
                    self.ended = true;
                    return Polled::Ended;
                }
                Err(error) => {
                    // Only what leaves the session without a way on comes here: a certificate that
                    // is not the announced one, a handshake that timed out.
                    tracing::debug!(%error, "session ended");
                    if let Some(ended) = self.end() {
                        return ended;
                    }
                }
            }
        }
    }

    fn end(&mut self) -> Option<Polled> {
        self.rtc.disconnect();
        (!std::mem::replace(&mut self.ended, true)).then_some(Polled::Ended)
    }

    /// Says goodbye: what it takes comes out of the next polls, then [`Polled::Ended`].
    pub(crate) fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// False after [`Polled::Ended`].
    pub(crate) fn is_alive(&self) -> bool {
        !self.ended
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.rtc.is_alive() && self.rtc.is_connected()
    }
}
