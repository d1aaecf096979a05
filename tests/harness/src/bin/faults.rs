//! Makes faults and looks at what they do. Progress goes to standard error; the last line of standard
//! output is one JSON object. Exit code 0 if its `ok` is true.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tributary_harness::faults::{evil_edge, evil_relay, operations, uplink, uplink_loss};

#[derive(Parser)]
#[command(about = "Faults, and what must hold all the same; one JSON object at the end")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Processes are killed while people do things: nothing is lost, doubled, missed or out of order
    Operations {
        /// From which all choices are made.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many things are done, at least.
        #[arg(long, default_value_t = 10_000)]
        operations: usize,
        /// In so many meetings.
        #[arg(long, default_value_t = 20)]
        meetings: usize,
        /// Each kind of process is killed so often.
        #[arg(long, default_value_t = 2)]
        rounds: usize,
    },
    /// A relay replays, edits, reorders and invents: nothing comes of it
    EvilRelay {
        /// From which all choices are made.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A relay that attaches to another lies, replays, floods and never reads: nothing comes of it
    EvilEdge {
        /// From which all choices are made.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// An office's uplink is cut for 10 s, then flaps: nothing is lost, nothing old is played
    Uplink {
        /// Let it flap four times only.
        #[arg(long)]
        short: bool,
    },
    /// An office of 100 on an uplink of 2 Mbit/s that loses 1 % of its packets
    UplinkLoss,
    /// The terminals of `operations`, in a process that can be killed
    #[command(hide = true)]
    Attendees {
        /// A file that says who sits where.
        plan: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let report = match Arguments::parse().what {
        What::Operations { seed, operations, meetings, rounds } => {
            operations::run(operations::Demand { seed, operations, meetings, rounds }).await
        }
        What::EvilRelay { seed } => evil_relay::run(seed).await,
        What::EvilEdge { seed } => evil_edge::run(seed).await,
        What::Uplink { short } => uplink::run(short).await,
        What::UplinkLoss => uplink_loss::run().await,
        What::Attendees { plan } => return attended(attend(plan).await),
    };
    let report = report
        .unwrap_or_else(|error| serde_json::json!({"ok": false, "error": format!("{error:#}")}));
    // Whoever closed standard output does not want the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.get("ok") == Some(&true.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn attend(plan: PathBuf) -> Result<()> {
    let plan = std::fs::read(&plan).with_context(|| format!("read {}", plan.display()))?;
    operations::attendees::attend(serde_json::from_slice(&plan).context("read the plan")?).await
}

fn attended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}
