//! The command line: one file a subcommand. A subcommand talks to the engine (or, for `config`, to the config); it never
//! calls an adapter.

pub mod config;
pub mod exit;

use std::path::PathBuf;

pub use exit::Exit;

/// Options that every subcommand takes.
#[derive(clap::Args, Clone, Debug)]
pub struct Global {
    /// The config file.
    #[arg(
        long,
        short,
        global = true,
        env = "UNSHIP_CONFIG",
        default_value = "unship.toml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// Who you are in the journal; without it your login name.
    #[arg(long = "as", global = true, env = "UNSHIP_AS", value_name = "NAME")]
    pub name: Option<String>,
}
