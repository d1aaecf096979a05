//! Can an outsider tell a meeting that does not exist from one that refuses them? Asked from outside,
//! over a relay, some thousand times for each reason there is to refuse; answers are compared byte by
//! byte, and the distributions of their delays by two-sample Kolmogorov–Smirnov tests.

use std::collections::BTreeSet;
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

/// Samples of each class.
const SAMPLES: usize = 5_000;
/// Connections that ask at the same time. More would only wait for each other: what is measured is
/// the platform, not a queue before it.
const CONNECTIONS: usize = 8;
/// Meetings that a guest is refused at, below the default limit of ten.
const MISSES_OF_A_GUEST: usize = 8;
/// Guests that are over their budget; each is asked for many times.
const OVER_BUDGET: usize = 100;
/// More than the default limit of misses.
const MISSES_OVER_BUDGET: u32 = 12;
/// A difference that comes by chance in less than one run in a hundred is taken for one.
const P_MIN: f64 = 0.01;
/// The organisation that meetings of the last class belong to.
const ELSEWHERE: &str = "elsewhere";
/// Longer ago than outsiders may read about.
const ENDED_BEFORE: Duration = Duration::from_secs(8 * 24 * 3600);

/// Budgets by address are raised, because all guests of the run come from one; those of a client
/// have their defaults.
const CONFIGURATION: &str = "
    [access_control]
    prefix_miss_limit = 100000
    prefix_guest_access_limit = 10000000
    miss_alarm = 0
    [credential.limits]
    guests_per_hour = 100000
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
#[derive(Clone)]
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
    let regular = SAMPLES * (Class::ALL.len() - 1) / MISSES_OF_A_GUEST;
    progress(&format!("{} guests", regular + OVER_BUDGET));
    let mut guests = enter(&page, regular + OVER_BUDGET).await?;
    let over_budget = guests.split_off(regular);
    exhaust(&page, &over_budget, &template).await?;

    let samples = shuffled(samples(&template, &guests, &over_budget)?)?;
    progress(&format!("{} questions over {CONNECTIONS} connections", samples.len()));
    let outcomes = ask_all(&page, samples).await?;
    world.end().await?;
    report(&outcomes)
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

/// Brings in guests, over several connections.
async fn enter(page: &str, count: usize) -> Result<Vec<Guest>> {
    let mut tasks = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let page = page.to_owned();
        let share = count / CONNECTIONS + usize::from(connection < count % CONNECTIONS);
        tasks.spawn(async move {
            let mut wire = Wire::connect(&page).await?;
            let mut guests = Vec::with_capacity(share);
            for _ in 0..share {
                guests.push(guest(&mut wire).await?);
            }
            anyhow::Ok(guests)
        });
    }
    let mut guests = Vec::with_capacity(count);
    while let Some(entered) = tasks.join_next().await {
        guests.extend(entered??);
    }
    Ok(guests)
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

/// Lets guests ask for what is not there until their budget is used up.
async fn exhaust(page: &str, guests: &[Guest], template: &Template) -> Result<()> {
    progress("some of them use up their budget");
    let first = Class::ALL.len() as u32 * SAMPLES as u32 + 1;
    let mut tasks = JoinSet::new();
    for guests in guests.chunks(guests.len().div_ceil(CONNECTIONS)) {
        let guests = guests.to_vec();
        let ids: Vec<u64> =
            (first..first + MISSES_OVER_BUDGET).map(|number| template.id_of(number)).collect();
        let page = page.to_owned();
        tasks.spawn(async move {
            let mut wire = Wire::connect(&page).await?;
            for guest in guests {
                for id in &ids {
                    wire.ask(read(&guest, *id)).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// The questions of all classes: half of each class would read, half would join.
fn samples(template: &Template, regular: &[Guest], over_budget: &[Guest]) -> Result<Vec<Sample>> {
    let mut samples = Vec::with_capacity(SAMPLES * Class::ALL.len());
    for class in Class::ALL {
        let (guests, offset) = match class {
            Class::OverBudget => (over_budget, 0),
            // Each class begins with another guest, and all guests have their turn equally often.
            _ => (regular, class as usize * regular.len() / Class::ALL.len()),
        };
        for (index, number) in class.meetings().numbers().enumerate() {
            let guest = guests.get((index + offset) % guests.len()).context("no guests")?;
            let id = template.id_of(number);
            let ask = if index % 2 == 0 { read(guest, id) } else { join(guest, id) };
            samples.push(Sample { class, ask });
        }
    }
    Ok(samples)
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

/// In random order, so that whatever changes during the run changes for all classes.
fn shuffled(mut samples: Vec<Sample>) -> Result<Vec<Sample>> {
    for end in (1..samples.len()).rev() {
        let chosen = getrandom::u64().context("draw a place")? % (end as u64 + 1);
        samples.swap(end, chosen as usize);
    }
    Ok(samples)
}

async fn ask_all(page: &str, samples: Vec<Sample>) -> Result<Vec<Outcome>> {
    let mut hands: Vec<Vec<Sample>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (index, sample) in samples.into_iter().enumerate() {
        hands.get_mut(index % CONNECTIONS).context("no connection")?.push(sample);
    }
    let mut tasks = JoinSet::new();
    for hand in hands {
        let page = page.to_owned();
        tasks.spawn(async move {
            let mut wire = Wire::connect(&page).await?;
            let mut outcomes = Vec::with_capacity(hand.len());
            for Sample { class, ask } in hand {
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
            anyhow::Ok(outcomes)
        });
    }
    let mut outcomes = Vec::with_capacity(SAMPLES * Class::ALL.len());
    while let Some(done) = tasks.join_next().await {
        outcomes.extend(done??);
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
