//! What a world is made of.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use toml::Table;

use super::{EdgeOptions, Service};
use crate::config::Database;

/// A relay of a world.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Its name, shown to people; its id is made of it.
    pub name: String,
    /// The port it should have, if that is free.
    pub port: Option<u16>,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// The address of this machine that it listens at.
    pub address: Ipv4Addr,
}

impl RelayOptions {
    /// A relay of that name on any port.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), port: None, room: false, address: Ipv4Addr::LOCALHOST }
    }

    /// The same at this port, if that is free.
    pub fn at_port(name: &str, port: u16) -> Self {
        Self { port: Some(port), ..Self::named(name) }
    }

    /// One that stands in a room in which everybody behind it sits.
    pub fn room(name: &str) -> Self {
        Self { room: true, ..Self::named(name) }
    }

    /// The same at this address of this machine.
    pub fn listening(self, address: Ipv4Addr) -> Self {
        Self { address, ..self }
    }
}

/// An OpenID Connect provider that a world's users may log in with.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// Names it in messages.
    pub id: String,
    /// The name shown on the button.
    pub name: String,
    /// Its address.
    pub issuer: String,
    /// Who the platform is there.
    pub client_id: String,
    /// And what proves it.
    pub client_secret: String,
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its relays; "Office A" and "Office B" by default.
    pub relays: Vec<RelayOptions>,
    /// Relays that attach to these or to each other; each after its parent.
    pub edges: Vec<EdgeOptions>,
    /// True to let others attach later, if there are none yet.
    pub uplinks: bool,
    /// How many speakers are heard at once (K); none: the default of the services.
    pub voices_max: Option<u8>,
    /// Where services keep their data.
    pub database: Database,
    /// Services that keep theirs elsewhere.
    pub databases: Vec<(Service, Database)>,
    /// A provider to log in with, which sends browsers back to the pages of the relays.
    pub oidc: Option<OidcProvider>,
    /// Put on top of every service's configuration; each takes its own section of it.
    pub extra: Table,
    /// A folder that outlives the world; none: one that ends with it.
    pub folder: Option<PathBuf>,
    /// The filter of the services' logs.
    pub log: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relays: vec![RelayOptions::named("Office A"), RelayOptions::named("Office B")],
            edges: Vec::new(),
            uplinks: false,
            voices_max: None,
            database: Database::default(),
            databases: Vec::new(),
            oidc: None,
            extra: Table::new(),
            folder: None,
            log: "info".to_owned(),
        }
    }
}

impl Options {
    /// Adds to the configuration of services, in TOML.
    pub fn configured(mut self, toml: &str) -> Result<Self> {
        let added: Table = toml.parse().context("read what is to be configured")?;
        crate::config::overlay(&mut self.extra, &added);
        Ok(self)
    }

    /// Lets access-control send mail by the server at this port of this machine.
    pub fn with_mail(self, port: u16) -> Result<Self> {
        self.configured(&format!(
            "[access_control.mail]\nurl = \"smtp://127.0.0.1:{port}\"\n\
             from = \"Tributary <meetings@tributary.example>\""
        ))
    }
}
