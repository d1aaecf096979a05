//! Which process is killed when, and how it comes back.

use std::time::Duration;

use anyhow::Result;

use super::devices::Devices;
use crate::postgres::PostgresServer;
use crate::seeded::Seeded;
use crate::{Service, World};

/// Longest and shortest time for which a process is away, in ms.
const AWAY_MS: (usize, usize) = (1_500, 100);

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process in which a terminal lives.
    Terminal,
    /// A relay with all terminals behind it.
    Relay,
    /// Meeting-registry.
    Registry,
    /// The database server.
    Postgres,
    /// nats-server, JetStream and all.
    Nats,
}

impl Kind {
    /// Each.
    pub const ALL: [Self; 5] =
        [Self::Terminal, Self::Relay, Self::Registry, Self::Postgres, Self::Nats];

    /// As it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Relay => "relay",
            Self::Registry => "meeting-registry",
            Self::Postgres => "postgresql",
            Self::Nats => "nats-server",
        }
    }
}

/// A fault to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injury {
    /// What is killed.
    pub kind: Kind,
    /// Which of its kind.
    which: usize,
    /// For how long it is away.
    away: Duration,
}

/// The faults of a run: each kind once in each round, relays and mortal terminals in turn.
pub fn plan(seed: u64, rounds: usize, mortal: usize) -> Vec<Injury> {
    let mut seeded = Seeded::part(seed, 0xfa);
    let mut injuries = Vec::new();
    for round in 0..rounds {
        let mut kinds = Kind::ALL;
        seeded.shuffle(&mut kinds);
        for kind in kinds {
            let of = match kind {
                Kind::Terminal => mortal.max(1),
                Kind::Relay => 2,
                _ => 1,
            };
            let (longest, shortest) = AWAY_MS;
            let away = shortest + seeded.below(longest - shortest);
            let away = Duration::from_millis(u64::try_from(away).unwrap_or_default());
            injuries.push(Injury { kind, which: round % of, away });
        }
    }
    injuries
}

impl Injury {
    /// Kills, waits, starts again, and returns when the process says that it is ready.
    pub async fn inflict(
        self,
        world: &mut World,
        postgres: &mut PostgresServer,
        devices: &mut Devices,
    ) -> Result<()> {
        let service = match self.kind {
            Kind::Terminal => {
                devices.kill(self.which).await?;
                tokio::time::sleep(self.away).await;
                return devices.start_again(self.which);
            }
            Kind::Postgres => {
                postgres.kill().await?;
                tokio::time::sleep(self.away).await;
                return postgres.start_again().await;
            }
            Kind::Relay => Service::Relay(self.which),
            Kind::Registry => Service::MeetingRegistry,
            Kind::Nats => Service::Nats,
        };
        world.kill(service).await?;
        tokio::time::sleep(self.away).await;
        world.start_service(service).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_killed_in_every_round_and_a_seed_does_it_again() {
        let injuries = plan(5, 3, 4);
        for kind in Kind::ALL {
            assert_eq!(injuries.iter().filter(|injury| injury.kind == kind).count(), 3);
        }
        assert_eq!(injuries, plan(5, 3, 4));
        assert_ne!(injuries, plan(6, 3, 4));
    }
}
