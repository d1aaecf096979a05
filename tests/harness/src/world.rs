//! A whole Tributary on loopback.

mod edges;
mod options;
mod plan;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::transport::{Channel, Endpoint};

use self::edges::Edge;
pub use self::edges::{EdgeOptions, Parent, is_attached};
pub use self::options::{OidcProvider, Options, RelayOptions};
use self::plan::Plan;
use crate::ageing::Ageing;
use crate::config::Database;
use crate::directory::Directory;
use crate::metrics::Metrics;
use crate::process::{Guard, Process};
use crate::{http, nats, wait};

/// How long a service may take from its start until it is ready, on a busy machine.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// How long a service may take from SIGTERM to its end: the promise of the platform.
const TERMINATE_DEADLINE: Duration = Duration::from_secs(10);

/// Worlds that a process has at the same time: each brings six processes and real-time audio, and
/// tests run in parallel. The next one waits for its turn.
static TURNS: Semaphore = Semaphore::const_new(1);

/// A process of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// nats-server.
    Nats,
    /// Log-in, credentials.
    Credential,
    /// Meetings, participants.
    MeetingRegistry,
    /// Decisions.
    AccessControl,
    /// Mixes.
    Mixer,
    /// The relay with this index.
    Relay(usize),
    /// The edge relay with this index.
    Edge(usize),
}

impl Service {
    fn subcommand(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Credential => "credential",
            Self::MeetingRegistry => "meeting-registry",
            Self::AccessControl => "access-control",
            Self::Mixer => "mixer",
            Self::Relay(_) => "relay-gateway",
            Self::Edge(_) => "relay",
        }
    }
}

struct Member {
    service: Service,
    process: Process,
    grpc: SocketAddr,
    ops: SocketAddr,
    database: Database,
}

/// A whole Tributary on loopback; ends when dropped.
pub struct World {
    members: Vec<Member>,
    relays: Vec<(String, SocketAddr)>,
    /// Where each of them takes uplinks, if it does.
    uplinks: Vec<Option<SocketAddr>>,
    edges: Vec<Edge>,
    log_filter: String,
    nats: nats::Server,
    program: PathBuf,
    service_token: String,
    admin_token: String,
    folder: PathBuf,
    // Dropped last, in this order: processes are gone before their folder is.
    guard: Arc<Guard>,
    _scratch: Option<TempDir>,
    _turn: SemaphorePermit<'static>,
}

/// The folder with the programs that were built together with the caller.
pub fn programs() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TRIBUTARY_PROGRAMS") {
        return Ok(folder.into());
    }
    let this = std::env::current_exe().context("find the own program")?;
    let folder = this.parent().context("a program lies in a folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    if !folder.join("tributary").exists() {
        bail!("{} has no `tributary`: run `cargo build --workspace`", folder.display());
    }
    Ok(folder.to_owned())
}

impl World {
    /// Starts everything and waits until all of it is ready.
    pub async fn start(options: Options) -> Result<Self> {
        let turn = TURNS.acquire().await.context("wait for a turn")?;
        let mut world = Self::prepare(&options, turn)?;
        world.start_service(Service::Nats).await?;
        let services: Vec<Service> =
            world.members.iter().map(|member| member.service).skip(1).collect();
        for service in &services {
            world.member_mut(*service)?.process.start()?;
        }
        for service in services {
            world.ready(service).await?;
        }
        for edge in options.edges {
            world.add_edge(edge).await?;
        }
        Ok(world)
    }

