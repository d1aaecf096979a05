//! Proves by real WebRTC that people at four relays in a chain hear each other, and how long it takes.
//!
//! Progress goes to standard error; the last line of standard output is one JSON object. Exit code 0
//! if its `ok` is true.

use std::io::Write;
use std::process::ExitCode;

use tributary_harness::chain;

#[tokio::main]
async fn main() -> ExitCode {
    let report = match chain::run().await {
        Ok(report) => report,
        Err(error) => serde_json::json!({"ok": false, "error": format!("{error:#}")}),
    };
    // Whoever closed standard output does not want the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.get("ok") == Some(&true.into()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
