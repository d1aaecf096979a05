//! The terminals of a run: who sits where, the processes they live in, and what their journals say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tributary_contracts::event::v1::MeetingEvent;

use super::Demand;
use super::attendees::{Plan, Seat};
use super::journal::Reader;
use super::verdict::{Life, Lives};
use crate::World;
use crate::process::{Guard, Process};

/// Terminals in each meeting that nobody kills: a host and two guests.
const STEADY: usize = 3;
/// Processes among which those are divided.
const STEADY_PROCESSES: usize = 2;
/// Terminals that are killed, each in a process of its own, in the first meetings.
const MORTAL: usize = 4;
/// Operations of a terminal that wait for their answers: so many that an outage holds some back, and so
/// few that a slow machine is not asked for more than it does.
const UNANSWERED_MAX: usize = 8;
/// The same of a terminal that is killed: more than a relay takes of one participant at once, so that
/// its limit is met too.
const UNANSWERED_MAX_MORTAL: usize = 40;

/// Time between two operations of a terminal, so that all are done within the span of the run.
pub fn pace(demand: &Demand) -> Duration {
    let terminals = demand.meetings * STEADY + MORTAL.min(demand.meetings);
    demand.span().mul_f64(terminals as f64 / demand.operations.max(1) as f64)
}

/// A process with terminals in it.
struct Device {
    process: Process,
    plan: Plan,
    file: PathBuf,
    journal: Reader,
}

impl Device {
    fn new(plan: Plan, guard: &Arc<Guard>) -> Result<Self> {
        let file = plan.journal.with_extension("plan");
        let arguments = ["attendees".to_owned(), file.display().to_string()];
        let program = crate::programs()?.join("faults");
        let log = plan.journal.with_extension("log");
        let process = Process::new("terminals", &program, arguments.to_vec(), log, guard.clone());
        let journal = Reader::new(plan.journal.clone());
        let device = Self { process, plan, file, journal };
        Ok(device)
    }

    fn start(&mut self) -> Result<()> {
        let plan = serde_json::to_vec(&self.plan).context("write a plan")?;
        std::fs::write(&self.file, plan).context("write a plan")?;
        self.process.start()
    }
}

/// Where things were at one moment: for each living terminal, what it had done.
pub struct Mark(BTreeMap<(usize, u32), usize>);

/// All terminals.
pub struct Devices {
    devices: Vec<Device>,
    lives: Lives,
    stop: PathBuf,
    // Dropped last: processes are gone before the guard is.
    _guard: Arc<Guard>,
}

impl Devices {
    /// Seats terminals behind both relays of a world and starts them: in each meeting a host and two
    /// guests, and in the first ones somebody who will be killed.
    pub fn seat(
        world: &World,
        meetings: &[String],
        hosts: &[(String, String)],
        seed: u64,
        pace: Duration,
    ) -> Result<Self> {
        let guard = Arc::new(Guard::start(None)?);
        let folder = world.folder().join("terminals");
        std::fs::create_dir_all(&folder).context("make a folder for journals")?;
        let stop = folder.join("stop");
        let mut devices = Vec::new();
        let plans =
            seats(world, meetings, hosts)?.into_iter().enumerate().map(|(number, seats)| {
                let journal = journal_path(&folder, number);
                let steady = number < STEADY_PROCESSES;
                let unanswered_max = if steady { UNANSWERED_MAX } else { UNANSWERED_MAX_MORTAL };
                Plan { seed, life: 0, pace, unanswered_max, stop: stop.clone(), journal, seats }
            });
        for plan in plans {
            let mut device = Device::new(plan, &guard)?;
            device.start()?;
            devices.push(device);
        }
        Ok(Self { devices, lives: Lives::default(), stop, _guard: guard })
    }

    /// How many there are to be killed.
    pub fn mortal(&self) -> usize {
        self.devices.len().saturating_sub(STEADY_PROCESSES)
    }

    fn mortal_device(&mut self, which: usize) -> Result<&mut Device> {
        self.devices.get_mut(STEADY_PROCESSES + which).context("no such terminal")
    }

    /// Sends SIGKILL to one of those.
    pub async fn kill(&mut self, which: usize) -> Result<()> {
        let device = self.mortal_device(which)?;
        device.process.kill().await?;
        let (life, entries) = (device.plan.life, device.journal.news()?);
        let terminals: Vec<_> = device.plan.seats.iter().map(|seat| seat.terminal).collect();
        // The next life must not begin in the middle of a line.
        device.plan.life += 1;
        device.plan.journal.set_extension(format!("{}.journal", device.plan.life));
        device.journal = Reader::new(device.plan.journal.clone());
        for entry in entries {
            self.lives.take(entry);
        }
        for terminal in terminals {
            self.lives.killed(terminal, life);
        }
        Ok(())
    }

