//! The one binary: every service as a subcommand, all of them in one process, and the headless
//! terminal. Nothing is printed on stdout but what was asked for; logs go to stderr.

mod command;
mod config;
mod launch;
mod nats_config;
mod relay;

use clap::Parser as _;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    // Several libraries bring a provider each, and rustls panics rather than choose. It can't be
    // set already, as nothing ran before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    command::Command::parse().run().await
}
