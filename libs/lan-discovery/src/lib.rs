//! Relays in the local network, announced and found by DNS-SD (RFC 6763) over multicast DNS (RFC 6762).
//!
//! What is found is what somebody in the network claims: good for choosing an address, not for trusting
//! what answers there.

mod announcement;
mod browsing;
mod record;

pub use announcement::Announcement;
pub use browsing::{Found, browse};
pub use record::{Malformed, RelayRecord};

/// The service that relays are announced as.
pub const SERVICE_TYPE: &str = "_tributary._tcp.local.";

/// Multicast DNS (RFC 6762 §3).
const PORT: u16 = 5353;

/// Why relays can't be announced or looked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address can't be reached from other machines.
    #[error("{0} can be reached from this machine alone: there is nothing to announce")]
    Loopback(std::net::SocketAddr),
    /// The record is too long.
    #[error("the relay's id, name, version or path is too long to be announced")]
    TooLong,
    /// Multicast DNS can't be spoken.
    #[error("multicast DNS: {0}")]
    Dns(#[from] mdns_sd::Error),
}

/// Where multicast DNS is spoken.
#[derive(Clone, Copy)]
struct Network {
    port: u16,
    /// Whether this machine's loopback interface is a network too.
    loopback: bool,
}

impl Network {
    const LAN: Self = Self { port: PORT, loopback: false };

    fn daemon(self) -> Result<mdns_sd::ServiceDaemon, Error> {
        let daemon = mdns_sd::ServiceDaemon::new_with_port(self.port)?;
        if !self.loopback {
            use mdns_sd::IfKind::{LoopbackV4, LoopbackV6};
            daemon.disable_interface(vec![LoopbackV4, LoopbackV6])?;
        }
        Ok(daemon)
    }
}
