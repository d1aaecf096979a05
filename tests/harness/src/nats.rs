//! The nats-server of a world: which program, and its configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::without_settings;

/// `$NATS_SERVER`, which the recipes set, else the one that `scripts/provision nats` has fetched.
/// Both are new enough: the script has looked at their versions.
pub fn locate() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("NATS_SERVER").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/nats-server");
    match fetched.canonicalize() {
        Ok(program) => Ok(program),
        Err(_) => bail!("no nats-server: run `scripts/provision nats`, or set NATS_SERVER"),
    }
}

/// What a nats-server is started with.
pub struct Server {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where its own counters are read (`/varz`, `/jsz`).
    pub monitor: SocketAddr,
    /// Ids of the relays that may log in.
    pub relay_ids: Vec<String>,
    /// The folder of the passwords, one file per user.
    pub passwords: PathBuf,
    /// Where JetStream keeps its data.
    pub store: PathBuf,
}

impl Server {
    /// The text of its configuration file, as `tributary nats-config` makes it. The first time, that
    /// also makes the passwords.
    pub fn configuration(&self, tributary: &Path, jetstream: bool) -> Result<String> {
        let mut command = Command::new(tributary);
        command.arg("nats-config").arg("--passwords").arg(&self.passwords);
        command.args(["--listen", &self.listen.to_string()]);
        command.args(["--monitor", &self.monitor.to_string()]);
        for id in &self.relay_ids {
            command.args(["--relay", id]);
        }
        if jetstream {
            command.arg("--store-dir").arg(&self.store);
        }
        let output =
            without_settings(&mut command).output().context("run `tributary nats-config`")?;
        if !output.status.success() {
            bail!("tributary nats-config: {}", String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout).context("read nats-server's configuration")
    }

    /// The file with the password of a user.
    pub fn password_file(&self, user: &str) -> PathBuf {
        self.passwords.join(format!("{user}.password"))
    }
}
