//! What must hold of a run, decided from the meetings' logs, as the database has them, and from what
//! every terminal has written down. Knows no network, so that it can be shown what it must find.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;
use serde_json::{Map, Value, json};
use tributary_contracts::event::v1::meeting_event::Body as Happened;
use tributary_contracts::event::v1::{Audience, MeetingEvent, OperationRefusal};

use super::journal::{Entry, What};

/// Findings that are told in full; of more only the number is.
const TOLD_MAX: usize = 20;

/// Names an event by its content (FNV-1a).
pub fn digest(event: &MeetingEvent) -> u64 {
    event.encode_to_vec().into_iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One life of a terminal, from its first joining until it was killed or the run was over.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// The meeting's id; empty if it never came in.
    pub meeting: String,
    /// Who it was there.
    pub participant: u32,
    /// It was killed with SIGKILL.
    pub killed: bool,
    /// Number of the last event that was in its first roster.
    from: u64,
    events: Vec<(u64, u64)>,
    submitted: Vec<(String, u64)>,
    received: BTreeSet<String>,
    answered: BTreeSet<String>,
    repeated: usize,
    /// Why it is out, if it is.
    pub ended: Option<String>,
}

impl Life {
    /// Takes in what was written down, in its order.
    pub fn take(&mut self, what: What) {
        match what {
            What::Joined { meeting, participant, number } => {
                (self.meeting, self.participant, self.from) = (meeting, participant, number);
            }
            What::Event { number, digest } => self.events.push((number, digest)),
            What::Submitted { operation, sequence } => self.submitted.push((operation, sequence)),
            What::Received { operation } => drop(self.received.insert(operation)),
            What::Answered { operation } => drop(self.answered.insert(operation)),
            What::Repeated => self.repeated += 1,
            What::Ended { why } => self.ended = Some(why),
        }
    }

    /// It is in.
    pub fn is_in(&self) -> bool {
        !self.meeting.is_empty() && self.ended.is_none()
    }

    /// What it has done so far.
    pub fn submitted(&self) -> usize {
        self.submitted.len()
    }

    /// Of what it has done, how much is answered, as far as it knows.
    pub fn answered(&self) -> usize {
        self.answered.len()
    }

    /// Number of the last event that it knows.
    pub fn cursor(&self) -> u64 {
        self.events.last().map_or(self.from, |(number, _)| *number)
    }

    /// Number of the last event of a log that it must know.
    pub fn last_for_it(&self, log: &[MeetingEvent]) -> u64 {
        let last = log.iter().rev().find(|event| self.is_told(event));
        last.map_or(self.from, |event| event.number)
    }

    /// An event is for it.
    fn is_told(&self, event: &MeetingEvent) -> bool {
        event.number > self.from && is_for(event.audience.as_ref(), self.participant)
    }
}

/// True if a participant who is no host, or an event that is not for hosts, must be told.
fn is_for(audience: Option<&Audience>, participant: u32) -> bool {
    audience.is_none_or(|audience| audience.participant_ids.contains(&participant))
}

/// All lives of all terminals.
#[derive(Default)]
pub struct Lives(BTreeMap<(usize, u32), Life>);

impl Lives {
    /// Takes in an entry.
    pub fn take(&mut self, entry: Entry) {
        self.0.entry((entry.terminal, entry.life)).or_default().take(entry.what);
    }

