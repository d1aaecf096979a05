//! What a cached decision costs: side by side with a call of the same size to a service that does
//! nothing, interleaved in one run, on loopback.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tributary_contracts::access::v1::access_service_client::AccessServiceClient;
use tributary_contracts::access::v1::{Action, DecideRequest, DecideResponse};
use tributary_contracts::admin::v1::CreateMeetingRequest;

use super::population::{Copies, Template};
use super::statistics::quantile;
use super::{floor, progress, rounded};
use crate::directory::{ORGANISATION, User};
use crate::postgres::PostgresServer;
use crate::process::{Guard, Process};
use crate::{Database, Options, Service, World, ports, wait};

/// Copies of the template, which has itself and [`MEMBERS`] members.
const MEETINGS: u32 = 100_000;
/// Members of each meeting, its organiser among them.
const MEMBERS: usize = 10;
/// Members who ask: their facts are in the cache but for one question each whenever their life is
/// over.
const ASKING: usize = 100;
/// Pairs of calls whose times are compared.
const PAIRS: usize = 20_000;
/// Pairs before that, while both processes warm up.
const WARM_UP: usize = 2_000;
/// Calls at the same time when decisions per second are counted, over [`CHANNELS`] connections.
const CONCURRENCY: usize = 64;
const CHANNELS: usize = 4;
const COUNTING: Duration = Duration::from_secs(5);
const RATIO_MAX: f64 = 1.3;
const START_DEADLINE: Duration = Duration::from_secs(10);

type Client = AccessServiceClient<Channel>;

/// Runs the measurement.
pub async fn run() -> Result<Value> {
    let postgres = PostgresServer::start().await?;
    let database = Database::Postgres(postgres.database("bench").await?);
    let world =
        World::start(Options { relays: Vec::new(), database, ..Options::default() }).await?;
    let questions = populate(&world).await?;
    let (_floor_process, floor_address) = start_floor(&world).await?;
    let token: MetadataValue<Ascii> = format!("Bearer {}", world.service_token()).parse()?;
    let address = world.grpc_address(Service::AccessControl)?;
    let caller = Caller { questions, token };

    progress("a decision and an empty call in turn");
    let (decision, floor) =
        caller.compare(client(address).await?, client(floor_address).await?).await?;
    progress("decisions per second");
    let per_s = caller.per_second(address).await?;
    let floor_per_s = caller.per_second(floor_address).await?;
    let metrics = world.metrics(Service::AccessControl).await?;
    let looks = |name| metrics.sum_with(name, &[("cache", "meetings")]);
    let hits = looks("tributary_access_control_cache_hits");
    let cached = hits / (hits + looks("tributary_access_control_cache_misses"));
    world.end().await?;

    let p50 = |times: &[u64]| quantile(times, 0.5).unwrap_or_default() as f64 / 1000.0;
    let p99 = |times: &[u64]| quantile(times, 0.99).unwrap_or_default() as f64 / 1000.0;
    let ratio = p50(&decision) / p50(&floor);
    Ok(json!({
        "ok": ratio <= RATIO_MAX,
        "p50_us": rounded(p50(&decision)),
        "p99_us": rounded(p99(&decision)),
        "floor_p50_us": rounded(p50(&floor)),
        "floor_p99_us": rounded(p99(&floor)),
        "ratio": rounded(ratio),
        "ratio_max": RATIO_MAX,
        "per_s": per_s.round(),
        "floor_per_s": floor_per_s.round(),
        "meetings": MEETINGS + 1,
        "members": (MEETINGS as usize + 1) * MEMBERS,
        "pairs": PAIRS,
        "cached_share": (cached * 1e4).round() / 1e4,
    }))
}

/// Fills the registry's tables; returns questions of members of copies.
async fn populate(world: &World) -> Result<Vec<DecideRequest>> {
    progress(&format!("{MEETINGS} meetings with {MEMBERS} members each"));
    let directory = world.directory()?;
    let organiser = directory.user("ada", "Ada", "a password for the bench").await?;
    let User { user_id, .. } = organiser;
    let meeting_id = directory
        .create_meeting(CreateMeetingRequest {
            organisation: ORGANISATION.to_owned(),
            subject: "Bench".to_owned(),
            organiser_user_id: user_id.clone(),
            member_user_ids: (1..MEMBERS).map(|number| format!("member-{number}")).collect(),
            ..Default::default()
        })
        .await?;
    let template = Template::new(&meeting_id)?;
    let database = world.ageing(Service::MeetingRegistry).await?;
    let all = Copies { first: 1, count: MEETINGS };
    let meetings = template.copy_meetings(&database, all, &[]).await?;
    // Everybody is in a few meetings: a member's name depends on the meeting's number.
    let user = "CASE WHEN t.user_id LIKE 'member-%' THEN t.user_id || '-' || (n % 20000) ELSE t.user_id END";
    let members =
        template.copy_rows(&database, "registry_member", all, &[("user_id", user)]).await?;
    ensure!(meetings == u64::from(MEETINGS), "{meetings} meetings were copied");
    ensure!(members == u64::from(MEETINGS) * MEMBERS as u64, "{members} members were copied");
    database.execute("ANALYZE").await?;
    let asking = (0..ASKING as u32).map(|index| 1 + index * (MEETINGS / ASKING as u32));
    Ok(asking
        .map(|number| DecideRequest {
            organisation: ORGANISATION.to_owned(),
            meeting_id: template.id_of(number).to_string(),
            user_id: format!("member-{}-{}", 1 + number as usize % (MEMBERS - 1), number % 20_000),
            action: Action::Join.into(),
            client_id: "dGhlIHRodW1icHJpbnQgb2YgYSB0ZXJtaW5hbCdzIGs".to_owned(),
            client_address: "192.0.2.17".to_owned(),
            ..Default::default()
        })
        .collect())
}

