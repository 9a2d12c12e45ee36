//! What the schema cannot say: references that lead nowhere, limits that can never be met, conditions that contradict
//! each other. Runs on a config that serde has accepted; each problem points at its place in the file.

mod channels;
mod cloudwatch;
mod deploys;
mod environment;
mod http;
mod indicators;
mod judge;
mod limits;
mod names;
mod people;
mod platforms;
mod receiving;
mod selector;
mod services;
mod sources;
mod triggers;

use std::ops::Range;

use super::problem::{Draft, Level, Report, quoted};
use super::schema::Config;
use super::spanned::{Path, Tree};
use super::suggest::choice;

pub(super) use http::address_fault;

/// Checks everything.
pub(super) fn check(config: &Config, tree: &Tree<'_>, report: &mut Report) {
    let mut checker = Checker { config, tree, report };
    environment::check(&mut checker);
    channels::check(&mut checker);
    names::check(&mut checker);
    sources::check(&mut checker);
    services::check(&mut checker);
    deploys::check(&mut checker);
    triggers::check(&mut checker);
    judge::check(&mut checker);
    people::check(&mut checker);
    receiving::check(&mut checker);
}

/// The config, the file it came from and what was found so far.
struct Checker<'a> {
    config: &'a Config,
    tree: &'a Tree<'a>,
    report: &'a mut Report,
}

impl Checker<'_> {
    /// An error about a value.
    fn error(&mut self, path: &Path, message: impl Into<String>) -> &mut Draft {
        let span = self.tree.value_span(path);
        self.report.add(Level::Error, span, path, message)
    }

    /// An error about a key, or about a thing as a whole.
    fn error_at_key(&mut self, path: &Path, message: impl Into<String>) -> &mut Draft {
        let span = self.tree.key_span(path);
        self.report.add(Level::Error, span, path, message)
    }

    /// A warning about a value.
    fn warn(&mut self, path: &Path, message: impl Into<String>) -> &mut Draft {
        let span = self.tree.value_span(path);
        self.report.add(Level::Warning, span, path, message)
    }

    /// A warning about a key, or about a thing as a whole.
    fn warn_at_key(&mut self, path: &Path, message: impl Into<String>) -> &mut Draft {
        let span = self.tree.key_span(path);
        self.report.add(Level::Warning, span, path, message)
    }

    /// Whether something is written in the file, rather than a default.
    fn is_written(&self, path: &Path) -> bool {
        self.tree.get(path).is_some()
    }

    /// Where a value is.
    fn span(&self, path: &Path) -> Range<usize> {
        self.tree.value_span(path)
    }

    /// A name that leads nowhere.
    fn unknown<'n>(
        &mut self,
        path: &Path,
        what: &str,
        name: &str,
        valid: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let hint = choice(name, &format!("{what}s"), valid)
            .unwrap_or_else(|| format!("the config has no {what} at all"));
        let message = format!("there is no {what} {}", quoted(name));
        self.error(path, message).hint(hint);
    }

    /// A time that has to be longer than nothing.
    fn positive(&mut self, path: &Path, span: crate::model::Span) -> bool {
        let fine = !span.is_zero();
        if !fine {
            let key = path.last_key().unwrap_or_default().to_owned();
            self.error(path, format!("`{key}` is zero, expected a time longer than that"))
                .hint("write a number with a unit, like `5s`");
        }
        fine
    }
}
