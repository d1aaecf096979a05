//! The section `relay.uplink` of the configuration.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Certificate, CertificateError};

/// Longest time that a session can be held.
const HOLD_SECONDS_MAX: u64 = 300;
/// Connections that can be allowed.
const CONNECTIONS_MAX: usize = 65_536;
/// Connections of one address, unless something else is set: offices behind one address, each of
/// which may be trying more than once, and may have lost connections that are not missed yet.
const CONNECTIONS_OF_ADDRESS: usize = 512;

/// How many TCP connections of relays there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// In all.
    pub(crate) all: usize,
    /// From one IPv4 address or IPv6 /64.
    pub(crate) of_address: usize,
}

/// How other relays attach to this one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UplinkConfig {
    /// Where (gRPC over HTTP/2); empty: no relay attaches here.
    pub listen: String,
    /// Chain of certificates, PEM.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key_file: Option<PathBuf>,
    /// True if there is no certificate although `listen` can be reached from elsewhere: TLS ends in a
    /// proxy in front.
    pub plaintext: bool,
    /// For how long the session of a relay is kept without a connection, in seconds, 5 to 300.
    pub hold_seconds: u64,
    /// TCP connections at a time, 1 to 65,536; more are closed at once. A relay has one, and some more
    /// for a moment while it attaches again.
    pub connections_max: usize,
    /// TCP connections at a time from one IPv4 address or IPv6 /64, 1 to 65,536. Absent: 512 with a
    /// certificate; without one all may come from the proxy in front, and only `connections_max` counts.
    pub connections_per_address_max: Option<usize>,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            certificate_file: None,
            key_file: None,
            plaintext: false,
            hold_seconds: 30,
            connections_max: 8_192,
            connections_per_address_max: None,
        }
    }
}

impl UplinkConfig {
    /// Where relays attach, if they do.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.trim().parse().ok()
    }

    /// For how long the session of a relay is kept without a connection.
    #[must_use]
    pub const fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }

    /// How many TCP connections there may be.
    pub(crate) fn connection_limits(&self) -> ConnectionLimits {
        let all = self.connections_max;
        let usual = if self.certificate_file.is_some() { CONNECTIONS_OF_ADDRESS } else { all };
        ConnectionLimits { all, of_address: self.connections_per_address_max.unwrap_or(usual) }
    }

    /// What the listener shows of itself, if it speaks TLS.
    ///
    /// # Errors
    /// The files can't be read or used.
    pub fn certificate(&self) -> Result<Option<Certificate>, CertificateError> {
        Certificate::read(self.certificate_file.as_deref(), self.key_file.as_deref())
    }

    /// Looks for what can't work.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, text: &str| {
            if !ok {
                faults.push(text.to_owned());
            }
        };
        check(
            self.listen.trim().is_empty() || self.address().is_some(),
            "relay.uplink.listen must be an address with a port, as in 127.0.0.1:7443, or empty",
        );
        check(
            self.certificate_file.is_some() == self.key_file.is_some(),
            "relay.uplink.certificate_file and relay.uplink.key_file belong together: set both, or none",
        );
        let is_local = self.address().is_none_or(|address| address.ip().is_loopback());
        check(
            is_local || self.certificate_file.is_some() || self.plaintext,
            "relay.uplink.listen can be reached from elsewhere: set relay.uplink.certificate_file and \
             key_file, or relay.uplink.plaintext if TLS ends in a proxy in front",
        );
        check(
            (5..=HOLD_SECONDS_MAX).contains(&self.hold_seconds),
            "relay.uplink.hold_seconds must be 5 to 300",
        );
        let possible = 1..=CONNECTIONS_MAX;
        check(
            possible.contains(&self.connections_max),
            "relay.uplink.connections_max must be 1 to 65536",
        );
        check(
            self.connections_per_address_max.is_none_or(|max| possible.contains(&max)),
            "relay.uplink.connections_per_address_max must be 1 to 65536",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_off_and_in_the_open_it_wants_a_certificate() {
        let mut config = UplinkConfig::default();
        assert!(config.faults().is_empty() && config.address().is_none());
        config.listen = "127.0.0.1:7443".to_owned();
        assert!(config.faults().is_empty() && config.address().is_some());
        config.listen = "0.0.0.0:7443".to_owned();
        assert_eq!(config.faults().len(), 1);
        config.plaintext = true;
        assert!(config.faults().is_empty());
        config = UplinkConfig { certificate_file: Some("a".into()), ..config };
        assert_eq!(config.faults().len(), 1);
        config.listen = "somewhere".to_owned();
        config.hold_seconds = 0;
        assert_eq!(config.faults().len(), 3);
        (config.connections_max, config.connections_per_address_max) = (0, Some(0));
        assert_eq!(config.faults().len(), 5);
    }

    #[test]
    fn one_address_has_a_share_of_its_own_where_addresses_are_the_relays_own() {
        let mut config = UplinkConfig::default();
        let limits = |config: &UplinkConfig| {
            let ConnectionLimits { all, of_address } = config.connection_limits();
            (all, of_address)
        };
        assert_eq!(limits(&config), (8_192, 8_192));
        config.certificate_file = Some("a".into());
        assert_eq!(limits(&config), (8_192, CONNECTIONS_OF_ADDRESS));
        config.connections_per_address_max = Some(7);
        assert_eq!(limits(&config), (8_192, 7));
    }
}
