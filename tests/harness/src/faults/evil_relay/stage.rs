//! Where the evil relay plays: a world, two meetings, honest people in them, and somebody who watches
//! what comes of each attempt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior};
use tributary_contracts::event::v1::MeetingEvent;
use tributary_contracts::operation::v1::CheckIn;
use tributary_contracts::terminal::v1::{Operate, terminal_message::Body as Ask};
use tributary_identifiers::{MeetingId, OrganisationId, RelayId};
use tributary_join_credential::TerminalKey;
use tributary_message_bus::subjects::MeetingScope;
use tributary_terminal::{OperationBody, Target};

use super::bus::{Bus, Shot};
use super::ledger::{Fate, Ledger, Signed};
use super::people::Person;
use super::progress;
use crate::directory::Directory;
use crate::faults::attempts::Attempts;
use crate::seeded::Seeded;
use crate::{Options, Service, World, wait};

const PASSWORD: &str = "a password for the evil relay";
/// How long an honest operation may take.
const HONEST_DEADLINE: Duration = Duration::from_secs(15);
/// An honest bystander asks for no more than a relay allows a terminal: 20 messages a second.
const HONEST_PERIOD: Duration = Duration::from_millis(60);
/// How long an operation may wait for one before it, and a while more.
const PATIENCE_DEADLINE: Duration = Duration::from_secs(45);
/// Limits by address are raised, because everybody comes from one.
const CONFIGURATION: &str = "
    [access_control]
    prefix_miss_limit = 100000
    prefix_guest_access_limit = 10000000
";

/// The relay whose part is played; the other one is honest.
pub const EVIL: usize = 1;
/// The honest one.
pub const HONEST: usize = 0;

/// A world with people in it, and an evil relay beside.
pub struct Stage {
    /// The services.
    pub world: World,
    /// By the interfaces of administrators and services.
    pub directory: Directory,
    /// For whatever is left to chance.
    pub seeded: Seeded,
    /// The meeting in which everybody is, and another one.
    pub meetings: [MeetingId; 2],
    /// The ids of the honest relay and of the evil one.
    pub relays: [RelayId; 2],
    /// Logged in as the honest one and as the evil one.
    pub buses: [Bus; 2],
    /// Organises both meetings, behind the honest relay.
    pub host: Person,
    /// In both meetings, behind the evil relay.
    pub victim: Person,
    /// Truly in the first meeting, behind the evil relay, and on its side.
    pub accomplice: Person,
    /// Honest people behind the honest relay, one in each meeting.
    bystanders: [Person; 2],
    /// What was truly signed.
    pub ledger: Ledger,
    logs: [BTreeMap<u64, MeetingEvent>; 2],
    /// What was tried, and what has come of it.
    pub attempts: Attempts,
    /// When the bystanders act next.
    pace: Interval,
}

impl Stage {
    /// Starts everything.
    pub async fn set(seed: u64) -> Result<Self> {
        let world = World::start(Options::default().configured(CONFIGURATION)?).await?;
        let directory = world.directory()?;
        let ada = directory.user("ada", "Ada", PASSWORD).await?;
        let mut meetings = Vec::new();
        for subject in ["Here", "There"] {
            meetings.push(directory.meeting(&ada, subject, true).await?.parse()?);
        }
        let meetings: [MeetingId; 2] =
            meetings.try_into().map_err(|_| anyhow::anyhow!("two meetings were made"))?;
        let [here, there] = meetings;
        let host = Person::enter(&world, HONEST, here, ada, None).await?;
        let mut people = Vec::new();
        for (name, relay, meeting) in [
            ("victim", EVIL, here),
            ("accomplice", EVIL, here),
            ("bystander", HONEST, here),
            ("neighbour", HONEST, there),
        ] {
            let user = directory.user(name, name, PASSWORD).await?;
            people.push(Person::enter(&world, relay, meeting, user, None).await?);
        }
        let people: [Person; 4] =
            people.try_into().map_err(|_| anyhow::anyhow!("four people came"))?;
        let [victim, accomplice, bystander, neighbour] = people;
        victim.terminal.join_held(Target::new(there)).await.context("be in two meetings")?;
        let server = world.grpc_address(Service::Nats)?;
        let relays = [world.relay_id(HONEST)?.parse()?, world.relay_id(EVIL)?.parse()?];
        let buses = [
            Bus::connect(server, world.relay_at_nats(HONEST)?).await?,
            Bus::connect(server, world.relay_at_nats(EVIL)?).await?,
        ];
        let mut pace = tokio::time::interval(HONEST_PERIOD);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stage = Self {
            world,
            directory,
            seeded: Seeded::new(seed),
            meetings,
            relays,
            buses,
            host,
            victim,
            accomplice,
            bystanders: [bystander, neighbour],
            ledger: Ledger::default(),
            logs: Default::default(),
            pace,
            attempts: Attempts::default(),
        };
        // What it took to get here is no attempt.
        stage.read().await?;
        Ok(stage)
    }

