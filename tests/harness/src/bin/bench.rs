//! Measures, and prints one JSON object as the last line of standard output. Exit code 0 if its `ok`
//! is true. Build it with `--release`: it starts the services that were built beside it.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tributary_harness::bench;

#[derive(Parser)]
#[command(about = "Measures; one JSON object at the end")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What a cached decision costs, beside an empty call of the same size
    Access,
    /// Whether outsiders can tell a meeting that does not exist from one that refuses them
    Oracle,
    /// What an office of 1 to 100 terminals costs its network behind an edge relay, and without
    RelayBytes,
    /// The service behind the empty calls of `access`
    #[command(hide = true)]
    Floor {
        /// Where it answers.
        listen: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let report = match Arguments::parse().what {
        What::Access => bench::access::run().await,
        What::Oracle => bench::oracle::run().await,
        What::RelayBytes => bench::relay_bytes::run().await,
        What::Floor { listen } => return ended(bench::floor::serve(listen).await),
    };
    let report = report
        .unwrap_or_else(|error| serde_json::json!({"ok": false, "error": format!("{error:#}")}));
    // Whoever closed standard output does not want the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.get("ok") == Some(&true.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
