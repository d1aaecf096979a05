//! Questions to an edge relay that runs on this machine.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tributary_relay_gateway_server::edge::diag;
use tributary_service_runtime::config::{self, ConfigArgs};

use crate::config::Config;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum Question {
    /// Say how the relay is: attached to what, who is behind it, what it saves
    Status(StatusArgs),
    /// Write a file for support: status, configuration, logs, network; no secrets
    Diag(DiagArgs),
}

/// Which relay.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Where it serves terminals (relay.listen)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    address: String,
}

/// Flags of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    which: Which,
    /// Certificates (PEM) to trust, for https://
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print /status.json
    #[arg(long)]
    json: bool,
}

/// Flags of `diag`.
#[derive(Debug, clap::Args)]
pub struct DiagArgs {
    #[command(flatten)]
    which: Which,
    /// Where to write
    #[arg(long, value_name = "FILE", default_value = "tributary-relay-diag.json")]
    output: PathBuf,
    /// The relay's configuration file; may be repeated
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A setting that the relay was started with; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Question {
    /// What is to be printed.
    pub async fn answer(self) -> anyhow::Result<String> {
        match self {
            Self::Status(args) => {
                let ca_file = args.ca_file.unwrap_or_default();
                let report = diag::ask_status(&args.which.address, &ca_file).await?;
                if !args.json {
                    return Ok(report.to_string());
                }
                let mut text = serde_json::to_string_pretty(&report)?;
                text.push('\n');
                Ok(text)
            }
            Self::Diag(args) => args.gather().await,
        }
    }
}

impl DiagArgs {
    async fn gather(self) -> anyhow::Result<String> {
        let args = ConfigArgs { files: self.files, set: self.set, ..ConfigArgs::default() };
        let config: Config = config::load_without_peers(&args, std::env::vars())?;
        let bundle = diag::bundle(&self.which.address, &config.edge, &config).await;
        let mut text = serde_json::to_string_pretty(&bundle)?;
        text.push('\n');
        write(&self.output, &text).with_context(|| format!("writing {}", self.output.display()))?;
        Ok(format!("{} is written: look through it before you send it\n", self.output.display()))
    }
}

/// It says who talks to whom: nobody else on this machine needs to read it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