    /// The first meeting, as it stands in subjects.
    pub fn here(&self) -> MeetingScope {
        scope(self.meetings[0])
    }

    /// The other one.
    pub fn there(&self) -> MeetingScope {
        scope(self.meetings[1])
    }

    /// An operation as the evil relay would carry it if it were honest.
    pub fn carried(&self, signed: &Signed) -> Shot {
        self.shot(signed.bytes())
    }

    /// Any bytes as an operation of the first meeting.
    pub fn shot(&self, bytes: Vec<u8>) -> Shot {
        Shot::operation(&self.here(), &self.relays[EVIL], bytes)
    }

    /// Publishes, looks at what comes of it, and counts. None of it is allowed to be anything but what
    /// the ledger says.
    pub async fn attempt(
        &mut self,
        kind: &'static str,
        detail: &str,
        shots: impl IntoIterator<Item = Shot>,
    ) -> Result<()> {
        for shot in shots {
            self.buses[EVIL].fire(shot).await?;
        }
        self.judge(kind, detail).await
    }

    /// Looks at what has come of an attempt, and counts it.
    pub async fn judge(&mut self, kind: &'static str, detail: &str) -> Result<()> {
        let settled = self.settle().await.with_context(|| format!("after {kind}: {detail}"))?;
        self.count(kind, detail, settled);
        Ok(())
    }

    /// Counts an attempt and what was found to be wrong after it.
    pub fn count(&mut self, kind: &'static str, detail: &str, wrong: Vec<String>) {
        self.attempts.count(kind, 1, usize::from(!wrong.is_empty()));
        for finding in wrong {
            progress(&format!("SUCCESS of {kind} ({detail}): {finding}"));
        }
    }

    /// Lets an honest bystander do something in each meeting and waits until that is done: all before it
    /// has been dealt with. Says what is wrong in the logs and in what terminals were told.
    async fn settle(&mut self) -> Result<Vec<String>> {
        self.pace.tick().await;
        let mut last = Vec::new();
        for (bystander, meeting) in self.bystanders.iter_mut().zip(self.meetings) {
            let signed = bystander.sign(meeting, OperationBody::CheckIn(CheckIn {}))?;
            self.ledger.note(&signed, Fate::Applied);
            let operate = Ask::Operate(Operate { operation: Some(signed.signed.clone()) });
            bystander.terminal.request(operate).await.context("an honest operation")?;
            last.push(signed);
        }
        self.answered(&last, HONEST_DEADLINE).await
    }