    /// A life of a terminal was ended by SIGKILL.
    pub fn killed(&mut self, terminal: usize, life: u32) {
        self.0.entry((terminal, life)).or_default().killed = true;
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Life> {
        self.0.values()
    }

    /// Those that go on.
    pub fn alive(&self) -> impl Iterator<Item = &Life> {
        self.iter().filter(|life| !life.killed)
    }

    /// A life of a terminal.
    pub fn of(&self, terminal: usize, life: u32) -> Option<&Life> {
        self.0.get(&(terminal, life))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Operations that a relay had received, or that were answered.
    pub acked: usize,
    /// Operations that were received, or whose terminal lived on, and that have no effect.
    pub lost: usize,
    /// Operations with more than one effect.
    pub doubled: usize,
    /// Numbers that a log leaves out or has twice, and operations out of their order.
    pub gaps: usize,
    /// Events that a terminal was not told.
    pub missed_events: usize,
    /// Events that a terminal was told twice, out of their order, or though they were not for it.
    pub repeated_events: usize,
    /// Events in all logs.
    pub events: usize,
    /// Refusals by their reason.
    pub refused: BTreeMap<&'static str, usize>,
    told: Vec<String>,
}

/// What an operation has caused.
#[derive(Default)]
struct Caused {
    numbers: Vec<u64>,
    bodies: Vec<Happened>,
}

impl Caused {
    /// An operation is one transaction: its events stand side by side, and no two say the same.
    fn is_one_effect(&self) -> bool {
        let side_by_side =
            self.numbers.windows(2).all(|pair| pair.last() == pair.first().map(|n| n + 1).as_ref());
        let differ =
            self.bodies.iter().enumerate().all(|(at, body)| {
                self.bodies.get(at + 1..).is_none_or(|later| !later.contains(body))
            });
        let answers = self.bodies.iter().filter(|body| {
            matches!(body, Happened::OperationRefused(_) | Happened::OperationDone(_))
        });
        let answers = answers.count();
        side_by_side && differ && (answers == 0 || (answers == 1 && self.bodies.len() == 1))
    }

    fn refusal(&self) -> Option<OperationRefusal> {
        self.bodies.iter().find_map(|body| match body {
            Happened::OperationRefused(refused) => Some(refused.reason()),
            _ => None,
        })
    }
}

/// What nobody who lives on may be told of an operation that was in time: it is as good as lost.
fn is_as_good_as_lost(refusal: OperationRefusal) -> bool {
    matches!(
        refusal,
        OperationRefusal::Expired
            | OperationRefusal::Overtaken
            | OperationRefusal::SessionOver
            | OperationRefusal::NotIn
            | OperationRefusal::IdReused
            | OperationRefusal::Unsupported
            | OperationRefusal::Unspecified
    )
}

/// Who has done what: meeting, participant and operation id.
type Doing<'a> = (&'a str, u32, &'a str);

/// Decides.
pub fn judge(logs: &BTreeMap<String, Vec<MeetingEvent>>, lives: &Lives) -> Verdict {
    let mut verdict = Verdict::default();
    let mut caused: HashMap<Doing<'_>, Caused> = HashMap::new();
    for (meeting, log) in logs {
        verdict.take_log(meeting, log, &mut caused);
    }
    for (doing, effect) in &caused {
        if !effect.is_one_effect() {
            verdict.doubled += 1;
            verdict.tell(format!("{doing:?} has the effects {:?}", effect.numbers));
        }
    }
    for life in lives.iter().filter(|life| !life.meeting.is_empty()) {
        verdict.take_operations(life, &caused);
        verdict.take_events(life, logs.get(&life.meeting).map(Vec::as_slice).unwrap_or_default());
    }
    verdict
}

impl Verdict {
    /// Nothing is lost, doubled, missed or repeated.
    pub fn holds(&self) -> bool {
        [self.lost, self.doubled, self.gaps, self.missed_events, self.repeated_events]
            .iter()
            .all(|count| *count == 0)
    }

    /// For the report.
    pub fn json(&self) -> Map<String, Value> {
        let mut report = Map::new();
        for (name, count) in [
            ("acked", self.acked),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("gaps", self.gaps),
            ("missed_events", self.missed_events),
            ("repeated_events", self.repeated_events),
            ("events", self.events),
        ] {
            report.insert(name.to_owned(), count.into());
        }
        report.insert("refused".to_owned(), json!(self.refused));
        report
    }

    /// The first findings, in words.
    pub fn told(&self) -> &[String] {
        &self.told
    }

    fn tell(&mut self, finding: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(finding);
        }
    }

    fn take_log<'a>(
        &mut self,
        meeting: &'a str,
        log: &'a [MeetingEvent],
        caused: &mut HashMap<Doing<'a>, Caused>,
    ) {
        self.events += log.len();
        for (expected, event) in (1..).zip(log) {
            if event.number != expected {
                self.gaps += 1;
                self.tell(format!("{meeting}: number {} stands at place {expected}", event.number));
            }
            if let (Some(cause), Some(body)) = (&event.cause, &event.body) {
                let doing = (meeting, cause.participant_id, cause.operation_id.as_str());
                let effect = caused.entry(doing).or_default();
                effect.numbers.push(event.number);
                effect.bodies.push(body.clone());
            }
        }
    }

    fn take_operations(&mut self, life: &Life, caused: &HashMap<Doing<'_>, Caused>) {
        let mut in_order = life.submitted.clone();
        in_order.sort_by_key(|(_, sequence)| *sequence);
        let mut before = 0;
        for (operation, sequence) in &in_order {
            let doing = (life.meeting.as_str(), life.participant, operation.as_str());
            let acked = life.received.contains(operation) || life.answered.contains(operation);
            self.acked += usize::from(acked);
            let Some(effect) = caused.get(&doing) else {
                if acked || !life.killed {
                    self.lost += 1;
                    self.tell(format!(
                        "{doing:?}, number {sequence} of its session, has no effect"
                    ));
                }
                continue;
            };
            let first = effect.numbers.first().copied().unwrap_or_default();
            if first <= before {
                self.gaps += 1;
                self.tell(format!(
                    "{doing:?}, number {sequence}, stands at {first} after {before}"
                ));
            }
            before = first;
            if let Some(refusal) = effect.refusal() {
                *self.refused.entry(refusal.as_str_name()).or_default() += 1;
                if is_as_good_as_lost(refusal) && !life.killed {
                    self.lost += 1;
                    self.tell(format!("{doing:?} was refused: {}", refusal.as_str_name()));
                }
            }
        }
    }

    fn take_events(&mut self, life: &Life, log: &[MeetingEvent]) {
        let who = format!("participant {} of {}", life.participant, life.meeting);
        let expected: BTreeMap<u64, u64> = log
            .iter()
            .filter(|event| life.is_told(event))
            .map(|event| (event.number, digest(event)))
            .collect();
        if let Some(why) = &life.ended {
            self.tell(format!("{who} is out: {why}"));
        }
        self.repeated_events += life.repeated;
        let mut last = life.from;
        for (number, digest) in &life.events {
            if *number <= last || expected.get(number) != Some(digest) {
                self.repeated_events += 1;
                self.tell(format!("{who} was told event {number} after {last}, or not as it is"));
            }
            last = last.max(*number);
        }
        // Whom SIGKILL took was told no more; but nothing was left out before.
        let until = if life.killed { last } else { u64::MAX };
        let told: BTreeSet<u64> = life.events.iter().map(|(number, _)| *number).collect();
        for number in expected.keys().filter(|number| **number <= until) {
            if !told.contains(number) {
                self.missed_events += 1;
                self.tell(format!("{who} was not told event {number}"));
            }
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
