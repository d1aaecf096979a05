//! Proves by real WebRTC who hears whom: whispers, a room, two meetings.
//!
//! Progress goes to standard error; the last line of standard output is one JSON object. Exit code 0
//! if its `ok` is true.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tributary_harness::talk;

#[derive(Parser)]
#[command(about = "Who hears whom: whispers, a room, two meetings; one JSON object at the end")]
struct Arguments {
    /// How often somebody whispers while all others listen for it.
    #[arg(long, default_value_t = 200)]
    whispers: usize,
    /// How often somebody switches between two meetings.
    #[arg(long, default_value_t = 60)]
    switches: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { whispers, switches } = Arguments::parse();
    let report = match talk::run(whispers, switches).await {
        Ok(report) => report,
        Err(error) => serde_json::json!({"ok": false, "error": format!("{error:#}")}),
    };
    // Whoever closed standard output does not want the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.get("ok") == Some(&true.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