    /// Writes all configuration; nothing runs yet.
    fn prepare(options: &Options, turn: SemaphorePermit<'static>) -> Result<Self> {
        let scratch = match &options.folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("tributary-world-").tempdir()?),
        };
        let folder = match (&options.folder, &scratch) {
            (Some(folder), _) => folder.clone(),
            (None, Some(scratch)) => scratch.path().to_owned(),
            (None, None) => bail!("a world needs a folder"),
        };
        if options.folder.is_some() && folder.join("log").exists() {
            std::fs::remove_dir_all(folder.join("log")).context("remove old logs")?;
        }
        for part in ["config", "data", "log"] {
            std::fs::create_dir_all(folder.join(part))
                .with_context(|| format!("make {}", folder.join(part).display()))?;
        }
        let guard = Arc::new(Guard::start(scratch.as_ref().map(TempDir::path))?);
        let plan = Plan::new(options, &folder)?;
        let mut members = vec![plan.nats_member(&guard)?];
        for service in
            [Service::Credential, Service::MeetingRegistry, Service::AccessControl, Service::Mixer]
        {
            members.push(plan.member(service, &guard)?);
        }
        for (index, relay) in options.relays.iter().enumerate() {
            members.push(plan.relay(index, relay, options.voices_max, &guard)?);
        }
        let world = Self {
            members,
            relays: plan.relays,
            uplinks: plan.uplinks,
            edges: Vec::new(),
            log_filter: options.log.clone(),
            nats: plan.nats,
            program: plan.program,
            service_token: plan.shared.service_token,
            admin_token: plan.shared.admin_token,
            folder,
            guard,
            _scratch: scratch,
            _turn: turn,
        };
        world.configure_nats(true)?;
        Ok(world)
    }

    /// Writes nats-server's configuration; it counts from its next start.
    pub fn configure_nats(&self, jetstream: bool) -> Result<()> {
        let text = self.nats.configuration(&self.program, jetstream)?;
        std::fs::write(self.folder.join("config/nats.conf"), text).context("write nats.conf")
    }

    fn member(&self, service: Service) -> Result<&Member> {
        let found = self.members.iter().find(|member| member.service == service);
        found.with_context(|| format!("this world has no {service:?}"))
    }

    fn member_mut(&mut self, service: Service) -> Result<&mut Member> {
        let found = self.members.iter_mut().find(|member| member.service == service);
        found.with_context(|| format!("this world has no {service:?}"))
    }

    /// Starts a service that is not running and waits until it is ready.
    pub async fn start_service(&mut self, service: Service) -> Result<()> {
        self.member_mut(service)?.process.start()?;
        self.ready(service).await
    }

    /// Starts a service that is not running, and does not wait: it may never be ready.
    pub fn begin_service(&mut self, service: Service) -> Result<()> {
        self.member_mut(service)?.process.start()
    }

    /// Waits until a service says that it is ready; an error shows the end of its log.
    pub async fn ready(&mut self, service: Service) -> Result<()> {
        let member = self.member_mut(service)?;
        let url = match service {
            Service::Nats => format!("http://{}/varz", member.ops),
            _ => format!("http://{}/readyz", member.ops),
        };
        let process = &mut member.process;
        let answer = wait::until_some(format!("{service:?} to be ready"), READY_DEADLINE, || {
            let running = process.is_running();
            let url = url.clone();
            async move {
                if !running {
                    return Some(false);
                }
                let answer = http::get(&url).await.ok()?;
                answer.status().is_success().then_some(true)
            }
        })
        .await;
        match answer {
            Ok(true) => Ok(()),
            Ok(false) => bail!("{service:?} has ended at its start:\n{}", process.log_tail()),
            Err(error) => Err(error.context(format!("its log:\n{}", process.log_tail()))),
        }
    }

    /// Sends SIGTERM to a service and waits for its end, at most as long as the platform promises.
    pub async fn terminate(&mut self, service: Service) -> Result<ExitStatus> {
        self.member_mut(service)?.process.terminate(TERMINATE_DEADLINE).await
    }

    /// Sends SIGKILL to a service and waits until it is gone.
    pub async fn kill(&mut self, service: Service) -> Result<ExitStatus> {
        self.member_mut(service)?.process.kill().await
    }

    /// Reads what a service counts.
    pub async fn metrics(&self, service: Service) -> Result<Metrics> {
        Metrics::scrape(&self.metrics_url(service)?).await
    }

    /// Where a service's counters are read.
    pub fn metrics_url(&self, service: Service) -> Result<String> {
        Ok(format!("http://{}/metrics", self.member(service)?.ops))
    }

    /// A page of nats-server's own counters, such as `jsz`.
    pub fn nats_monitor(&self, page: &str) -> Result<String> {
        Ok(format!("http://{}/{page}", self.member(Service::Nats)?.ops))
    }

    /// Where a service answers gRPC.
    pub fn grpc_address(&self, service: Service) -> Result<SocketAddr> {
        Ok(self.member(service)?.grpc)
    }

    /// The page of the relay with this index.
    pub fn relay_url(&self, index: usize) -> Result<String> {
        let (_, listen) = self.relays.get(index).context("no such relay")?;
        Ok(format!("http://{listen}"))
    }

    /// Name of the relay with this index.
    pub fn relay_name(&self, index: usize) -> Result<&str> {
        Ok(&self.relays.get(index).context("no such relay")?.0)
    }

    /// Id of the relay with this index.
    pub fn relay_id(&self, index: usize) -> Result<String> {
        Ok(plan::relay_id(self.relay_name(index)?))
    }

    /// How the relay with this index logs in at nats-server: name and password.
    pub fn relay_at_nats(&self, index: usize) -> Result<(String, String)> {
        let user = format!("relay-{}", self.relay_id(index)?);
        let file = self.nats.password_file(&user);
        let password = std::fs::read_to_string(&file);
        let password = password.with_context(|| format!("read {}", file.display()))?;
        Ok((user, password.trim_end().to_owned()))
    }

    /// A process that has ended, if any.
    pub fn any_ended(&mut self) -> Option<Service> {
        let mut members = self.members.iter_mut();
        members.find_map(|member| (!member.process.is_running()).then_some(member.service))
    }

    /// All services but nats-server.
    pub fn services(&self) -> Vec<Service> {
        let services = self.members.iter().map(|member| member.service);
        services.filter(|service| *service != Service::Nats).collect()
    }

    /// A service's output so far.
    pub fn log(&self, service: Service) -> Result<String> {
        let path = self.member(service)?.process.log_path();
        std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
    }

    /// The folder with configuration, data and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bearer token of administrators.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The bearer token that services show each other.
    pub fn service_token(&self) -> &str {
        &self.service_token
    }

    /// Users and meetings.
    pub fn directory(&self) -> Result<Directory> {
        let channel = |service| -> Result<Channel> {
            let url = format!("http://{}", self.grpc_address(service)?);
            Ok(Endpoint::from_shared(url)?.timeout(Duration::from_secs(10)).connect_lazy())
        };
        Ok(Directory {
            credential: channel(Service::Credential)?,
            meeting_registry: channel(Service::MeetingRegistry)?,
            access_control: channel(Service::AccessControl)?,
            service_token: self.service_token.clone(),
            admin_token: self.admin_token.clone(),
        })
    }

    /// Changes to what a service keeps that time alone would bring.
    pub async fn ageing(&self, service: Service) -> Result<Ageing> {
        let data = self.folder.join("data").join(format!("{}.db", service.subcommand()));
        Ageing::of(&self.member(service)?.database, &data).await
    }

    /// Ends everything in order: relays first, nats-server last. What does not end is killed.
    pub async fn end(mut self) -> Result<()> {
        let mut late = Vec::new();
        for member in self.members.iter().rev() {
            if member.service != Service::Nats {
                member.process.ask_to_end();
            }
        }
        for member in self.members.iter_mut().rev() {
            if !member.process.is_running() {
                continue;
            }
            if member.process.terminate(TERMINATE_DEADLINE).await.is_err() {
                late.push(member.service);
                member.process.end_now();
            }
        }
        if late.is_empty() { Ok(()) } else { bail!("did not end within 10 s: {late:?}") }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        for member in self.members.iter_mut().rev() {
            member.process.end_now();
        }
    }
}

impl World {
    /// A test that fails says what the services said last.
    fn show_logs(&self) {
        for member in &self.members {
            let tail = member.process.log_tail();
            if !tail.is_empty() {
                eprintln!("---- end of the log of {:?}\n{tail}", member.service);
            }
        }
    }
}
