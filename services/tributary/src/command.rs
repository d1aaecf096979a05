//! The subcommands, and what of them ends before anything starts.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use tributary_service_runtime::config::ConfigArgs;

use crate::{
    config::Config,
    launch::{Role, launch},
    nats_config,
    relay::{self, Asked},
};

/// The exit code of a process whose configuration can't be used, as for flags that can't.
const EXIT_UNUSABLE: u8 = 2;

/// Meetings through relay gateways: one connection per office carries everybody in it.
#[derive(Debug, clap::Parser)]
#[command(name = "tributary", version)]
pub enum Command {
    /// Run every service in one process, on SQLite by default
    All(ConfigArgs),
    /// Run the credential service: who is who, log-in, credentials to join
    Credential(ConfigArgs),
    /// Run the meeting registry: meetings, participants, events
    MeetingRegistry(ConfigArgs),
    /// Run access control: who may enter a meeting now
    AccessControl(ConfigArgs),
    /// Run the mixer: route plans and audio tracks
    Mixer(ConfigArgs),
    /// Run a relay gateway: where terminals attach, and the web client
    RelayGateway(ConfigArgs),
    /// Run an edge relay: an office, a room or a desk on one outbound connection
    Relay(relay::Args),
    /// Print a nats-server configuration with a user and permissions for each service
    NatsConfig(nats_config::Args),
    /// Join or create a meeting without a browser
    Terminal(tributary_terminal::cli::Args),
}

impl Command {
    /// Does what was asked for.
    pub async fn run(self) -> ExitCode {
        let mut join = None;
        let (role, args) = match self {
            Self::All(args) => (Role::All, args),
            Self::Credential(args) => (Role::Credential, args),
            Self::MeetingRegistry(args) => (Role::MeetingRegistry, args),
            Self::AccessControl(args) => (Role::AccessControl, args),
            Self::Mixer(args) => (Role::Mixer, args),
            Self::RelayGateway(args) => (Role::RelayGateway, args),
            Self::Relay(args) => match args.asked() {
                Asked::Run(args, meeting) => {
                    join = meeting;
                    (Role::EdgeRelay, *args)
                }
                Asked::Question(question) => {
                    return match question.answer().await {
                        Ok(text) => print(&text),
                        Err(error) => fail(&format!("{error:#}"), 1),
                    };
                }
            },
            Self::NatsConfig(args) => {
                return match nats_config::render(&args) {
                    Ok(text) => print(&text),
                    Err(error) => fail(&format!("{error:#}"), 1),
                };
            }
            Self::Terminal(args) => {
                return match tributary_terminal::cli::run(args).await {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => fail(&format!("{error:#}"), 1),
                };
            }
        };
        let config = match Config::load(&args, role, std::env::vars()) {
            Ok(config) => config,
            Err(error) => return fail(&format!("{error:#}"), EXIT_UNUSABLE),
        };
        match args.report(&config) {
            Ok(None) => launch(role, config, join).await,
            Ok(Some(report)) => print(&report),
            Err(error) => fail(&error.to_string(), EXIT_UNUSABLE),
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 1),
    }
}

/// Says on stderr what is wrong, as there are no logs yet.
fn fail(text: &str, code: u8) -> ExitCode {
    // If that can't be said, the exit code still says it.
    let _ = writeln!(io::stderr(), "error: {text}");
    ExitCode::from(code)
}
