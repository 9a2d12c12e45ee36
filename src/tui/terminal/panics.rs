//! A panic while the console has the terminal. The person gets the terminal back, the message on it, and where the
//! log is.
//!
//! A panic of the thread that took the terminal ends the program, so its terminal is given back before the message is
//! printed. One of any other task may be contained, as the engine does with an adapter's, and must not write into the
//! picture: it is kept, told to the loop, and printed when the terminal is given back.

use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::Notify;

use super::device::{give_back, is_taken};

/// The code with which Rust ends a program that panicked.
pub const PANICKED: u8 = 101;

static HOOK: Once = Once::new();
static KEPT: Mutex<Kept> = Mutex::new(Kept { owner: None, log: None, told: 0, messages: Vec::new() });
static NEWS: Notify = Notify::const_new();

/// The most messages that are kept. A task that panics again and again has said all by then; the log has the rest.
const MOST: usize = 8;

struct Kept {
    /// The thread that took the terminal.
    owner: Option<ThreadId>,
    /// Where the log files are.
    log: Option<PathBuf>,
    /// How many of the messages the loop knows.
    told: usize,
    messages: Vec<String>,
}

fn kept<T>(with: impl FnOnce(&mut Kept) -> T) -> T {
    with(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Has panics of this thread give the terminal back. To be called before it is taken.
pub(super) fn guard(log: Option<PathBuf>) {
    kept(|kept| {
        kept.owner = Some(thread::current().id());
        kept.log = log;
    });
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_taken() && kept(|kept| kept.owner) != Some(thread::current().id()) {
                keep(info);
            } else if is_taken() {
                give_back();
                before(info);
                say_where_the_log_is();
                tracing::error!("{info}");
            } else {
                before(info);
                tracing::error!("{info}");
            }
        }));
    });
}

fn keep(info: &PanicHookInfo<'_>) {
    let message = info.to_string();
    tracing::error!("{message}");
    kept(|kept| {
        if kept.messages.len() < MOST {
            kept.messages.push(message);
        }
    });
    NEWS.notify_one();
}

/// Waits for a panic of another thread.
pub(super) async fn elsewhere() -> String {
    loop {
        let message = kept(|kept| {
            let message = kept.messages.get(kept.told).cloned();
            kept.told += usize::from(message.is_some());
            message
        });
        match message {
            Some(message) => return message,
            None => NEWS.notified().await,
        }
    }
}

/// Prints what was kept, once the terminal is given back.
pub(super) fn print() {
    let messages = kept(|kept| {
        kept.told = 0;
        std::mem::take(&mut kept.messages)
    });
    for message in &messages {
        // A terminal that is gone takes no message.
        let _ = writeln!(io::stderr(), "{message}");
    }
    if !messages.is_empty() {
        say_where_the_log_is();
    }
}

fn say_where_the_log_is() {
    let _ = match kept(|kept| kept.log.clone()) {
        Some(log) => writeln!(io::stderr(), "this is a bug in unship; the log is in `{}`", log.display()),
        None => writeln!(io::stderr(), "this is a bug in unship; there is no log"),
    };
}
