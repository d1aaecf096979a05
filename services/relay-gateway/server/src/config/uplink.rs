//! The section `relay.uplink` of the configuration.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Certificate, CertificateError};

/// Longest time that a session can be held.
const HOLD_SECONDS_MAX: u64 = 300;

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
}

impl Default for UplinkConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            certificate_file: None,
            key_file: None,
            plaintext: false,
            hold_seconds: 30,
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
    }
}
