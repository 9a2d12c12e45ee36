//! A notice on the desktop of this machine, by `notify-send`. Nobody may be sitting there, so it is best effort and what is
//! shown never counts as accepted: that is the engine's to know, from the channel's kind.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::time::timeout;

use super::text::shorten;
use super::{Accepted, Channel, SendError};
use crate::model::notification::Notification;
use crate::model::trigger::Severity;

/// Time for the program; it only hands the notice on.
const PATIENCE: Duration = Duration::from_secs(10);
/// More is not shown by any desktop.
const TEXT: usize = 1_000;

/// The desktop.
#[derive(Debug)]
pub struct Desktop {
    program: &'static str,
}

impl Default for Desktop {
    fn default() -> Self {
        Self { program: "notify-send" }
    }
}

#[async_trait]
impl Channel for Desktop {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let failed = |what: String| SendError::message(format!("{}: {what}", self.program));
        let urgency = if notification.severity >= Severity::High { "critical" } else { "normal" };
        let mut command = Command::new(self.program);
        command
            .args(["--app-name", "unship", "--urgency", urgency, "--"])
            .arg(shorten(&plain(&notification.heading()), TEXT))
            .arg(shorten(&escape(&plain(&notification.marked_text())), TEXT))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        match timeout(PATIENCE, command.status()).await {
            Ok(Ok(status)) if status.success() => Ok(Accepted::default()),
            Ok(Ok(status)) => Err(failed(format!("ended with {status}; is there a desktop?"))),
            Ok(Err(error)) => Err(failed(format!("cannot be started: {error}; install libnotify"))),
            Err(_) => Err(failed(format!("did not end within {} s", PATIENCE.as_secs()))),
        }
    }

    fn host(&self) -> String {
        "this machine".to_owned()
    }
}

/// A NUL cannot be an argument, and nothing else that steers a terminal is of use.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// Desktops read a little markup in the text: <https://specifications.freedesktop.org/notification-spec/latest/markup.html>.
fn escape(text: &str) -> String {
    super::text::slack(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;

    /// A machine without the program says so once and for all; nothing waits for it.
    #[tokio::test]
    async fn a_missing_program_is_named() {
        let desktop = Desktop { program: "unship-no-such-program" };
        let error = desktop.send(&notification()).await.unwrap_err();
        assert!(
            matches!(&error, SendError::Permanent { reason, .. } if reason.contains("install libnotify")),
            "{error}"
        );
    }

    /// A program that says no, and one that says yes, are told apart.
    #[tokio::test]
    async fn the_programs_word_is_heard() {
        assert!(Desktop { program: "true" }.send(&notification()).await.is_ok());
        let error = Desktop { program: "false" }.send(&notification()).await.unwrap_err();
        assert!(error.to_string().contains("is there a desktop?"), "{error}");
    }

    /// Text from outside is neither markup nor an option.
    #[test]
    fn text_is_text() {
        assert_eq!(escape(&plain("<b>\u{1b}[1m\0x</b>\ny")), "&lt;b&gt;[1mx&lt;/b&gt;\ny");
    }
}
