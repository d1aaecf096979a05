//! A relay announces itself.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use tokio::time::timeout;

use crate::{Error, Network, RelayRecord, SERVICE_TYPE};

/// The farewell is one packet: longer than this it does not take.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(1);

/// A relay that can be found, until [`withdraw`](Self::withdraw).
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces a relay that listens there: on one address, or on all of this machine.
    ///
    /// # Errors
    /// Others can't reach it, the record is too long, or multicast DNS can't be spoken.
    pub fn start(record: &RelayRecord, listen: SocketAddr) -> Result<Self, Error> {
        Self::start_in(Network::LAN, record, listen)
    }

    pub(crate) fn start_in(
        network: Network,
        record: &RelayRecord,
        listen: SocketAddr,
    ) -> Result<Self, Error> {
        if listen.ip().to_canonical().is_loopback() && !network.loopback {
            return Err(Error::Loopback(listen));
        }
        let info = service(record, listen)?;
        let name = info.get_fullname().to_owned();
        let daemon = network.daemon()?;
        daemon.register(info)?;
        Ok(Self { daemon, name })
    }

    /// Says that the relay is gone, so that nobody has to find out.
    pub async fn withdraw(self) {
        let farewell = async {
            if let Ok(done) = self.daemon.unregister(&self.name) {
                let _ = done.recv_async().await;
            }
            if let Ok(done) = self.daemon.shutdown() {
                let _ = done.recv_async().await;
            }
        };
        // Whoever does not hear it finds out by the record's age (RFC 6762 §10).
        let _ = timeout(FAREWELL_DEADLINE, farewell).await;
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Its thread would go on by itself otherwise; after a farewell it is gone already.
        let _ = self.daemon.shutdown();
    }
}

fn service(record: &RelayRecord, listen: SocketAddr) -> Result<ServiceInfo, Error> {
    let properties = record.to_properties();
    if properties.iter().any(|(key, value)| key.len() + value.len() >= usize::from(u8::MAX)) {
        return Err(Error::TooLong);
    }
    let everywhere = listen.ip().is_unspecified();
    let addresses: &[IpAddr] = if everywhere { &[] } else { &[listen.ip().to_canonical()] };
    let (instance, host) = (record.instance(), record.host());
    let info = ServiceInfo::new(
        SERVICE_TYPE,
        &instance,
        &host,
        addresses,
        listen.port(),
        properties.as_slice(),
    )?;
    if everywhere {
        return Ok(info.enable_addr_auto());
    }
    let mut info = info;
    info.set_interfaces(addresses.iter().map(|address| IfKind::Addr(*address)).collect());
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> RelayRecord {
        RelayRecord {
            relay_id: "office".parse().unwrap(),
            relay_name: name.into(),
            version: "1".into(),
            path: "/terminal/v1".into(),
            tls: false,
        }
    }

    #[test]
    fn the_record_is_that_of_the_listener() {
        let info = service(&record("Dots. And more."), "192.0.2.1:8443".parse().unwrap()).unwrap();
        assert_eq!(info.get_fullname(), "Dots\\. And more\\.._tributary._tcp.local.");
        assert_eq!((info.get_port(), info.get_hostname()), (8443, "tributary-office.local."));
        assert_eq!(info.get_property_val_str("id"), Some("office"));
        assert!(!info.is_addr_auto() && info.get_addresses_v4().len() == 1);
        let info = service(&record("Everywhere"), "0.0.0.0:8443".parse().unwrap()).unwrap();
        assert!(info.is_addr_auto() && info.get_addresses_v4().is_empty());
    }

    #[test]
    fn what_nobody_could_reach_or_read_is_not_announced() {
        let here = Announcement::start(&record("Here"), "127.0.0.1:1".parse().unwrap());
        assert!(matches!(here, Err(Error::Loopback(_))));
        let long = service(&record(&"x".repeat(300)), "192.0.2.1:1".parse().unwrap());
        assert!(matches!(long, Err(Error::TooLong)));
    }
}
