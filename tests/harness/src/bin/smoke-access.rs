//! Proves, with every service as a process of its own, who may enter and who may look.
//!
//! Progress goes to standard error; the last line of standard output is one JSON object. Exit code 0
//! if its `ok` is true.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tributary_harness::access;

#[derive(Parser)]
#[command(about = "Who may enter a meeting and who may look at it; one JSON object at the end")]
struct Arguments {
    /// Run only flows whose names contain this.
    #[arg(default_value = "")]
    only: String,
    /// Keep data and logs in this folder, which is best a new one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { only, folder } = Arguments::parse();
    let report = match access::run(&only, folder).await {
        Ok(report) => report,
        Err(error) => serde_json::json!({"ok": false, "error": format!("{error:#}")}),
    };
    // Whoever closed standard output does not want the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.get("ok") == Some(&true.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
