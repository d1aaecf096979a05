//! The section `edge` of the configuration: how a relay attaches to its parent.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use tributary_service_runtime::Secret;

use super::connect::{Proxy, Upstream};

/// Upstreams that can be named: tried in turn, so more would only make the way round longer.
const UPSTREAMS_MAX: usize = 8;

/// How one edge relay is set up. What it offers to terminals stands in the section `relay`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the parent relay listens, as `https://relay.example` or `https://relay.example:7443`; 1 to
    /// 8, tried in turn, the first one first. `http://` goes to this machine itself only.
    pub upstream: Vec<String>,
    /// The folder that holds the relay's key and what the core has told it; made if it is not there,
    /// readable by this user alone.
    pub data_dir: PathBuf,
    /// The file with the one-time token from the administrator, for the first start; not read later, so
    /// that it may be deleted. Empty: none.
    pub enrolment_token_file: PathBuf,
    /// The token itself, instead of its file. Empty: none.
    pub enrolment_token: Secret,
    /// Certificates (PEM) of the authorities to be trusted instead of those of the system and of the web;
    /// for parents with certificates of one's own, and for proxies that look into TLS. Empty: none.
    pub ca_file: PathBuf,
    /// The HTTP proxy on the way to the parent, as `http://user:password@proxy.example:3128`. Empty: as
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; `none`: none, whatever they say.
    pub proxy: Secret,
    /// True to allow `http://` to other machines: everything can be read and changed on the way.
    pub plaintext: bool,
    /// True to serve terminals without TLS to other machines than this one (`relay.listen`): what they
    /// say can be read and changed in the local network.
    pub plaintext_terminals: bool,
    /// True to announce the relay in the local network, by DNS-SD over multicast DNS.
    pub announce: bool,
    /// True to show the status page to other machines than this one; with `--join`, also who is in that
    /// meeting.
    pub status_on_lan: bool,
    /// Days after which the relay takes a new key, 1 to 365.
    pub rotate_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upstream: Vec::new(),
            data_dir: PathBuf::from("tributary-relay"),
            enrolment_token_file: PathBuf::new(),
            enrolment_token: Secret::default(),
            ca_file: PathBuf::new(),
            proxy: Secret::default(),
            plaintext: false,
            plaintext_terminals: false,
            announce: false,
            status_on_lan: false,
            rotate_days: 30,
        }
    }
}

impl Config {
    /// Looks for what can't work whether or not the process is an edge relay; all faults found, in words
    /// that say what to do.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.upstream.len() > UPSTREAMS_MAX {
            faults.push(format!("edge.upstream: at most {UPSTREAMS_MAX} can be named"));
        }
        for url in &self.upstream {
            faults.extend(Upstream::parse(url, self.plaintext).err().map(|e| e.to_string()));
        }
        if !(1..=365).contains(&self.rotate_days) {
            faults.push("edge.rotate_days must be 1 to 365".to_owned());
        }
        if !self.enrolment_token.is_empty() && !self.enrolment_token_file.as_os_str().is_empty() {
            faults.push(
                "edge.enrolment_token and edge.enrolment_token_file are both set: remove one"
                    .to_owned(),
            );
        }
        faults
    }

    /// What stands in the way of this process being an edge relay that serves terminals at `listen`, with
    /// a certificate or without.
    #[must_use]
    pub fn edge_faults(&self, listen: SocketAddr, certificate: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if self.upstream.is_empty() {
            faults.push(
                "an edge relay needs a parent: name it by --upstream https://relay.example, or set \
                 edge.upstream"
                    .to_owned(),
            );
        }
        faults.extend(Proxy::new(self.proxy.expose()).err().map(|error| error.to_string()));
        if !listen.ip().to_canonical().is_loopback() && !certificate && !self.plaintext_terminals {
            faults.push(format!(
                "relay.listen ({listen}) can be reached by other machines: set relay.certificate_file \
                 and relay.key_file, or edge.plaintext_terminals = true"
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        let mut config = Config::default();
        assert!(config.faults().is_empty());
        config.upstream = vec!["https://relay.example".into(), "http://relay.example:1".into()];
        config.rotate_days = 0;
        config.enrolment_token = Secret::new("a");
        config.enrolment_token_file = "b".into();
        let faults = config.faults();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("edge.plaintext"), "{faults:?}");
    }

    #[test]
    fn an_edge_relay_needs_a_parent_and_a_certificate_where_others_can_listen() {
        let (here, everywhere) = (([127, 0, 0, 1], 80).into(), ([0, 0, 0, 0], 80).into());
        let mut config = Config::default();
        assert_eq!(config.edge_faults(here, false).len(), 1);
        config.upstream = vec!["https://relay.example".into()];
        assert!(config.edge_faults(here, false).is_empty());
        assert!(config.edge_faults(everywhere, true).is_empty());
        assert!(config.edge_faults(everywhere, false)[0].contains("edge.plaintext_terminals"));
        config.plaintext_terminals = true;
        assert!(config.edge_faults(everywhere, false).is_empty());
        config.proxy = Secret::new("socks5://me:hidden@proxy.example");
        let faults = config.edge_faults(here, false);
        assert!(faults.len() == 1 && !faults[0].contains("hidden"), "{faults:?}");
    }
}
