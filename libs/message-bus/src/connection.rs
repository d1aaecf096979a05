//! How both kinds of connection are opened: named, with an inbox of their own, reconnecting with
//! jittered backoff, reporting their state to readiness.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;
use tributary_service_runtime::{Dependency, NatsConfig};

/// A NATS connection can't be opened with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL or the credentials are not usable.
    #[error("can't connect to NATS at {url}: {source}")]
    Connect {
        /// The configured URL.
        url: String,
        /// What NATS says.
        source: async_nats::ConnectError,
    },
}

/// Whether a connection is up. What is said on core NATS while it is not, is missed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// True while it is up.
    pub up: bool,
    /// How often it has come up: what was kept from an earlier time may be old.
    pub times: u64,
}

/// What the two kinds of connection differ in.
pub(crate) struct Profile {
    /// Distinguishes the connections of a process, `media` or `control`.
    pub(crate) kind: &'static str,
    /// A half-open connection is noticed after two or three of these.
    pub(crate) ping_interval: Duration,
    /// Messages a subscription holds before it drops.
    pub(crate) subscription_capacity: usize,
    /// Messages that wait to be written before publishing waits or drops.
    pub(crate) client_capacity: usize,
}

/// Opens a connection. An absent server is no error: the client goes on trying.
pub(crate) async fn open(
    config: &NatsConfig,
    name: &str,
    profile: Profile,
    dependency: &Dependency,
    link: watch::Sender<Link>,
) -> Result<Client, ConnectError> {
    let kind = profile.kind;
    dependency.not_ready("connecting to NATS");
    let state = dependency.clone();
    let link = Arc::new(link);
    let mut options = ConnectOptions::new()
        .name(format!("{name} {kind}"))
        .ping_interval(profile.ping_interval)
        .subscription_capacity(profile.subscription_capacity)
        .client_capacity(profile.client_capacity)
        .connection_timeout(Duration::from_secs(2))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| jittered(backoff(attempt)))
        .event_callback(move |event| {
            let (state, link) = (state.clone(), Arc::clone(&link));
            async move { report(kind, &state, &link, &event) }
        });
    if !config.user.is_empty() {
        options = options
            .custom_inbox_prefix(crate::permissions::inbox_prefix(&config.user))
            .user_and_password(config.user.clone(), config.password.expose().to_owned());
    }
    options
        .connect(config.url.as_str())
        .await
        .map_err(|source| ConnectError::Connect { url: config.url.clone(), source })
}

fn report(kind: &'static str, state: &Dependency, link: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            state.ready();
            link.send_modify(|link| *link = Link { up: true, times: link.times + 1 });
            tracing::info!(kind, "connected to NATS");
        }
        Event::Disconnected | Event::Closed => {
            state.not_ready("disconnected from NATS");
            link.send_modify(|link| link.up = false);
            tracing::warn!(kind, "disconnected from NATS");
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("tributary_nats_slow_consumer_total", "kind" => kind).increment(1);
        }
        Event::LameDuckMode | Event::Draining => tracing::info!(kind, %event, "NATS"),
        Event::ServerError(error) => tracing::warn!(kind, %error, "NATS server error"),
        Event::ClientError(error) => tracing::debug!(kind, %error, "NATS client error"),
    }
}

fn backoff(attempt: usize) -> Duration {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);
    FIRST.saturating_mul(1 << attempt.min(8)).min(LONGEST)
}

/// Between half and one and a half times the delay, so that many clients do not return at once.
pub(crate) fn jittered(delay: Duration) -> Duration {
    // A fresh `RandomState` is seeded by the operating system: enough for spreading retries.
    let random = RandomState::new().hash_one(0) % 1000;
    delay.mul_f64(0.5 + random as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_delays_grow_to_two_seconds_and_are_spread() {
        assert!(backoff(0) < backoff(3));
        assert_eq!(backoff(60), Duration::from_secs(2));
        let spread: std::collections::BTreeSet<_> =
            (0..50).map(|_| jittered(Duration::from_secs(1))).collect();
        assert!(spread.len() > 10);
        assert!(spread.iter().all(|d| (0.5..=1.5).contains(&d.as_secs_f64())));
    }
}
