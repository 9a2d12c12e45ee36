//! The `unship` program: one subcommand, one run.

use std::process::ExitCode;

fn main() -> ExitCode {
    unship::cli::main()
}
