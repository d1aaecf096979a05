//! Relays of a world that are attached to others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use toml::Table;
use tributary_contracts::admin::v1 as admin;

use super::{Member, Service, World, plan};
use crate::config::{self, Database};
use crate::directory::ORGANISATION;
use crate::netns::Namespace;
use crate::process::Process;
use crate::{http, ports, wait};

/// How long a relay may take until it is attached, on a busy machine.
const ATTACHED_DEADLINE: Duration = Duration::from_secs(30);

/// What a relay attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// The core relay with this index.
    Relay(usize),
    /// The edge relay with this index.
    Edge(usize),
    /// Whatever leads to a relay from here.
    At(SocketAddr),
}

/// A relay that is attached to others.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Its name, shown to people; its id is made of it.
    pub name: String,
    /// What it attaches to, the first one first.
    pub parents: Vec<Parent>,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// What its uplink may carry, in kbit/s; 0: no limit.
    pub uplink_limit_kbit: u32,
    /// How many voices it sends up at most; 0: the default.
    pub voices_max: u32,
    /// Where it runs; none: where everything else does.
    pub namespace: Option<Arc<Namespace>>,
    /// The port of its page, if that is free.
    pub port: Option<u16>,
    /// Put on top of its configuration.
    pub extra: Table,
    /// Flags besides its configuration.
    pub flags: Vec<String>,
}

impl EdgeOptions {
    /// A relay of that name below that parent.
    pub fn below(name: &str, parent: Parent) -> Self {
        Self {
            name: name.to_owned(),
            parents: vec![parent],
            room: false,
            uplink_limit_kbit: 0,
            voices_max: 0,
            namespace: None,
            port: None,
            extra: Table::new(),
            flags: Vec::new(),
        }
    }

    /// The same in a room in which everybody behind it sits.
    pub fn in_a_room(self) -> Self {
        Self { room: true, ..self }
    }

    /// The same, in the meeting of this link itself.
    pub fn in_meeting(self, link: &str) -> Self {
        Self { flags: vec!["--join".to_owned(), link.to_owned()], ..self }
    }

    /// The same in a network of its own.
    pub fn inside(self, namespace: &Arc<Namespace>) -> Self {
        Self { namespace: Some(Arc::clone(namespace)), ..self }
    }
}

/// What is known of an edge relay besides its process.
pub(super) struct Edge {
    name: String,
    /// Its page, for those who are where it is.
    page: SocketAddr,
    /// The same for the harness.
    status: SocketAddr,
    /// For relays that attach to it.
    uplink: SocketAddr,
    /// Kept as long as the process.
    _namespace: Option<Arc<Namespace>>,
}

impl World {
    /// Enrols a relay, starts it, and waits until it is attached; returns its index.
    pub async fn add_edge(&mut self, options: EdgeOptions) -> Result<usize> {
        let token = self.directory()?.enrolment(relay(&options)).await?;
        let index = self.prepare_edge(&options, &token)?;
        let service = Service::Edge(index);
        self.start_service(service).await?;
        self.edge_attached(index).await?;
        Ok(index)
    }

    /// Lets an edge relay enrol again, with a new token, and starts it anew.
    pub async fn allow_again(&mut self, index: usize) -> Result<()> {
        let (id, name) = (self.edge_id(index)?, self.edge_name(index)?.to_owned());
        let relay = relay(&EdgeOptions::below(&name, Parent::Relay(0)));
        let token = self.directory()?.enrolment(relay).await?;
        let file = self.token_file(&id);
        std::fs::write(&file, token).with_context(|| format!("write {}", file.display()))?;
        let service = Service::Edge(index);
        if self.member_mut(service)?.process.is_running() {
            self.terminate(service).await?;
        }
        self.start_service(service).await
    }

    fn token_file(&self, relay_id: &str) -> PathBuf {
        self.folder.join(format!("config/enrolment-{relay_id}"))
    }

    fn prepare_edge(&mut self, options: &EdgeOptions, token: &str) -> Result<usize> {
        let id = plan::relay_id(&options.name);
        let index = self.edges.len();
        let token_file = self.token_file(&id);
        std::fs::write(&token_file, token).context("write the enrolment token")?;
        let (edge, ops) = place(options)?;
        let parents = options.parents.iter().map(|parent| self.parent_url(*parent));
        let parents = parents.collect::<Result<Vec<_>>>()?;
        let mut file: Table = toml::from_str(&format!(
            "[ops]\nlisten = \"{ops}\"\n\
             [relay]\nlisten = \"{}\"\nudp_listen = \"{udp}\"\nudp_advertise = [\"{udp}\"]\n\
             [relay.uplink]\nlisten = \"{}\"\nplaintext = true\n\
             [edge]\nupstream = {parents:?}\ndata_dir = {:?}\nenrolment_token_file = {:?}\n\
             plaintext = true\nplaintext_terminals = true\nstatus_on_lan = true\n",
            listen(&edge, options),
            edge.uplink,
            self.folder.join(format!("data/edge-{id}")).display().to_string(),
            token_file.display().to_string(),
            udp = ports::free()?,
        ))
        .context("write an edge relay's configuration")?;
        config::overlay(&mut file, &options.extra);
        let path = self.folder.join(format!("config/edge-{id}.toml"));
        std::fs::write(&path, file.to_string()).context("write an edge relay's configuration")?;
        let mut arguments =
            ["relay", "--config", &path.display().to_string()].map(str::to_owned).to_vec();
        arguments.extend(options.flags.iter().cloned());
        let (program, arguments) = match &options.namespace {
            Some(namespace) => namespace.enter(&self.program, arguments),
            None => (self.program.clone(), arguments),
        };
        let log = self.folder.join(format!("log/edge-{id}.log"));
        let guard = Arc::clone(&self.guard);
        let mut process = Process::new(&format!("edge-{id}"), &program, arguments, log, guard);
        process.set_environment("TRIBUTARY_LOG__FILTER", &self.log_filter);
        self.members.push(Member {
            service: Service::Edge(index),
            process,
            grpc: edge.uplink,
            ops,
            database: Database::Sqlite,
        });
        self.edges.push(edge);
        Ok(index)
    }

