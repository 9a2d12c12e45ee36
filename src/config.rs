//! `unship.toml`: one file describes one environment.
//!
//! [`schema`] says what may be in it. What a trigger or a probe *is* lives in [`crate::model`].
//!
//! A file is read in four steps, and each says everything that it finds: the text as TOML (`syntax`), the tree against
//! the JSON Schema of the types (`walk`), serde, and what no schema can say (`check`). Every [`Problem`] has its place in
//! the file and a way to mend it; none ever repeats a secret.

mod check;
mod load;
mod problem;
pub mod runbooks;
pub mod scaffold;
pub mod schema;
mod secrets;
mod shape;
mod spanned;
mod suggest;
mod syntax;
pub mod templates;
mod themes;
mod walk;

/// What other TOML files are read with, so that their mistakes are told in the same way.
pub(crate) mod positions {
    pub(crate) use super::problem::{Draft, Report, Source, quoted};
    pub(crate) use super::spanned::{Path, integer};
    pub(crate) use super::suggest::choice;
    pub(crate) use super::syntax::parse;
}

pub use load::{ConfigError, Loaded, MissingSecrets, load, load_alone, load_with, parse};
pub use problem::{Level, Problem, render};
pub use runbooks::RunbookText;
pub use schema::Config;
pub use shape::json_schema;
pub use themes::{THEMES, is_theme_name, theme_dirs, theme_file};
