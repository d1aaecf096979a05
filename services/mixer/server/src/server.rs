//! The composition root: connects, starts the workers, follows what relays need.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use prost::Message as _;
use tributary_contracts::relay::v1::RelayNeeds;
use tributary_message_bus::{ConnectError, ControlBus, Leases, subjects};
use tributary_service_runtime::{Platform, grpc::Services};

use crate::{
    Config, metrics,
    ownership::Ownership,
    worker::{StartError, WorkerHandle},
};

const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A mixer can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration can't work.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    /// The NATS configuration can't be used.
    #[error(transparent)]
    Bus(#[from] ConnectError),
    /// A worker can't start.
    #[error(transparent)]
    Worker(#[from] StartError),
    /// The control connection was closed for good.
    #[error("the NATS connection has closed")]
    Closed,
}

/// A mixer, connected.
pub struct Server {
    platform: Platform,
    bus: ControlBus,
    workers: Vec<WorkerHandle>,
}

impl Server {
    /// Starts the workers. An absent NATS is waited for later.
    ///
    /// # Errors
    /// The configuration can't be used.
    pub async fn load(config: Config, platform: Platform) -> Result<Self, Error> {
        metrics::describe();
        let faults = config.faults();
        if !faults.is_empty() {
            return Err(Error::Config(faults));
        }
        let dependency = platform.readiness.dependency("nats");
        let bus = ControlBus::connect(&platform.config.nats, "mixer", &dependency).await?;
        let mut workers = Vec::new();
        for index in 0..config.workers() {
            workers.push(WorkerHandle::start(index, config.clone(), platform.clone()).await?);
        }
        Ok(Self { platform, bus, workers })
    }

    /// A mixer answers no gRPC.
    pub fn add_services(&self, _services: &mut Services) {}

    /// Owns and mixes meetings until the platform's shutdown, then gives them back.
    ///
    /// # Errors
    /// The control connection was closed for good.
    pub async fn run(self) -> Result<(), Error> {
        let Self { platform, bus, workers } = self;
        let mut ownership = Ownership::new(Leases::new(&bus), holder(), workers);
        let mut needs = bus.subscribe_needs().await.ok_or(Error::Closed)?;
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            tokio::select! {
                () = platform.shutdown.cancelled() => break,
                message = needs.next() => {
                    let message = message.ok_or(Error::Closed)?;
                    let said = subjects::meeting_and_relay(&message.subject)
                        .zip(RelayNeeds::decode(message.payload).ok());
                    if let Some(((scope, relay), mut needs)) = said {
                        // The subject is what NATS has checked.
                        needs.relay_id = relay.to_string();
                        ownership.handle_needs(scope, relay, needs, Instant::now()).await;
                    }
                }
                progress = ownership.progress() => {
                    ownership.handle(progress, Instant::now()).await;
                }
                _ = housekeeping.tick() => ownership.keep_house(Instant::now()).await,
            }
        }
        ownership.release_all().await;
        bus.drain().await;
        Ok(())
    }
}

/// Names this run of the process in its leases.
fn holder() -> String {
    let started = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_nanos());
    format!("{}-{started}", std::process::id())
}