    /// Starts it again.
    pub fn start_again(&mut self, which: usize) -> Result<()> {
        self.mortal_device(which)?.start()
    }

    /// Lets nobody do anything new.
    pub fn stop(&self) -> Result<()> {
        std::fs::write(&self.stop, "").context("say that it is enough")
    }

    /// Takes in what was written down; an error if a process has ended by itself.
    pub fn read(&mut self) -> Result<()> {
        for device in &mut self.devices {
            for entry in device.journal.news()? {
                self.lives.take(entry);
            }
            if device.process.id().is_some() && !device.process.is_running() {
                anyhow::bail!("terminals have ended:\n{}", device.process.log_tail());
            }
        }
        Ok(())
    }

    /// All lives so far.
    pub fn lives(&self) -> &Lives {
        &self.lives
    }

    /// The present life of every terminal.
    pub fn alive(&self) -> impl Iterator<Item = &Life> {
        self.lives.alive()
    }

    fn present(&self) -> impl Iterator<Item = ((usize, u32), Option<&Life>)> {
        self.devices.iter().flat_map(|device| {
            device.plan.seats.iter().map(|seat| {
                let life = (seat.terminal, device.plan.life);
                (life, self.lives.of(life.0, life.1))
            })
        })
    }

    /// Everybody has come in.
    pub fn everybody_is_in(&self) -> bool {
        self.present().all(|(_, life)| life.is_some_and(Life::is_in))
    }

    /// What has been done by all so far.
    pub fn submitted(&self) -> usize {
        self.lives.iter().map(Life::submitted).sum()
    }

    /// And of that is answered.
    pub fn acked(&self) -> usize {
        self.lives.iter().map(Life::answered).sum()
    }

    /// Where things are now.
    pub fn mark(&self) -> Mark {
        Mark(self.present().map(|(which, life)| (which, life.map_or(0, Life::submitted))).collect())
    }

    /// Everybody is in, and of each all that was done before the mark is answered, and something since.
    pub fn went_on(&self, since: &Mark) -> bool {
        self.present().all(|(which, life)| {
            let before = since.0.get(&which).copied().unwrap_or_default();
            life.is_some_and(|life| life.is_in() && life.answered() > before)
        })
    }

    /// Everything that the living have done is answered.
    pub fn all_answered(&self) -> bool {
        self.alive().all(|life| life.answered() >= life.submitted())
    }

    /// Every living terminal knows the last event that is for it.
    pub fn all_told(&self, logs: &BTreeMap<String, Vec<MeetingEvent>>) -> bool {
        self.alive().all(|life| {
            let log = logs.get(&life.meeting).map(Vec::as_slice).unwrap_or_default();
            life.cursor() >= life.last_for_it(log)
        })
    }

    /// Who is not in, and what is not answered, for an error.
    pub fn state(&self) -> String {
        let mut state = String::new();
        for ((terminal, number), life) in self.present() {
            let (submitted, answered) =
                life.map_or((0, 0), |life| (life.submitted(), life.answered()));
            let is_in = life.is_some_and(Life::is_in);
            let ended = life.and_then(|life| life.ended.clone()).unwrap_or_default();
            if !is_in || answered < submitted {
                state += &format!(
                    "\n  terminal {terminal}, life {number}: in: {is_in} {ended}, \
                     {answered} of {submitted} answered"
                );
            }
        }
        state
    }
}

fn journal_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number}.journal"))
}

/// Who sits where, process by process: the steady ones first.
fn seats(world: &World, meetings: &[String], hosts: &[(String, String)]) -> Result<Vec<Vec<Seat>>> {
    let mut processes = vec![Vec::new(); STEADY_PROCESSES];
    let mut terminals = 0..;
    let mut seat = |meeting: &str, relay: usize, account: Option<(String, String)>| {
        let relay_url = world.relay_url(relay % 2)?;
        let terminal = terminals.next().unwrap_or_default();
        anyhow::Ok(Seat { terminal, relay_url, meeting: meeting.to_owned(), account })
    };
    for (number, (meeting, host)) in meetings.iter().zip(hosts).enumerate() {
        for place in 0..STEADY {
            let account = (place == 0).then(|| host.clone());
            let seat = seat(meeting, number + place, account)?;
            let process = processes.get_mut(number % STEADY_PROCESSES);
            process.context("a process to live in")?.push(seat);
        }
    }
    for (number, meeting) in meetings.iter().take(MORTAL).enumerate() {
        processes.push(vec![seat(meeting, number + 1, None)?]);
    }
    Ok(processes)
}
