//! People do thousands of things in many meetings while, in turn, terminals, relays, the registry,
//! PostgreSQL and nats-server are killed with SIGKILL and come back. At the end every operation that was
//! acknowledged must have had one effect, the logs no gap, and every terminal seen each event once.

pub mod attendees;
mod devices;
mod injuries;
mod journal;
mod mix;
mod verdict;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tributary_contracts::event::v1::MeetingEvent;

use self::devices::Devices;
use self::injuries::{Injury, Kind};
use self::verdict::judge;
use super::progress;
use crate::directory::Directory;
use crate::postgres::PostgresServer;
use crate::{Database, Options, World};

/// Limits by address are raised, because everybody comes from one.
const CONFIGURATION: &str = "
    [access_control]
    prefix_miss_limit = 100000
    prefix_guest_access_limit = 10000000
    [credential.limits]
    guests_per_hour = 100000
";
const PASSWORD: &str = "a password for faults";
/// How long everybody may take to come in.
const JOIN_DEADLINE: Duration = Duration::from_secs(120);
/// How long it may take until everything goes on as before, after a process was started again.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(90);
/// How long the last answers and events may take.
const END_DEADLINE: Duration = Duration::from_secs(120);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What a run is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// From which all choices are made.
    pub seed: u64,
    /// Operations at least.
    pub operations: usize,
    /// In so many meetings.
    pub meetings: usize,
    /// Each kind of process is killed so often.
    pub rounds: usize,
}

impl Demand {
    /// Time in which the operations are done if nothing takes longer than usual.
    fn span(&self) -> Duration {
        Duration::from_secs(5) * u32::try_from(self.rounds * Kind::ALL.len()).unwrap_or(u32::MAX)
    }
}

/// A run under way.
struct Run {
    demand: Demand,
    world: World,
    postgres: PostgresServer,
    directory: Directory,
    meetings: Vec<String>,
    devices: Devices,
    begin: Instant,
}

/// Runs everything and reports.
pub async fn run(demand: Demand) -> Result<Value> {
    let begin = Instant::now();
    let mut run = Run::prepare(demand).await?;
    progress(&format!("{} terminals are in", run.devices.alive().count()));
    let mut suffered = Vec::new();
    for injury in injuries::plan(demand.seed, demand.rounds, run.devices.mortal()) {
        run.calm().await?;
        suffered.push(run.suffer(injury).await?);
    }
    run.enough_done().await?;
    run.devices.stop()?;
    progress("waiting for the last answers");
    run.all_answered().await?;
    let logs = run.all_told().await?;
    let verdict = judge(&logs, run.devices.lives());
    for finding in verdict.told() {
        progress(finding);
    }
    let out = run.devices.alive().filter(|life| !life.is_in()).count();
    let mut report = verdict.json();
    report.insert("meetings".to_owned(), logs.len().into());
    report.insert("terminals".to_owned(), run.devices.alive().count().into());
    report.insert("terminals_out".to_owned(), out.into());
    report.insert("faults".to_owned(), suffered.iter().map(Suffered::json).collect());
    report.insert("seed".to_owned(), demand.seed.into());
    report.insert("seconds".to_owned(), begin.elapsed().as_secs().into());
    let ok = verdict.holds() && out == 0 && verdict.acked >= demand.operations;
    report.insert("ok".to_owned(), ok.into());
    drop(run.devices);
    run.world.end().await?;
    Ok(report.into())
}

/// A fault that was made and got over.
struct Suffered {
    kind: &'static str,
    at: Duration,
    recovered: Duration,
}

impl Suffered {
    fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "at_ms": self.at.as_millis() as u64,
            "recovered_ms": self.recovered.as_millis() as u64,
        })
    }
}

