//! `unship logs`: what a service writes, from wherever its platform keeps it.

use jiff::Timestamp;

use super::output::note;
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::World;
use crate::engine::runtime::platforms;
use crate::model::Span;
use crate::model::output::escape_but_tabs;
use crate::model::platform::{LogLine, LogQuery};

/// Show what a service writes, and go on with what comes.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The service.
    service: String,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines to begin with, of each instance where the platform keeps them apart.
    #[arg(long, short = 'n', default_value_t = 100, value_name = "LINES")]
    tail: u32,
    /// Only lines of this long ago and newer, like `10m`.
    #[arg(long, value_name = "DURATION")]
    since: Option<Span>,
    /// Only the instances of the release that the platform calls so, where it can tell them apart.
    #[arg(long, value_name = "REFERENCE")]
    release: Option<String>,
}

/// Exit codes: 0 the log was shown, 6 there is none or it cannot be read.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let query = LogQuery {
        tail: args.tail,
        since: args.since.and_then(|since| Timestamp::now().checked_sub(*since).ok()),
        follow: args.follow,
        release: args.release.as_deref().map(Into::into),
    };
    let mut log = match platforms::log(&world, &args.service.as_str().into(), query) {
        Ok(log) => log,
        Err(reason) => {
            note!("{reason}");
            return Ok(Exit::Unknown);
        }
    };
    loop {
        let next = tokio::select! {
            next = log.next() => next,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Fine),
        };
        match next {
            Ok(lines) if lines.is_empty() => return Ok(Exit::Fine),
            Ok(lines) => {
                for line in lines {
                    let shown = if global.json { serde_json::to_string(&line)? } else { shown(&line) };
                    // A reader that is gone ends it.
                    if writes(&shown).is_err() {
                        return Ok(Exit::Fine);
                    }
                }
            }
            Err(reason) => {
                note!("{reason}");
                return Ok(Exit::Unknown);
            }
        }
    }
}

fn writes(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{line}")
}

/// A line for a terminal: nothing in it may move the cursor or colour the rest.
fn shown(line: &LogLine) -> String {
    let mut text = String::new();
    if let Some(at) = line.at {
        text.push_str(&at.strftime("%H:%M:%S%.3f ").to_string());
    }
    if !line.instance.is_empty() {
        text.push_str(&line.instance);
        text.push(' ');
    }
    text.push_str(&escape_but_tabs(&line.text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a service writes cannot act upon the terminal that shows it.
    #[test]
    fn a_line_is_only_a_line() {
        let line = LogLine {
            at: Some("2026-11-20T10:00:00.5Z".parse().unwrap()),
            instance: "web-1".to_owned(),
            text: "a\tb\u{1b}[2J\u{202e}c".to_owned(),
        };
        assert_eq!(shown(&line), "10:00:00.500 web-1 a\tb\\u{1b}[2J\\u{202e}c");
        let bare = LogLine { at: None, instance: String::new(), text: "x".to_owned() };
        assert_eq!(shown(&bare), "x");
    }
}
