//! What is decided before a world starts: addresses, secrets, and each process's configuration.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{Member, OidcProvider, Options, RelayOptions, Service, programs};
use crate::config::{self, Database, Own, Shared};
use crate::process::{Guard, Process};
use crate::{nats, ports};

/// Addresses and secrets, as they are handed out while a world is prepared.
pub(super) struct Plan {
    pub(super) shared: Shared,
    pub(super) nats: nats::Server,
    pub(super) program: PathBuf,
    /// Name and address of every relay's page.
    pub(super) relays: Vec<(String, SocketAddr)>,
    /// Where each of them takes uplinks, if it does.
    pub(super) uplinks: Vec<Option<SocketAddr>>,
    folder: PathBuf,
    log: String,
    mixer: Table,
    databases: Vec<(Service, Database)>,
}

impl Plan {
    pub(super) fn new(options: &Options, folder: &Path) -> Result<Self> {
        let mut mixer = Table::new();
        if let Some(voices_max) = options.voices_max {
            mixer.insert("voices_max".into(), i64::from(voices_max).into());
        }
        let relays = options.relays.iter().map(|relay| Ok((relay.name.clone(), page(relay)?)));
        let relays: Vec<_> = relays.collect::<Result<_>>()?;
        let takes_uplinks = options.uplinks || !options.edges.is_empty();
        let uplinks = options.relays.iter().map(|relay| match takes_uplinks {
            true => Ok(Some(at(relay.address, ports::free()?))),
            false => Ok(None),
        });
        let uplinks = uplinks.collect::<Result<_>>()?;
        let listen = ports::free()?;
        Ok(Self {
            nats: nats::Server {
                listen,
                monitor: ports::free()?,
                relay_ids: options.relays.iter().map(|relay| relay_id(&relay.name)).collect(),
                passwords: folder.join("config/passwords"),
                store: folder.join("data/nats"),
            },
            shared: Shared {
                nats: listen,
                credential: ports::free()?,
                meeting_registry: ports::free()?,
                access_control: ports::free()?,
                service_token: secret()?,
                admin_token: secret()?,
                database: options.database.clone(),
                data: folder.join("data"),
                pages: pages(options, &relays),
                extra: options.extra.clone(),
            },
            relays,
            uplinks,
            folder: folder.to_owned(),
            program: programs()?.join("tributary"),
            log: options.log.clone(),
            mixer,
            databases: options.databases.clone(),
        })
    }

    pub(super) fn nats_member(&self, guard: &Arc<Guard>) -> Result<Member> {
        let file = self.folder.join("config/nats.conf");
        let process = Process::new(
            "nats-server",
            &nats::locate()?,
            vec!["-c".to_owned(), file.display().to_string()],
            self.folder.join("log/nats-server.log"),
            guard.clone(),
        );
        Ok(Member {
            service: Service::Nats,
            process,
            grpc: self.nats.listen,
            ops: self.nats.monitor,
            database: Database::Sqlite,
        })
    }

    pub(super) fn member(&self, service: Service, guard: &Arc<Guard>) -> Result<Member> {
        self.process(service, service.subcommand(), None, guard)
    }

    pub(super) fn relay(
        &self,
        index: usize,
        options: &RelayOptions,
        voices_max: Option<u8>,
        guard: &Arc<Guard>,
    ) -> Result<Member> {
        let (_, listen) = self.relays.get(index).context("no such relay")?;
        let id = relay_id(&options.name);
        let mut section = relay_section(options, *listen, voices_max)?;
        if let Some(uplink) = self.uplinks.get(index).copied().flatten() {
            let mut table = one("listen", uplink.to_string());
            if !options.address.is_loopback() {
                table.insert("plaintext".into(), true.into());
            }
            section.insert("uplink".into(), table.into());
        }
        let service = Service::Relay(index);
        let name = format!("{}-{id}", service.subcommand());
        self.process(service, &name, Some((id, section)), guard)
    }

