//! The process of an office: obeys on standard input, answers on standard output.

use std::process::ExitCode;

use tributary_harness::office;

#[tokio::main]
async fn main() -> ExitCode {
    match office::serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("office: {error:#}");
            ExitCode::FAILURE
        }
    }
}
