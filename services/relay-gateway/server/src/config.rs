//! The section `relay` of the configuration.

mod certificate;
mod uplink;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tributary_identifiers::{OrganisationId, RelayId};
use tributary_speaker_selection::Config as SelectionConfig;

pub use certificate::{Certificate, CertificateError};
pub(crate) use uplink::ConnectionLimits;
pub use uplink::UplinkConfig;

/// Voices a relay can be told to send up at most.
const VOICES_MAX: usize = 16;
/// Longest time that the place of a lost participant can be kept.
const GRACE_SECONDS_MAX: u64 = 60;
/// Longest sound that a terminal is given after a gap in its connection, in ms.
const CATCH_UP_MS_MAX: u64 = 10_000;

/// How one relay gateway is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Names the relay in subjects and tables; unique: letters, digits, `-` and `_`.
    pub relay_id: RelayId,
    /// The name people see; the group of its participants has it too.
    pub name: String,
    /// The organisation whose terminals attach here.
    pub organisation: OrganisationId,
    /// Where the web client and the terminal protocol are served.
    pub listen: SocketAddr,
    /// The one UDP port for media.
    pub udp_listen: SocketAddr,
    /// Addresses of that port as terminals see it; empty: `udp_listen` itself.
    pub udp_advertise: Vec<SocketAddr>,
    /// How many voices this relay sends up at most (K).
    pub voices_max: usize,
    /// Origins of pages that may use this relay besides its own.
    pub allowed_origins: Vec<String>,
    /// How long a participant whose connection is lost may come back, in seconds, 1 to 60.
    pub reconnect_grace_seconds: u64,
    /// True if everybody behind this relay sits in one room: they hear each other without it, and it
    /// does not give them each other's voices.
    pub room: bool,
    /// Reverse proxies in front of this relay, as networks (`10.0.0.0/8`, `192.0.2.1/32`): what they
    /// write into `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Largest file that this relay takes for a meeting, in bytes. The meeting registry has a limit of
    /// its own; this one bounds what waits on this relay's disk.
    pub attachment_bytes_max: u64,
    /// How much sound is kept for a terminal that can't be reached for a moment, in ms, at most 10,000;
    /// 0: none. It is caught up quickly when the terminal is back, the oldest is dropped first.
    pub catch_up_ms: u64,
    /// Chain of certificates, PEM: with it and `key_file`, `listen` speaks HTTPS. Without, TLS is up to a
    /// proxy in front.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key_file: Option<PathBuf>,
    /// Where other relays attach.
    pub uplink: UplinkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            relay_id: RelayId::default(),
            name: "Relay".to_owned(),
            organisation: OrganisationId::default(),
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            udp_listen: (Ipv4Addr::LOCALHOST, 8081).into(),
            udp_advertise: Vec::new(),
            voices_max: SelectionConfig::default().voices_max,
            allowed_origins: Vec::new(),
            reconnect_grace_seconds: 5,
            room: false,
            trusted_proxies: Vec::new(),
            attachment_bytes_max: 64 << 20,
            catch_up_ms: 2_000,
            certificate_file: None,
            key_file: None,
            uplink: UplinkConfig::default(),
        }
    }
}

impl Config {
    /// Looks for what can't work; all faults found, in words that say what to do.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, text: &str| {
            if !ok {
                faults.push(text.to_owned());
            }
        };
        check((1..=VOICES_MAX).contains(&self.voices_max), "relay.voices_max must be 1 to 16");
        check(
            !self.udp_listen.ip().is_unspecified() || !self.udp_advertise.is_empty(),
            "relay.udp_listen is on all addresses: name those that terminals can reach in \
             relay.udp_advertise",
        );
        check(
            self.udp_advertise.iter().all(|a| a.port() != 0 && !a.ip().is_unspecified()),
            "relay.udp_advertise must hold addresses with ports that terminals can reach",
        );
        check(
            (1..=GRACE_SECONDS_MAX).contains(&self.reconnect_grace_seconds),
            "relay.reconnect_grace_seconds must be 1 to 60",
        );
        check(self.catch_up_ms <= CATCH_UP_MS_MAX, "relay.catch_up_ms must be 0 to 10000");
        check(
            self.certificate_file.is_some() == self.key_file.is_some(),
            "relay.certificate_file and relay.key_file belong together: set both, or none",
        );
        let name = self.name.trim();
        check(
            !name.is_empty() && name.chars().count() <= 64,
            "relay.name must be 1 to 64 characters",
        );
        faults.extend(self.uplink.faults());
        faults
    }

    /// What `listen` shows of itself, if it speaks TLS.
    ///
    /// # Errors
    /// The files can't be read or used.
    pub fn certificate(&self) -> Result<Option<Certificate>, CertificateError> {
        Certificate::read(self.certificate_file.as_deref(), self.key_file.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work_and_a_wildcard_address_wants_an_advertised_one() {
        let mut config = Config::default();
        assert!(config.faults().is_empty());
        config.udp_listen = (Ipv4Addr::UNSPECIFIED, 8081).into();
        config.voices_max = 0;
        assert_eq!(config.faults().len(), 2);
        config.udp_advertise = vec![([192, 0, 2, 1], 8081).into()];
        config.voices_max = 3;
        assert!(config.faults().is_empty());
        config.reconnect_grace_seconds = 0;
        assert_eq!(config.faults().len(), 1);
    }
}