    fn parent_url(&self, parent: Parent) -> Result<String> {
        Ok(format!("http://{}", self.uplink_address(parent)?))
    }

    /// Where relays attach to a relay.
    pub fn uplink_address(&self, parent: Parent) -> Result<SocketAddr> {
        match parent {
            Parent::Relay(index) => {
                let uplink = self.uplinks.get(index).copied().flatten();
                uplink.context("this core relay takes no uplinks: set `uplinks`")
            }
            Parent::Edge(index) => Ok(self.edge(index)?.uplink),
            Parent::At(address) => Ok(address),
        }
    }

    fn edge(&self, index: usize) -> Result<&Edge> {
        self.edges.get(index).context("no such edge relay")
    }

    /// Where terminals find the edge relay with this index; if it is in a namespace, those inside.
    pub fn edge_url(&self, index: usize) -> Result<String> {
        Ok(format!("http://{}", self.edge(index)?.page))
    }

    /// Name of the edge relay with this index.
    pub fn edge_name(&self, index: usize) -> Result<&str> {
        Ok(&self.edge(index)?.name)
    }

    /// Id of the edge relay with this index.
    pub fn edge_id(&self, index: usize) -> Result<String> {
        Ok(plan::relay_id(self.edge_name(index)?))
    }

    /// The status page of the edge relay with this index, in a browser of this machine.
    pub fn edge_status_url(&self, index: usize) -> Result<String> {
        Ok(format!("http://{}/status", self.edge(index)?.status))
    }

    /// What the edge relay with this index says of itself.
    pub async fn edge_status(&self, index: usize) -> Result<Value> {
        let url = format!("http://{}/status.json", self.edge(index)?.status);
        let text = http::get(&url).await?.error_for_status()?.text().await?;
        serde_json::from_str(&text).context("read an edge relay's status")
    }

    /// Waits until the edge relay with this index is attached.
    pub async fn edge_attached(&self, index: usize) -> Result<()> {
        let what = format!("{} to be attached", self.edge_name(index)?);
        let attached = wait::until(what, ATTACHED_DEADLINE, || async {
            self.edge_status(index).await.is_ok_and(|status| is_attached(&status))
        });
        let log = || self.member(Service::Edge(index)).map(|edge| edge.process.log_tail());
        attached.await.with_context(|| format!("its log:\n{}", log().unwrap_or_default()))
    }

    /// Lets a process stand still, as if its machine were asleep.
    pub fn freeze(&self, service: Service) -> Result<()> {
        self.member(service)?.process.freeze();
        Ok(())
    }

    /// Lets it go on.
    pub fn thaw(&self, service: Service) -> Result<()> {
        self.member(service)?.process.thaw();
        Ok(())
    }
}

/// How an administrator sets it up.
fn relay(options: &EdgeOptions) -> admin::Relay {
    admin::Relay {
        organisation: ORGANISATION.to_owned(),
        relay_id: plan::relay_id(&options.name),
        name: options.name.clone(),
        room: options.room,
        uplink_limit_kbit: options.uplink_limit_kbit,
        voices_max: options.voices_max,
        ..Default::default()
    }
}

/// True if an edge relay says that it is attached.
pub fn is_attached(status: &Value) -> bool {
    status.get("attached") == Some(&Value::Bool(true))
}

/// Where an edge relay listens, and where it says that it is ready.
fn place(options: &EdgeOptions) -> Result<(Edge, SocketAddr)> {
    let office = options.namespace.as_ref().map(|namespace| namespace.office());
    let page = plan::page_at(Ipv4Addr::LOCALHOST, options.port)?;
    let from_here = |port| SocketAddr::new(office.unwrap_or(Ipv4Addr::LOCALHOST).into(), port);
    let edge = Edge {
        name: options.name.clone(),
        page,
        status: from_here(page.port()),
        uplink: from_here(ports::free()?.port()),
        _namespace: options.namespace.clone(),
    };
    Ok((edge, from_here(ports::free()?.port())))
}

/// In a namespace it is reached from inside and, for its status, from outside.
fn listen(edge: &Edge, options: &EdgeOptions) -> SocketAddr {
    match options.namespace {
        Some(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), edge.page.port()),
        None => edge.page,
    }
}
