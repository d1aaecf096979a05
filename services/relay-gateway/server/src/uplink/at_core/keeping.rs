//! Keeps relays that are attached with what the administrator sets: told on the bus, and looked up
//! every now and then because that tells nothing twice.

use std::time::Duration;

use axum::extract::ws::close_code;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Code;
use tributary_identifiers::RelayId;
use tributary_message_bus::{ControlBus, RelayChanges};

use super::{AtCore, not_known};

/// How often everybody is looked up.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

impl AtCore {
    /// Follows what changes; ends when dropped.
    pub(crate) async fn keep(&self, bus: &ControlBus) {
        let mut link = bus.link();
        let mut changes = bus.relay_changes(&self.shared.organisation).await;
        link.mark_unchanged();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = next(&mut changes) => match changed {
                    Some(relay) => self.look_up(&relay).await,
                    None => changes = None,
                },
                _ = look.tick() => self.look_up_all().await,
                incomplete = self.shared.relays.incomplete() => {
                    for relay in incomplete {
                        self.look_up(&relay).await;
                    }
                }
                // Something may have been told while the connection was down.
                Ok(()) = link.changed() => self.look_up_all().await,
            }
        }
    }

    async fn look_up_all(&self) {
        for relay in self.shared.relays.all() {
            self.look_up(&relay).await;
        }
    }

    async fn look_up(&self, relay: &RelayId) {
        let Some(child) = self.shared.relays.via(relay) else { return };
        let organisation = &self.shared.organisation;
        match self.shared.upstream.relay(organisation, relay).await {
            Ok(Some(identity)) => {
                let before = self.shared.relays.settings(relay);
                self.shared.relays.know(relay, &identity);
                let Some(settings) = identity.settings else { return };
                let moved = before.is_some_and(|before| before.room != settings.room);
                child.set_settings(relay, settings);
                if moved {
                    // Who is in came by the old setting: they come again, and are in a room or not.
                    let is_there = |path: &[RelayId]| path.last() == Some(relay);
                    self.close_links(&child, is_there, close_code::RESTART);
                }
            }
            Err(status) if status.code() == Code::NotFound => self.cut_off(relay),
            Ok(None) => {}
            Err(status) => tracing::debug!(%relay, code = ?status.code(), "relay not looked up"),
        }
    }

    /// A relay was revoked: it is cut off wherever it is, and everybody behind it.
    fn cut_off(&self, relay: &RelayId) {
        tracing::info!(%relay, "relay revoked");
        for by in self.shared.relays.behind_which(relay) {
            by.revoke_behind(relay);
        }
        for own in self.shared.relays.forget(relay) {
            own.end(not_known());
        }
        self.close_all_by(relay, None, close_code::POLICY);
    }
}

/// The next change; never, when there can't be any: then everybody is looked up now and then.
async fn next(changes: &mut Option<RelayChanges>) -> Option<RelayId> {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}