    /// Waits until honest operations are answered; says what is wrong in the logs meanwhile.
    pub async fn answered(&mut self, signed: &[Signed], deadline: Duration) -> Result<Vec<String>> {
        let begin = std::time::Instant::now();
        let mut wrong = Vec::new();
        loop {
            wrong.extend(self.read().await?);
            if signed.iter().all(|signed| self.ledger.is_answered(signed)) {
                return Ok(wrong);
            }
            if begin.elapsed() > deadline {
                bail!("an honest operation is not answered after {deadline:?}; so far: {wrong:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads what is new in the logs and in what people were told.
    async fn read(&mut self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (meeting, log) in self.meetings.iter().zip(&mut self.logs) {
            let before = log.last_key_value().map_or(0, |(number, _)| *number);
            for event in self.directory.log_after(&meeting.to_string(), before).await? {
                // At first everybody comes in, by their own wish.
                if !self.attempts.is_empty() || event.cause.is_some() {
                    wrong.extend(self.ledger.enter(&event));
                }
                log.insert(event.number, event);
            }
        }
        let [bystander, neighbour] = &mut self.bystanders;
        for person in [bystander, neighbour, &mut self.victim, &mut self.host] {
            wrong.extend(person.watch(&self.meetings, &self.logs));
        }
        Ok(wrong)
    }

    /// What the first meeting's log says so far.
    pub fn events(&self) -> impl Iterator<Item = &MeetingEvent> {
        self.logs[0].values()
    }

    /// What people do themselves, such as coming and going, is no attempt: from here on it is known.
    pub async fn let_pass(&mut self) -> Result<()> {
        for (meeting, log) in self.meetings.iter().zip(&mut self.logs) {
            let before = log.last_key_value().map_or(0, |(number, _)| *number);
            for event in self.directory.log_after(&meeting.to_string(), before).await? {
                ensure!(event.cause.is_none(), "an operation beside: {event:?}");
                log.insert(event.number, event);
            }
        }
        Ok(())
    }

    /// Signs something of the victim's in the first meeting, and has it carried as it should be.
    pub async fn honest(&mut self, body: OperationBody) -> Result<Signed> {
        let signed = self.victim.sign(self.meetings[0], body)?;
        self.ledger.note(&signed, Fate::Applied);
        self.deliver("honest operation", &signed).await?;
        Ok(signed)
    }

    /// Carries an operation that was withheld as it should be; it must be applied all the same.
    pub async fn deliver(&mut self, after: &'static str, signed: &Signed) -> Result<()> {
        let shot = self.carried(signed);
        self.buses[EVIL].fire(shot).await?;
        let answered = self.answered(std::slice::from_ref(signed), HONEST_DEADLINE).await;
        match answered {
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => self.count(after, "and then the true operation", wrong),
            Err(error) => {
                let lost = vec![format!("the true operation is lost: {error:#}")];
                self.count(after, "and then the true operation", lost);
            }
        }
        Ok(())
    }

    /// Carries an operation whose id its own participant has used before: it must be refused.
    pub async fn reuse(&mut self, reused: &Signed, shot: Shot) -> Result<()> {
        self.ledger.reused(reused);
        self.attempt("an id of its own again", "with another body", [shot]).await
    }

    /// Waits until nothing is on its way to the registry any more, and looks once more.
    pub async fn drained(&mut self) -> Result<()> {
        let url = format!("{}?accounts=true&streams=true", self.world.nats_monitor("jsz")?);
        wait::until("all operations to be dealt with", PATIENCE_DEADLINE, || {
            let url = url.clone();
            async move { waiting_operations(&url).await.is_ok_and(|waiting| waiting == 0) }
        })
        .await?;
        self.judge("late", "what was still on its way at the end").await
    }

    /// A person of that name comes in by the evil relay, with a key if they have one.
    pub async fn enter(&self, name: &str, key: Option<Arc<TerminalKey>>) -> Result<Person> {
        let user = self.directory.user(name, name, PASSWORD).await?;
        Person::enter(&self.world, EVIL, self.meetings[0], user, key).await
    }

    /// The same person with the same key comes again, in a session of its own.
    pub async fn come_again(&self, person: &Person) -> Result<Person> {
        let (user, key) = (person.account.clone(), Arc::clone(&person.key));
        Person::enter(&self.world, EVIL, self.meetings[0], user, Some(key)).await
    }

    /// The page of the honest relay.
    pub fn honest_page(&self) -> Result<String> {
        self.world.relay_url(HONEST)
    }

    /// Ends everything.
    pub async fn strike(self) -> Result<()> {
        drop((self.host, self.victim, self.accomplice, self.bystanders));
        self.world.end().await
    }
}

/// A meeting as it stands in subjects.
pub fn scope(meeting: MeetingId) -> MeetingScope {
    MeetingScope { organisation: OrganisationId::default(), meeting }
}

/// Messages in the stream of operations, by nats-server's own page.
async fn waiting_operations(url: &str) -> Result<u64> {
    let page: Value = serde_json::from_str(&crate::http::get(url).await?.text().await?)?;
    let accounts = page.get("account_details").and_then(Value::as_array);
    let streams = accounts
        .into_iter()
        .flatten()
        .filter_map(|account| account.get("stream_detail").and_then(Value::as_array));
    let found = streams
        .flatten()
        .find(|stream| stream.get("name").is_some_and(|name| name == "OPERATIONS"));
    let found = found.context("there is no stream of operations")?;
    found.pointer("/state/messages").and_then(Value::as_u64).context("it has no number")
}
