//! Can an outsider tell a meeting that does not exist from one that refuses them? Asked from outside,
//! over a relay, some thousand times for each reason there is to refuse; answers are compared byte by
//! byte, and the distributions of their delays by two-sample Kolmogorov–Smirnov tests.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tributary_contracts::admin::v1::CreateMeetingRequest;
use tributary_contracts::terminal::v1::relay_message::Body as Said;
use tributary_contracts::terminal::v1::terminal_message::Body as Ask;
use tributary_contracts::terminal::v1::{EnterAsGuest, ReadMeeting, RequestJoinCredential};
use tributary_join_credential::TerminalKey;

use super::population::{Copies, Template};
use super::statistics::{corrected, kolmogorov_smirnov, quantile};

use super::{progress, rounded};
use crate::directory::ORGANISATION;
use crate::postgres::PostgresServer;
use crate::wire::Wire;
use crate::{Database, Options, RelayOptions, Service, World};

/// Addresses that terminals have, one connection each.
const ADDRESSES: usize = 250;
/// Samples of each class from one address.
const OF_ADDRESS: usize = 20;
/// Samples of each class.
const SAMPLES: usize = ADDRESSES * OF_ADDRESS;
/// Connections that ask at the same time. More would only wait for each other: what is measured is
/// the platform, not a queue before it.
const CONNECTIONS: usize = 8;
/// Guests at one address that stay below their budget, and one that does not: each of the first is
/// refused at eight meetings, below the limit of ten.
const GUESTS: usize = OF_ADDRESS * (Class::ALL.len() - 1) / 8;
/// More than the default limit of misses.
const MISSES_OVER_BUDGET: u32 = 12;
/// A difference that comes by chance in less than one run in a hundred is taken for one.
const P_MIN: f64 = 0.01;
/// The organisation that meetings of the last class belong to.
const ELSEWHERE: &str = "elsewhere";
/// Longer ago than outsiders may read about.
const ENDED_BEFORE: Duration = Duration::from_secs(8 * 24 * 3600);

/// All limits have their defaults. The relay believes the addresses that it is told, and nobody is
/// alarmed.
const CONFIGURATION: &str = "
    relay.trusted_proxies = [\"127.0.0.1/32\"]
    access_control.miss_alarm = 0
";

/// A reason to refuse. The first is what the others are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Absent,
    NotShared,
    EndedLongAgo,
    OtherOrganisation,
    OverBudget,
}

impl Class {
    const ALL: [Self; 5] = [
        Self::Absent,
        Self::NotShared,
        Self::EndedLongAgo,
        Self::OtherOrganisation,
        Self::OverBudget,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::NotShared => "refused",
            Self::EndedLongAgo => "ended_long_ago",
            Self::OtherOrganisation => "other_organisation",
            Self::OverBudget => "over_budget",
        }
    }

    /// The numbers of the meetings that are asked for: each for one sample, so that nothing is in a
    /// cache for one class and not for another. Those of the absent class name nothing.
    const fn meetings(self) -> Copies {
        Copies { first: 1 + self as u32 * SAMPLES as u32, count: SAMPLES as u32 }
    }
}

/// Somebody without an account.
struct Guest {
    identity_token: String,
    public_key: Vec<u8>,
}

/// One question, to be asked once.
struct Sample {
    class: Class,
    ask: Ask,
}

/// What came of it.
#[derive(Clone)]
struct Outcome {
    class: Class,
    bytes: Vec<u8>,
    nanoseconds: u64,
}

/// Runs the measurement.
pub async fn run() -> Result<Value> {
    let postgres = PostgresServer::start().await?;
    let database = Database::Postgres(postgres.database("oracle").await?);
    let relays = vec![RelayOptions::named("Office A")];
    let options = Options { relays, database, ..Options::default() }.configured(CONFIGURATION)?;
    let world = World::start(options).await?;
    let template = populate(&world).await?;
    let page = world.relay_url(0)?;
    progress(&format!("guests at {ADDRESSES} addresses, one at each over the budget"));
    let hands = in_parallel(0..ADDRESSES, |address| {
        let (page, template) = (page.clone(), template.clone());
        async move { prepare(&page, &template, address).await }
    })
    .await?;
    progress(&format!("{SAMPLES} questions of each class, {CONNECTIONS} at a time"));
    let outcomes = in_parallel(hands.into_iter().enumerate(), |(address, samples)| {
        let page = page.clone();
        async move { ask_all(&page, address, samples).await }
    })
    .await?;
    world.end().await?;
    report(&outcomes.concat())
}