    fn process(
        &self,
        service: Service,
        name: &str,
        relay: Option<(String, Table)>,
        guard: &Arc<Guard>,
    ) -> Result<Member> {
        let user = match &relay {
            Some((id, _)) => format!("relay-{id}"),
            None => name.to_owned(),
        };
        let grpc = match service {
            Service::Credential => self.shared.credential,
            Service::MeetingRegistry => self.shared.meeting_registry,
            Service::AccessControl => self.shared.access_control,
            _ => ports::free()?,
        };
        let section = match relay {
            Some((_, section)) => Some(("relay", section)),
            None if service == Service::Mixer => Some(("mixer", self.mixer.clone())),
            None => None,
        };
        let database = self.databases.iter().find(|(of, _)| *of == service);
        let database = database.map_or(&self.shared.database, |(_, database)| database);
        let password_file = self.nats.password_file(&user);
        let own = Own { grpc, ops: ports::free()?, nats_user: (user, password_file), section };
        let file = self.folder.join(format!("config/{name}.toml"));
        std::fs::write(&file, config::file(&self.shared, &own, database))
            .with_context(|| format!("write {}", file.display()))?;
        let subcommand = service.subcommand().to_owned();
        let mut process = Process::new(
            name,
            &self.program,
            vec![subcommand, "--config".to_owned(), file.display().to_string()],
            self.folder.join(format!("log/{name}.log")),
            guard.clone(),
        );
        process.set_environment("TRIBUTARY_LOG__FILTER", &self.log);
        let database = database.clone();
        Ok(Member { service, process, grpc: own.grpc, ops: own.ops, database })
    }
}

/// What services must know of the addresses of pages: links of shares begin with the first relay's,
/// and an OpenID Connect provider sends browsers back to any of them.
fn pages(options: &Options, relays: &[(String, SocketAddr)]) -> Table {
    let urls: Vec<String> = relays.iter().map(|(_, listen)| format!("http://{listen}/")).collect();
    let mut pages = Table::new();
    if let Some(first) = urls.first() {
        pages.insert("access_control".into(), one("public_url", first.clone()).into());
    }
    if let Some(provider) = &options.oidc {
        let provider = oidc_section(provider, &urls);
        pages.insert("credential".into(), one("oidc", vec![Value::Table(provider)]).into());
    }
    pages
}

fn oidc_section(provider: &OidcProvider, redirect_uris: &[String]) -> Table {
    let mut section = Table::new();
    for (key, value) in [
        ("id", &provider.id),
        ("name", &provider.name),
        ("issuer", &provider.issuer),
        ("client_id", &provider.client_id),
        ("client_secret", &provider.client_secret),
    ] {
        section.insert(key.into(), value.clone().into());
    }
    section.insert("redirect_uris".into(), redirect_uris.to_vec().into());
    section
}

fn one(key: &str, value: impl Into<Value>) -> Table {
    Table::from_iter([(key.to_owned(), value.into())])
}

/// Where a relay's page is to be: at the port that it should have if that is free.
fn page(relay: &RelayOptions) -> Result<SocketAddr> {
    page_at(relay.address, relay.port)
}

pub(super) fn page_at(address: Ipv4Addr, port: Option<u16>) -> Result<SocketAddr> {
    let wanted = port.map(|port| SocketAddr::from((address, port)));
    match wanted.filter(|wanted| TcpListener::bind(wanted).is_ok()) {
        Some(wanted) => Ok(wanted),
        None => Ok(at(address, ports::free()?)),
    }
}

fn at(address: Ipv4Addr, like: SocketAddr) -> SocketAddr {
    SocketAddr::from((address, like.port()))
}

fn relay_section(
    relay: &RelayOptions,
    listen: SocketAddr,
    voices_max: Option<u8>,
) -> Result<Table> {
    let udp = at(relay.address, ports::free()?).to_string();
    let mut section = Table::new();
    section.insert("relay_id".into(), relay_id(&relay.name).into());
    section.insert("name".into(), relay.name.clone().into());
    if relay.room {
        section.insert("room".into(), true.into());
    }
    section.insert("listen".into(), listen.to_string().into());
    section.insert("udp_listen".into(), udp.clone().into());
    section.insert("udp_advertise".into(), vec![udp].into());
    if let Some(voices_max) = voices_max {
        section.insert("voices_max".into(), i64::from(voices_max).into());
    }
    Ok(section)
}

pub(super) fn relay_id(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// 128 random bits in letters and digits.
fn secret() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("draw a secret")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
