//! The relay can be found in the local network, if that is switched on.

use std::net::SocketAddr;

use tributary_lan_discovery::{Announcement, Error, RelayRecord};

use super::{config::Config, identity::Settings};

/// Where terminals speak to the relay, below its address.
const PATH: &str = "/terminal/v1";

/// Announces the relay, which listens there, until the result is withdrawn. None if it is not switched
/// on, or can't be done: the relay serves those who know its address all the same.
#[must_use]
pub fn start(
    config: &Config,
    settings: &Settings,
    listen: SocketAddr,
    tls: bool,
) -> Option<Announcement> {
    if !config.announce {
        return None;
    }
    match Announcement::start(&record(settings, tls), listen) {
        Ok(announcement) => {
            tracing::info!(relay = %settings.relay_id, "announced in the local network");
            Some(announcement)
        }
        Err(error @ Error::Loopback(_)) => {
            tracing::warn!("edge.announce: {error}; set relay.listen to an address of the network");
            None
        }
        Err(error) => {
            tracing::warn!("edge.announce: {error}");
            None
        }
    }
}

fn record(settings: &Settings, tls: bool) -> RelayRecord {
    RelayRecord {
        relay_id: settings.relay_id.clone(),
        relay_name: settings.relay_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        path: PATH.to_owned(),
        tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_announced_only_where_it_is_wanted_and_of_use() {
        let settings = Settings {
            relay_id: "office".parse().unwrap(),
            relay_name: "Office".into(),
            room: false,
            uplink_limit_kbit: 0,
            organisation: "default".parse().unwrap(),
            voices_max: 0,
        };
        let (here, there) = (([127, 0, 0, 1], 1).into(), ([192, 0, 2, 1], 1).into());
        assert!(start(&Config::default(), &settings, there, true).is_none());
        let wanted = Config { announce: true, ..Config::default() };
        assert!(start(&wanted, &settings, here, true).is_none());
        let record = record(&settings, true);
        assert_eq!((record.relay_id.as_str(), record.tls), ("office", true));
        let read = RelayRecord::from_properties(&record.to_properties().into_iter().collect());
        assert_eq!(read, Ok(record));
    }
}
