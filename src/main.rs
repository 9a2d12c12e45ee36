//! The `unship` program: one subcommand, one run.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    unship::cli::main().await
}