/// Meetings of every class that has any.
async fn populate(world: &World) -> Result<Template> {
    progress("meetings that refuse outsiders, each for another reason");
    let directory = world.directory()?;
    let organiser = directory.user("ada", "Ada", "a password for the bench").await?;
    let meeting_id = directory
        .create_meeting(CreateMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            subject: "Oracle".to_owned(),
            organiser_user_id: organiser.user_id.clone(),
            ..Default::default()
        })
        .await?;
    directory.share_link(&organiser, &meeting_id).await?;
    let template = Template::new(&meeting_id)?;
    let registry = world.ageing(Service::MeetingRegistry).await?;
    let access = world.ageing(Service::AccessControl).await?;
    let elsewhere = format!("'{ELSEWHERE}'");
    let long_ago = format!("t.created_at - {}", ENDED_BEFORE.as_millis());
    for class in Class::ALL {
        let (meeting_changes, shared): (Vec<(&str, &str)>, bool) = match class {
            Class::Absent => continue,
            Class::NotShared => (vec![], false),
            Class::EndedLongAgo => (vec![("ended_at", &long_ago)], true),
            Class::OtherOrganisation => (vec![("organisation", &elsewhere)], true),
            Class::OverBudget => (vec![], true),
        };
        let row_changes: Vec<_> = meeting_changes
            .iter()
            .filter(|(column, _)| *column == "organisation")
            .copied()
            .collect();
        let copies = class.meetings();
        let copied = template.copy_meetings(&registry, copies, &meeting_changes).await?;
        ensure!(copied == u64::from(copies.count), "{copied} meetings were copied");
        template.copy_rows(&registry, "registry_member", copies, &row_changes).await?;
        if shared {
            let mut changes = row_changes;
            changes.push(("share_id", "t.share_id || n"));
            let copied = template.copy_rows(&access, "access_share", copies, &changes).await?;
            ensure!(copied == u64::from(copies.count), "{copied} shares were copied");
        }
    }
    registry.execute("ANALYZE").await?;
    Ok(template)
}

/// Does something for each item, for [`CONNECTIONS`] of them at the same time.
async fn in_parallel<I, T, F>(
    items: impl Iterator<Item = I>,
    mut work: impl FnMut(I) -> F,
) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut done = Vec::new();
    for item in items {
        if tasks.len() >= CONNECTIONS
            && let Some(first) = tasks.join_next().await
        {
            done.push(first??);
        }
        tasks.spawn(work(item));
    }
    while let Some(next) = tasks.join_next().await {
        done.push(next??);
    }
    Ok(done)
}

/// The address with this number, of those that are set aside for measurements (RFC 2544).
fn address(number: usize) -> Ipv4Addr {
    let [high, low] = (number as u16).to_be_bytes();
    Ipv4Addr::new(198, 18, high, low)
}

/// Brings in the guests at one address, lets one of them use up the budget, and makes the questions
/// that will come from there, in random order: whatever changes during the run changes for all
/// classes.
async fn prepare(page: &str, template: &Template, number: usize) -> Result<Vec<Sample>> {
    let mut wire = Wire::connect_from(page, address(number)).await?;
    let mut guests = Vec::with_capacity(GUESTS);
    for _ in 0..GUESTS {
        guests.push(guest(&mut wire).await?);
    }
    let over_budget = guest(&mut wire).await?;
    let first = 1 + (Class::ALL.len() * SAMPLES) as u32 + number as u32 * MISSES_OVER_BUDGET;
    for number in first..first + MISSES_OVER_BUDGET {
        wire.ask(read(&over_budget, template.id_of(number))).await?;
    }
    let mut samples = Vec::with_capacity(OF_ADDRESS * Class::ALL.len());
    for class in Class::ALL {
        let meetings = class.meetings().numbers().skip(number * OF_ADDRESS).take(OF_ADDRESS);
        for (index, meeting) in meetings.enumerate() {
            let turn = class as usize * OF_ADDRESS + index;
            let guest = match class {
                Class::OverBudget => &over_budget,
                _ => guests.get(turn % GUESTS).context("no guests")?,
            };
            // Half of each class would read, half would join.
            let id = template.id_of(meeting);
            let ask = if index % 2 == 0 { read(guest, id) } else { join(guest, id) };
            samples.push(Sample { class, ask });
        }
    }
    shuffle(&mut samples)?;
    Ok(samples)
}

async fn guest(wire: &mut Wire) -> Result<Guest> {
    let public_key = TerminalKey::generate()?.public_key().to_vec();
    let ask = EnterAsGuest { display_name: "Guest".to_owned(), public_key: public_key.clone() };
    match wire.ask(Ask::EnterAsGuest(ask)).await?.said {
        Said::Identity(identity) => {
            Ok(Guest { identity_token: identity.identity_token, public_key })
        }
        other => bail!("a guest was answered {other:?}"),
    }
}

fn read(guest: &Guest, meeting_id: u64) -> Ask {
    Ask::ReadMeeting(ReadMeeting {
        identity_token: guest.identity_token.clone(),
        meeting_id: meeting_id.to_string(),
        ..Default::default()
    })
}

fn join(guest: &Guest, meeting_id: u64) -> Ask {
    Ask::RequestJoinCredential(RequestJoinCredential {
        identity_token: guest.identity_token.clone(),
        meeting_id: meeting_id.to_string(),
        public_key: guest.public_key.clone(),
        ..Default::default()
    })
}