/// The service that does nothing, in a process of its own.
async fn start_floor(world: &World) -> Result<(Process, SocketAddr)> {
    let listen = ports::free()?;
    let guard = std::sync::Arc::new(Guard::start(None)?);
    let program = std::env::current_exe().context("find the own program")?;
    let log = world.folder().join("log/floor.log");
    let arguments = vec!["floor".to_owned(), listen.to_string()];
    let mut process = Process::new("floor", &program, arguments, log, guard);
    process.start()?;
    wait::until("the floor to answer", START_DEADLINE, || async {
        tokio::net::TcpStream::connect(listen).await.is_ok()
    })
    .await?;
    Ok((process, listen))
}

async fn client(address: SocketAddr) -> Result<Client> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(AccessServiceClient::new(channel.connect().await.context("connect")?))
}

struct Caller {
    questions: Vec<DecideRequest>,
    token: MetadataValue<Ascii>,
}

impl Caller {
    /// The same request to both: same message, same headers.
    fn request(&self, number: usize) -> Result<Request<DecideRequest>> {
        let question = self.questions.get(number % self.questions.len()).context("no question")?;
        let mut request = Request::new(question.clone());
        request.metadata_mut().insert("authorization", self.token.clone());
        Ok(request)
    }

    /// Sorted times in nanoseconds of decisions and of empty calls, asked in turn: whatever the
    /// machine does meanwhile, it does to both.
    async fn compare(
        &self,
        mut decision: Client,
        mut floor: Client,
    ) -> Result<(Vec<u64>, Vec<u64>)> {
        let mut times = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
        for number in 0..WARM_UP + PAIRS {
            // Who is asked first does not always have the warmer processor.
            let pair = if number % 2 == 0 {
                let first = self.timed(&mut decision, number).await?;
                (first, self.timed(&mut floor, number).await?)
            } else {
                let second = self.timed(&mut floor, number).await?;
                (self.timed(&mut decision, number).await?, second)
            };
            if number >= WARM_UP {
                times.0.push(pair.0);
                times.1.push(pair.1);
            }
        }
        times.0.sort_unstable();
        times.1.sort_unstable();
        Ok(times)
    }

    async fn timed(&self, client: &mut Client, number: usize) -> Result<u64> {
        let request = self.request(number)?;
        let begin = Instant::now();
        let answer = client.decide(request).await;
        let time = begin.elapsed();
        check(answer)?;
        Ok(u64::try_from(time.as_nanos())?)
    }

    async fn per_second(&self, address: SocketAddr) -> Result<f64> {
        let mut clients = Vec::new();
        for _ in 0..CHANNELS {
            clients.push(client(address).await?);
        }
        let mut tasks = JoinSet::new();
        let begin = Instant::now();
        for (first, client) in clients.iter().cycle().take(CONCURRENCY).cloned().enumerate() {
            let caller = Self { questions: self.questions.clone(), token: self.token.clone() };
            tasks.spawn(async move { caller.ask_until(client, first, begin + COUNTING).await });
        }
        let mut asked = 0;
        while let Some(count) = tasks.join_next().await {
            asked += count??;
        }
        Ok(asked as f64 / begin.elapsed().as_secs_f64())
    }

    async fn ask_until(self, mut client: Client, first: usize, end: Instant) -> Result<usize> {
        let mut asked = 0;
        while Instant::now() < end {
            check(client.decide(self.request(first + asked)?).await)?;
            asked += 1;
        }
        Ok(asked)
    }
}

/// Both services have to give the same answer, so that both send the same bytes.
fn check(answer: Result<tonic::Response<DecideResponse>, Status>) -> Result<()> {
    let answer = answer.context("ask to decide")?.into_inner();
    ensure!(answer == floor::answer(), "a member was answered {answer:?}");
    Ok(())
}
