//! A terminal looks for relays.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mdns_sd::{ResolvedService, ServiceEvent};
use tokio::time::{Instant, timeout_at};

use crate::{Error, Network, RelayRecord, SERVICE_TYPE};

/// More relays than that in one network are not listed.
const RELAYS_MAX: usize = 64;
/// More addresses than that of one relay are not listed.
const ADDRESSES_MAX: usize = 8;

/// A relay that somebody announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself.
    pub record: RelayRecord,
    /// Where it says it is, those first that are easiest to use: IPv4, then IPv6.
    pub addresses: Vec<SocketAddr>,
}

impl Found {
    /// Its address for terminals; none without an IP address.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let scheme = if self.record.tls { "https" } else { "http" };
        self.addresses.first().map(|address| format!("{scheme}://{address}"))
    }
}

/// Looks for relays in the local network for so long; all that were found, by name.
///
/// # Errors
/// Multicast DNS can't be spoken.
pub async fn browse(time: Duration) -> Result<Vec<Found>, Error> {
    browse_in(Network::LAN, time, usize::MAX).await
}

/// As [`browse`]; ends when `enough` relays were found.
pub(crate) async fn browse_in(
    network: Network,
    time: Duration,
    enough: usize,
) -> Result<Vec<Found>, Error> {
    let end = Instant::now() + time;
    let daemon = network.daemon()?;
    let events = daemon.browse(SERVICE_TYPE)?;
    let mut relays = BTreeMap::new();
    while let Ok(Ok(event)) = timeout_at(end, events.recv_async()).await {
        match event {
            ServiceEvent::ServiceResolved(service) if relays.len() < RELAYS_MAX => {
                relays.extend(found(&service).map(|found| (service.fullname.clone(), found)));
            }
            ServiceEvent::ServiceRemoved(_, name) => {
                relays.remove(&name);
            }
            _ => {}
        }
        if relays.len() >= enough {
            break;
        }
    }
    if let Ok(done) = daemon.shutdown() {
        let _ = done.recv_async().await;
    }
    let mut relays: Vec<_> = relays.into_values().collect();
    relays.sort_by(|one, other| one.record.relay_name.cmp(&other.record.relay_name));
    Ok(relays)
}

/// None if it is no relay, or nowhere.
fn found(service: &ResolvedService) -> Option<Found> {
    let properties = service.txt_properties.clone().into_property_map_str();
    let record = RelayRecord::from_properties(&properties).ok()?;
    let addresses = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr);
    let addresses = usable(addresses, service.port);
    (!addresses.is_empty()).then_some(Found { record, addresses })
}

fn usable(addresses: impl Iterator<Item = IpAddr>, port: u16) -> Vec<SocketAddr> {
    let fits = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast() && !needs_scope(ip);
    let mut addresses: Vec<_> = addresses.filter(fits).collect();
    addresses.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    addresses.truncate(ADDRESSES_MAX);
    addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// Of no use in a URL (RFC 4007 §11).
const fn needs_scope(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Announcement;

    /// Longer than anything here takes on a busy machine.
    const DEADLINE: Duration = Duration::from_secs(20);

    fn record(id: &str, name: &str) -> RelayRecord {
        RelayRecord {
            relay_id: id.parse().unwrap(),
            relay_name: name.into(),
            version: "0.1.0".into(),
            path: "/terminal/v1".into(),
            tls: true,
        }
    }

    /// A multicast port of this test's own, in which nobody else speaks.
    fn network() -> Network {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Network { port: socket.local_addr().unwrap().port(), loopback: true }
    }

    #[test]
    fn addresses_that_can_be_used_come_in_an_order() {
        let texts = ["fe80::1", "2001:db8::1", "0.0.0.0", "192.0.2.9", "192.0.2.1", "224.0.0.1"];
        let addresses = texts.map(|text| text.parse::<IpAddr>().unwrap());
        let usable = usable(addresses.into_iter(), 5);
        let wanted = ["192.0.2.1:5", "192.0.2.9:5", "[2001:db8::1]:5"];
        assert_eq!(usable, wanted.map(|text| text.parse().unwrap()));
        let found = Found { record: record("a", "A"), addresses: usable };
        assert_eq!(found.url().as_deref(), Some("https://192.0.2.1:5"));
    }

    #[tokio::test]
    async fn relays_are_found_while_they_are_there() {
        let network = network();
        let first = record("first", "Ground floor");
        let listen: SocketAddr = "0.0.0.0:8443".parse().unwrap();
        let one = Announcement::start_in(network, &first, listen).unwrap();
        let second = record("second", "First floor");
        let two = Announcement::start_in(network, &second, listen).unwrap();
        let found = browse_in(network, DEADLINE, 2).await.unwrap();
        let records: Vec<_> = found.iter().map(|found| found.record.clone()).collect();
        assert_eq!(records, [second.clone(), first]);
        assert!(found.iter().all(|found| found.addresses.iter().all(|a| a.port() == 8443)));

        one.withdraw().await;
        let found = browse_in(network, Duration::from_secs(3), usize::MAX).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].record, second);
        two.withdraw().await;
    }
}
