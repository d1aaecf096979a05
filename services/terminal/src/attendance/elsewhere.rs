//! Another way in, while the relay in use is cut off from the others: it is looked for only when the
//! places of those behind that relay are not held any more, and taken only if it says welcome.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tributary_contracts::terminal::v1::UplinkChanged;

use super::relays::PATIENCE;
use crate::{protocol::Connection, random_id::random_bytes};

/// Between rounds, with as much jitter: many terminals look at once.
const ROUND_INTERVAL: Duration = Duration::from_secs(3);

/// A connection to another relay, which has said welcome.
pub(crate) struct Found {
    pub(super) url: String,
    pub(super) connection: Connection,
}

/// The search, if there is one; it ends when this is dropped.
#[derive(Default)]
pub(super) struct Elsewhere(JoinSet<Found>);

impl Elsewhere {
    /// The relay says how its uplink is; `others` are the other relays that the terminal may come by.
    pub(super) fn take(&mut self, changed: UplinkChanged, others: Vec<String>) {
        if changed.attached {
            // With what was found and not taken yet.
            self.0 = JoinSet::new();
        } else if changed.lost_ms >= changed.hold_ms && self.0.is_empty() && !others.is_empty() {
            self.0.spawn(look(others));
        }
    }

    /// What was found. Nothing is lost when this is not waited for to the end.
    pub(super) async fn found(&mut self) -> Found {
        loop {
            match self.0.join_next().await {
                Some(Ok(found)) => return found,
                // It was given up.
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }
}

/// Goes round until one says welcome.
async fn look(others: Vec<String>) -> Found {
    loop {
        for url in &others {
            if let Ok(Ok(connection)) = timeout(PATIENCE, Connection::connect(url)).await {
                return Found { url: url.clone(), connection };
            }
        }
        let random = f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX);
        sleep(ROUND_INTERVAL.mul_f64(1.0 + random)).await;
    }
}
