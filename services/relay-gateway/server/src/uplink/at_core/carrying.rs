//! Links as connections of this relay.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::extract::ws::close_code;
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};
use tributary_contracts::relay::v1::OpenLink;
use tributary_identifiers::RelayId;

use super::{AtCore, addresses::address_of};
use crate::{
    media::UplinkId,
    terminals::{
        connection::Connection,
        link::{CarriedLink, CarriedMessage, Link, Origin},
        socket::CONNECTIONS_MAX,
    },
    uplink::{Carriage, Child, links::ids_of},
};

/// Messages of a link that wait for its connection: what a terminal may send in a row, and more.
const MESSAGES_MAX: usize = 128;

/// The uplink's end of one link.
pub(super) struct Carried {
    /// From the child to the terminal's relay.
    pub(super) path: Vec<RelayId>,
    /// The terminal is the relay's own participant.
    own: bool,
    inbox: mpsc::Sender<CarriedMessage>,
    gone_since: Arc<OnceLock<Instant>>,
}

impl Carried {
    /// The terminal is gone, and was there for the last time then.
    pub(super) fn gone(self, since: Instant) {
        // The connection sees it when it has taken what came before.
        let _ = self.gone_since.set(since);
    }
}

impl AtCore {
    /// Runs a connection for a terminal behind a child.
    pub(super) fn open(&self, child: &Arc<Child>, open: &OpenLink) {
        let link = open.link_id;
        if self.shutdown.is_cancelled() {
            return child.close_link(link, close_code::RESTART);
        }
        if self.connections.len() >= CONNECTIONS_MAX {
            return child.close_link(link, close_code::AGAIN);
        }
        let Some((mut origin, carriage, path)) = self.origin(child, open) else {
            tracing::warn!(relay = %child.relay, link, "a link comes from a relay that is not there");
            metrics::counter!("tributary_relay_uplink_links_refused_total").increment(1);
            return child.close_link(link, close_code::POLICY);
        };
        let Some(places) = self.places(child.uplink) else {
            return child.close_link(link, close_code::AGAIN);
        };
        let (inbox, messages) = mpsc::channel(MESSAGES_MAX);
        let gone_since = Arc::new(OnceLock::new());
        {
            let mut lines = self.lines();
            let Some(line) = lines.get_mut(&child.uplink) else { return };
            // A relay is one participant itself; whoever else says so is one like others.
            let of_same = |other: &Carried| other.own && other.path.last() == path.last();
            origin.own &= !line.links.values().any(of_same);
            let (own, path) = (origin.own, path.clone());
            let carried = Carried { path, own, inbox, gone_since: gone_since.clone() };
            line.links.insert(link, carried);
        }
        // A relay that was cut off or went elsewhere meanwhile did not see this link.
        if !self.shared.relays.are_behind(child.uplink, &path) {
            self.lines.forget(child.uplink, link);
            return child.close_link(link, close_code::POLICY);
        }
        let carried = Link::Carried(CarriedLink::new(carriage.clone(), messages, gone_since));
        let shared = self.shared.clone();
        let connection = Connection::new(shared, origin, carried, self.shutdown.clone());
        let lines = self.lines.clone();
        self.connections.spawn(async move {
            connection.run().await;
            lines.forget(carriage.uplink(), link);
            // Unless it was closed with a better reason.
            carriage.close(close_code::NORMAL);
            drop(places);
        });
    }

    /// A place among the connections of this uplink, and among those of all, if there is one.
    fn places(&self, uplink: UplinkId) -> Option<[OwnedSemaphorePermit; 2]> {
        let of_uplink = self.lines().get(&uplink)?.places.clone();
        let of_uplink = of_uplink.try_acquire_owned().ok()?;
        let of_all = self.places.clone().try_acquire_owned().ok()?;
        Some([of_uplink, of_all])
    }

    /// Where a terminal is attached, if all relays on its way are what they say.
    fn origin(
        &self,
        child: &Arc<Child>,
        open: &OpenLink,
    ) -> Option<(Origin, Carriage, Vec<RelayId>)> {
        let path = ids_of(&open.path).ok()?;
        if !self.shared.relays.are_behind(child.uplink, &path) {
            return None;
        }
        let relay = path.last()?.clone();
        let settings = self.shared.relays.settings(&relay)?;
        // As credential tells them, not as the link does.
        let name_of = |relay| Some(self.shared.relays.settings(relay)?.relay_name);
        let names: Vec<String> = path.iter().map(name_of).collect::<Option<_>>()?;
        let room = settings.room.then(|| relay.room_id());
        let address = address_of(&child.relay, &open.client_address);
        let (link, said) = (open.link_id, &open.client_address);
        tracing::debug!(%relay, link, %said, counts_as = %address, "a link is opened");
        let carriage = Carriage { child: child.clone(), link: open.link_id, room };
        let origin = Origin {
            relay,
            relay_name: names.last()?.clone(),
            depth: u32::try_from(path.len()).ok()?,
            path: names,
            own: open.own,
            address,
            carriage: Some(carriage.clone()),
        };
        Some((origin, carriage, path))
    }

    /// Passes on what a terminal says. One that says more than may wait is closed.
    pub(super) fn pass(&self, child: &Arc<Child>, link: u32, message: Bytes) {
        let passed = {
            let mut lines = self.lines();
            let Some(line) = lines.get_mut(&child.uplink) else { return };
            let Some(carried) = line.links.get(&link) else { return };
            let bytes = u32::try_from(message.len()).unwrap_or(u32::MAX);
            let room = line.room.clone().try_acquire_many_owned(bytes);
            let passed = room.is_ok_and(|room| {
                let message = CarriedMessage { message, _room: room };
                carried.inbox.try_send(message).is_ok()
            });
            if !passed {
                line.links.remove(&link);
            }
            passed
        };
        if !passed {
            child.close_link(link, close_code::POLICY);
        }
    }

    /// A terminal's connection to its relay has ended.
    pub(super) fn lose(&self, child: &Arc<Child>, link: u32, silent_ms: u64) {
        let carried = self.lines().get_mut(&child.uplink).and_then(|line| line.links.remove(&link));
        if let Some(carried) = carried {
            let now = Instant::now();
            // Nobody was silent for longer than a day and still there.
            let silent = Duration::from_millis(silent_ms.min(24 * 3_600_000));
            carried.gone(now.checked_sub(silent).unwrap_or(now));
        }
    }
}