fn shuffle(samples: &mut [Sample]) -> Result<()> {
    for end in (1..samples.len()).rev() {
        let chosen = getrandom::u64().context("draw a place")? % (end as u64 + 1);
        samples.swap(end, chosen as usize);
    }
    Ok(())
}

/// Asks from one address, one question after the other.
async fn ask_all(page: &str, number: usize, samples: Vec<Sample>) -> Result<Vec<Outcome>> {
    let mut wire = Wire::connect_from(page, address(number)).await?;
    let mut outcomes = Vec::with_capacity(samples.len());
    for Sample { class, ask } in samples {
        let answer = wire.ask(ask).await?;
        ensure!(
            matches!(answer.said, Said::Refusal(_)),
            "{} was not refused: {:?}",
            class.name(),
            answer.said
        );
        let nanoseconds = u64::try_from(answer.time.as_nanos())?;
        outcomes.push(Outcome { class, bytes: answer.bytes, nanoseconds });
    }
    Ok(outcomes)
}

/// `ks_p` is each class's probability of being that far from the absent one by chance;
/// `ks_p_min` is the least of them after Bonferroni's correction: each is multiplied by the number of
/// comparisons, so that more classes do not make a false alarm more likely.
fn report(outcomes: &[Outcome]) -> Result<Value> {
    let answers: BTreeSet<&[u8]> =
        outcomes.iter().map(|outcome| outcome.bytes.as_slice()).collect();
    let bytes_identical = answers.len() == 1;
    let times = |class: Class| {
        let of_class = outcomes.iter().filter(|outcome| outcome.class == class);
        let mut times: Vec<u64> = of_class.map(|outcome| outcome.nanoseconds).collect();
        times.sort_unstable();
        times
    };
    let absent = times(Class::Absent);
    let (mut ks_p, mut p50, mut p99) = (Map::new(), Map::new(), Map::new());
    let mut least = 1.0_f64;
    for class in Class::ALL {
        let times = times(class);
        ensure!(times.len() == SAMPLES, "{} samples of {}", times.len(), class.name());
        let milliseconds = |q| rounded(quantile(&times, q).unwrap_or_default() as f64 / 1e6);
        p50.insert(class.name().to_owned(), milliseconds(0.5).into());
        p99.insert(class.name().to_owned(), milliseconds(0.99).into());
        if class != Class::Absent {
            let test = kolmogorov_smirnov(&absent, &times).context("no samples")?;
            ks_p.insert(class.name().to_owned(), json!((test.p * 1e4).round() / 1e4));
            least = least.min(test.p);
        }
    }
    let ks_p_min = corrected(least, Class::ALL.len() - 1);
    Ok(json!({
        "ok": bytes_identical && ks_p_min > P_MIN,
        "samples_per_class": SAMPLES,
        "bytes_identical": bytes_identical,
        "answers": answers.len(),
        "ks_p": ks_p,
        "ks_p_min": (ks_p_min * 1e4).round() / 1e4,
        "p50_ms": p50,
        "p99_ms": p99,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(of: impl Fn(Class, u64) -> (Vec<u8>, u64)) -> Vec<Outcome> {
        let all =
            Class::ALL.into_iter().flat_map(|class| (0..SAMPLES as u64).map(move |i| (class, i)));
        all.map(|(class, index)| {
            let (bytes, nanoseconds) = of(class, index);
            Outcome { class, bytes, nanoseconds }
        })
        .collect()
    }

    #[test]
    fn equal_answers_after_equal_delays_tell_nothing() {
        let report = report(&outcomes(|_, index| (vec![1], index))).unwrap();
        assert_eq!(report["ok"], true);
        assert_eq!(report["ks_p_min"], 1.0);
    }

    #[test]
    fn one_other_answer_and_one_slower_class_are_told() {
        let one_byte =
            outcomes(|class, index| (vec![u8::from(class == Class::NotShared && index == 7)], 1));
        let report_of_bytes = report(&one_byte).unwrap();
        assert_eq!(
            (&report_of_bytes["ok"], &report_of_bytes["answers"]),
            (&json!(false), &json!(2))
        );
        let slower = outcomes(|class, index| {
            (vec![1], index + if class == Class::OverBudget { SAMPLES as u64 / 10 } else { 0 })
        });
        let report_of_delays = report(&slower).unwrap();
        assert_eq!(report_of_delays["ok"], false);
        assert_eq!(report_of_delays["bytes_identical"], true);
        assert_eq!(report_of_delays["ks_p"]["refused"], 1.0);
    }

    #[test]
    fn no_meeting_is_asked_for_by_two_classes() {
        let mut numbers = BTreeSet::new();
        for class in Class::ALL {
            assert!(class.meetings().numbers().all(|number| numbers.insert(number)));
        }
    }
}
