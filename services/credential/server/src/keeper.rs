//! The work that goes on by itself: keys change in time, what other replicas have changed is read,
//! and what is over is removed.

use std::{pin::pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{MissedTickBehavior, interval};
use tributary_message_bus::{ControlBus, subjects};
use tributary_service_runtime::CancellationToken;
use tributary_sliding_window::Budgets;

use crate::{
    announcer::Announcer, authority::Authority, budgets, clock::Clock, metrics, store::Store,
};

/// How often the database is looked at, whatever the bus says.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often what is over is removed.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// Does the work.
pub struct Keeper {
    /// The keys and revocations.
    pub authority: Authority,
    /// Log-ins that were begun and never finished, tokens that were never used.
    pub store: Store,
    /// What could not be told at once.
    pub announcer: Announcer,
    /// Attempts that do not count any more.
    pub budgets: Budgets,
    /// Now.
    pub clock: Clock,
    /// Where other replicas are heard.
    pub bus: ControlBus,
}

impl Keeper {
    /// Works until the shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut polls = interval(POLL_INTERVAL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clean_ups = interval(FORGET_INTERVAL);
        clean_ups.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut link = self.bus.link();
        let mut news = pin!(self.news().await);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = news.next() => self.catch_up().await,
                Ok(()) = link.changed() => {
                    self.catch_up().await;
                    self.announcer.tell_again().await;
                }
                _ = polls.tick() => {
                    if let Err(error) = self.authority.maintain().await {
                        tracing::warn!(%error, "the signing keys could not be looked after");
                    }
                    self.catch_up().await;
                    self.announcer.tell_again().await;
                }
                _ = clean_ups.tick() => self.forget().await,
            }
        }
    }

    /// One item whenever another replica has changed something.
    async fn news(&self) -> impl Stream<Item = ()> + use<> {
        let revoked = self.bus.hear(subjects::revoked()).await;
        let keys = self.bus.hear(subjects::keys_changed()).await;
        let heard = [revoked, keys].into_iter().flatten();
        stream::select_all(heard).map(drop)
    }

    async fn catch_up(&self) {
        // Only the database is believed: what is heard says that it is worth a look.
        if let Err(error) = self.authority.catch_up().await {
            tracing::warn!(%error, "keys and revocations could not be read");
        }
    }

    async fn forget(&self) {
        match self.authority.forget().await {
            Ok(left) => metrics::revocations(left),
            Err(error) => tracing::warn!(%error, "old revocations could not be removed"),
        }
        if let Err(error) = self.store.forget_oidc(self.clock.seconds()).await {
            tracing::warn!(%error, "old log-ins could not be removed");
        }
        if let Err(error) = self.store.forget_relay_tokens(self.clock.seconds()).await {
            tracing::warn!(%error, "old tokens of relays could not be removed");
        }
        let before = self.clock.millis().saturating_sub(budgets::REMEMBERED_MILLIS);
        if let Err(error) = self.budgets.forget_before(before).await {
            tracing::warn!(%error, "old attempts could not be removed");
        }
    }
}
