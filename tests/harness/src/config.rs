//! The configuration files of a world's services: one layout, one file per process.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::{Table, Value};

/// Where services keep their data.
#[derive(Clone, Debug, Default)]
pub enum Database {
    /// A file per service in the world's folder.
    #[default]
    Sqlite,
    /// A PostgreSQL database, by URL.
    Postgres(String),
}

/// What all processes of a world share.
pub struct Shared {
    pub nats: SocketAddr,
    pub credential: SocketAddr,
    pub meeting_registry: SocketAddr,
    pub access_control: SocketAddr,
    pub service_token: String,
    pub admin_token: String,
    pub database: Database,
    pub data: PathBuf,
    /// What services must know of the addresses of pages, in their sections.
    pub pages: Table,
    pub extra: Table,
}

/// What one process has for itself.
pub struct Own {
    pub grpc: SocketAddr,
    pub ops: SocketAddr,
    /// NATS user and file of its password.
    pub nats_user: (String, PathBuf),
    /// Its own section, if any.
    pub section: Option<(&'static str, Table)>,
}

/// The text of the configuration file of one process, whose data is in `database`.
pub fn file(shared: &Shared, own: &Own, database: &Database) -> String {
    let url = |address: SocketAddr| format!("http://{address}");
    let database = match database {
        Database::Sqlite => format!("sqlite:{}", shared.data.display()),
        Database::Postgres(url) => url.clone(),
    };
    let (user, password_file) = &own.nats_user;
    let nats = table([
        ("url", format!("nats://{}", shared.nats)),
        ("user", user.clone()),
        ("password_file", password_file.display().to_string()),
    ]);
    let mut file = Table::new();
    for (section, content) in [
        ("ops", table([("listen", own.ops.to_string())])),
        ("grpc", table([("listen", own.grpc.to_string())])),
        ("nats", nats),
        (
            "security",
            table([
                ("service_token", shared.service_token.clone()),
                ("admin_token", shared.admin_token.clone()),
            ]),
        ),
        (
            "services",
            table([
                ("credential", url(shared.credential)),
                ("meeting_registry", url(shared.meeting_registry)),
                ("access_control", url(shared.access_control)),
            ]),
        ),
        ("database", table([("url", database)])),
    ] {
        file.insert(section.into(), content.into());
    }
    if let Some((name, section)) = &own.section {
        file.insert((*name).into(), section.clone().into());
    }
    overlay(&mut file, &shared.pages);
    overlay(&mut file, &shared.extra);
    file.to_string()
}

fn table<const N: usize>(entries: [(&str, String); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
}

/// Puts `over` on top of `base`, table by table.
pub fn overlay(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => overlay(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_keeps_what_it_does_not_name() {
        let mut base: Table = "[a]\nx = 1\ny = 2".parse().unwrap();
        overlay(&mut base, &"[a]\ny = 3\n[b]\nz = 4".parse().unwrap());
        assert_eq!(base, "[a]\nx = 1\ny = 3\n[b]\nz = 4".parse().unwrap());
    }
}
