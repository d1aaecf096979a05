//! A meeting that already talks, behind four relays, two of them in a chain, to be opened in a browser.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tributary_harness::demo::{self, Plan};

#[derive(Parser)]
#[command(about = "A meeting that already talks, behind four relays; Ctrl-C ends it")]
struct Arguments {
    /// Where data and logs are kept.
    #[arg(long, default_value = ".demo")]
    folder: PathBuf,
    /// The port of the first relay's page, if it is free; the others have the next ones.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { folder, port } = Arguments::parse();
    match demo::run(Plan { folder, port }).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