impl Run {
    async fn prepare(demand: Demand) -> Result<Self> {
        progress("starting PostgreSQL, nats-server and six service processes");
        let postgres = PostgresServer::start().await?;
        let database = Database::Postgres(postgres.database("faults").await?);
        let options = Options { database, ..Options::default() }.configured(CONFIGURATION)?;
        let world = World::start(options).await?;
        let directory = world.directory()?;
        let (mut meetings, mut hosts) = (Vec::new(), Vec::new());
        for number in 1..=demand.meetings {
            let host = format!("host-{number}");
            let host = directory.user(&host, &host, PASSWORD).await?;
            meetings.push(directory.meeting(&host, &format!("Faults {number}"), true).await?);
            hosts.push((host.user_name, host.password));
        }
        progress(&format!("bringing terminals into {} meetings", meetings.len()));
        let pace = devices::pace(&demand);
        let devices = Devices::seat(&world, &meetings, &hosts, demand.seed, pace)?;
        let mut run =
            Self { demand, world, postgres, directory, meetings, devices, begin: Instant::now() };
        run.until("everybody is in", JOIN_DEADLINE, Devices::everybody_is_in).await?;
        run.begin = Instant::now();
        Ok(run)
    }

    /// Reads journals until it holds; an error says what is missing.
    async fn until(
        &mut self,
        what: &str,
        deadline: Duration,
        holds: impl Fn(&Devices) -> bool,
    ) -> Result<()> {
        let begin = Instant::now();
        loop {
            self.devices.read()?;
            if holds(&self.devices) {
                return Ok(());
            }
            if begin.elapsed() > deadline {
                bail!("waited {deadline:?} in vain until {what}: {}", self.devices.state());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Kills a process, starts it again, and waits until all that was done before is answered, and
    /// something that was done since.
    async fn suffer(&mut self, injury: Injury) -> Result<Suffered> {
        let (at, kind) = (self.begin.elapsed(), injury.kind.name());
        let killed = Instant::now();
        injury.inflict(&mut self.world, &mut self.postgres, &mut self.devices).await?;
        self.devices.read()?;
        let mark = self.devices.mark();
        let what = format!("things go on after {kind} was killed and started again");
        self.until(&what, RECOVERY_DEADLINE, |devices| devices.went_on(&mark)).await?;
        let recovered = killed.elapsed();
        progress(&format!(
            "{kind} was killed at {} ms; all went on {} ms later; {} operations so far",
            at.as_millis(),
            recovered.as_millis(),
            self.devices.submitted(),
        ));
        Ok(Suffered { kind, at, recovered })
    }

    /// A while without a fault.
    async fn calm(&mut self) -> Result<()> {
        let calm = self.demand.span() / u32::try_from(4 * self.demand.rounds * Kind::ALL.len())?;
        let until = Instant::now() + calm;
        self.until("time passes", RECOVERY_DEADLINE, |_| Instant::now() >= until).await
    }

    /// Waits until as much is done as was asked for, and as much again as may have died.
    async fn enough_done(&mut self) -> Result<()> {
        let enough = self.demand.operations;
        let deadline = self.demand.span() * 4 + END_DEADLINE;
        self.until("enough is done", deadline, |devices| devices.acked() >= enough).await
    }

    async fn all_answered(&mut self) -> Result<()> {
        let waited = self.until("all is answered", END_DEADLINE, Devices::all_answered).await;
        // What is not is counted as lost.
        if let Err(error) = waited {
            progress(&format!("{error:#}"));
        }
        Ok(())
    }

    /// Reads the logs until every terminal has been told all that they have for it.
    async fn all_told(&mut self) -> Result<BTreeMap<String, Vec<MeetingEvent>>> {
        let begin = Instant::now();
        loop {
            let mut logs = BTreeMap::new();
            for meeting in &self.meetings {
                let log = self.directory.log(meeting).await;
                logs.insert(meeting.clone(), log.context("read a log at the end")?);
            }
            self.devices.read()?;
            if self.devices.all_told(&logs) || begin.elapsed() > END_DEADLINE {
                return Ok(logs);
            }
            tokio::time::sleep(LOOK_INTERVAL * 10).await;
        }
    }
}
