//! The process in which terminals live, so that they can be killed as devices are: it joins them to their
//! meetings, lets each do one thing after the other, and writes down what each has done and seen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tributary_identifiers::MeetingId;
use tributary_terminal::{
    IdentitySource, MeetingTarget, OperateError, Options, Record, Target, Terminal,
};

use super::journal::{Entry, What, Writer};
use super::{mix, verdict};
use crate::seeded::Seeded;

/// How often a terminal's records are written down.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How long a terminal tries to get in for the first time: longer than any outage.
const JOIN_TIME_MAX: Duration = Duration::from_secs(60);

/// What such a process is told at its start, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// From which all choices are made.
    pub seed: u64,
    /// How often these terminals were killed before.
    pub life: u32,
    /// Time between two operations of a terminal.
    pub pace: Duration,
    /// Operations of a terminal that wait for their answers; with so many it does nothing new.
    pub unanswered_max: usize,
    /// Nothing new is done once this file is there.
    pub stop: PathBuf,
    /// Where it is written down.
    pub journal: PathBuf,
    /// The terminals.
    pub seats: Vec<Seat>,
}

/// A terminal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seat {
    /// Its number in the run.
    pub terminal: usize,
    /// The page of its relay.
    pub relay_url: String,
    /// The meeting's id.
    pub meeting: String,
    /// Log-in name and password; none for a guest.
    pub account: Option<(String, String)>,
}

impl Seat {
    fn options(&self, life: u32) -> Result<Options> {
        let meeting: MeetingId = self.meeting.parse().context("read the meeting's id")?;
        let who = match self.account.clone() {
            Some((user_name, password)) => IdentitySource::LogIn { user_name, password },
            None => IdentitySource::Guest {
                display_name: format!("Terminal {}, life {life}", self.terminal),
            },
        };
        let target = MeetingTarget::Existing(Target::new(meeting));
        Ok(Options {
            media: false,
            record_events: true,
            join_time_max: JOIN_TIME_MAX,
            ..Options::new(&self.relay_url, who, target)
        })
    }
}

/// Lives until it is killed, or until the journal can't be written.
pub async fn attend(plan: Plan) -> Result<()> {
    let journal = Arc::new(Writer::append(&plan.journal)?);
    let stays = plan.seats.iter().map(|seat| {
        let stay = Stay {
            seeded: Seeded::part(plan.seed, (seat.terminal as u64) << 16 | u64::from(plan.life)),
            plan: plan.clone(),
            seat: seat.clone(),
            journal: Arc::clone(&journal),
            read: 0,
            is_in: false,
        };
        async { tokio::spawn(stay.run()).await.context("a terminal's task has panicked")? }
    });
    try_join_all(stays).await.map(drop)
}

/// One terminal's stay.
struct Stay {
    plan: Plan,
    seat: Seat,
    journal: Arc<Writer>,
    seeded: Seeded,
    /// Records that are written down.
    read: usize,
    is_in: bool,
}

impl Stay {
    async fn run(mut self) -> Result<()> {
        let terminal = match Terminal::join(self.seat.options(self.plan.life)?).await {
            Ok(terminal) => terminal,
            Err(error) => {
                return self.write(What::Ended { why: format!("it did not come in: {error}") });
            }
        };
        // Not all at the same moment.
        let head_start = self.seeded.below(self.plan.pace.as_millis() as usize);
        let mut next = Instant::now() + Duration::from_millis(head_start as u64);
        loop {
            self.write_down(&terminal)?;
            if Instant::now() >= next && !self.plan.stop.exists() {
                next += self.plan.pace;
                self.do_something(&terminal)?;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    fn do_something(&mut self, terminal: &Terminal) -> Result<()> {
        if terminal.pending().len() >= self.plan.unanswered_max {
            return Ok(());
        }
        let own = terminal.participant_id();
        let roster = terminal.roster();
        let host = roster.iter().any(|person| person.participant_id == own && person.host);
        let others: Vec<u32> =
            roster.iter().map(|person| person.participant_id.0).filter(|id| *id != own.0).collect();
        match terminal.submit(mix::next(&mut self.seeded, host, &others)) {
            Ok(submitted) => self.write(What::Submitted {
                operation: submitted.id.to_string(),
                sequence: submitted.sequence,
            }),
            // It is out; the records say why.
            Err(OperateError::Over | OperateError::NotIn) => Ok(()),
            Err(error) => Err(error).context("submit an operation"),
        }
    }

    /// Writes down what is new.
    fn write_down(&mut self, terminal: &Terminal) -> Result<()> {
        let records = terminal.records_from(self.read);
        self.read += records.len();
        for record in records {
            if let Some(what) = self.what(record) {
                self.write(what)?;
            }
        }
        if let Some(end) = terminal.snapshot().ended
            && std::mem::take(&mut self.is_in)
        {
            self.write(What::Ended { why: format!("{end:?}") })?;
        }
        Ok(())
    }

    fn what(&mut self, record: Record) -> Option<What> {
        match record {
            Record::Joined { meeting_id, participant_id, roster_at, .. } if !self.is_in => {
                self.is_in = true;
                Some(What::Joined {
                    meeting: meeting_id.to_string(),
                    participant: participant_id.0,
                    number: roster_at.unwrap_or_default(),
                })
            }
            Record::Event { event, news: true } => {
                Some(What::Event { number: event.number, digest: verdict::digest(&event) })
            }
            Record::Event { news: false, .. } => Some(What::Repeated),
            Record::Received { id, .. } => Some(What::Received { operation: id.to_string() }),
            Record::Answered { id, .. } => Some(What::Answered { operation: id.to_string() }),
            _ => None,
        }
    }

    fn write(&self, what: What) -> Result<()> {
        self.journal.write(&Entry { terminal: self.seat.terminal, life: self.plan.life, what })
    }
}
