//! What platforms say during steps, on its way to the view.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::model::OperationId;
use crate::model::output::{Figure, LINE_LIMIT, LINES_KEPT, OPERATIONS_KEPT, OutputLine};
use crate::model::secret::Secrets;
use crate::platform::Progress;

use super::now;

/// The newest lines of each of the newest operations, oldest first.
pub type Output = BTreeMap<OperationId, Arc<VecDeque<OutputLine>>>;

/// Lines on their way at most; a program that says more in a moment than anybody could read loses some.
pub(super) const ON_THE_WAY: usize = 1_024;

/// Where the output of one step goes.
#[derive(Clone)]
pub(super) struct Listener {
    to: mpsc::Sender<(OperationId, OutputLine)>,
    secrets: Arc<Secrets>,
    operation: OperationId,
    step: usize,
}

impl Listener {
    pub(super) const fn new(
        to: mpsc::Sender<(OperationId, OutputLine)>,
        secrets: Arc<Secrets>,
        operation: OperationId,
        step: usize,
    ) -> Self {
        Self { to, secrets, operation, step }
    }

    /// Takes a line, with what it tells of.
    pub(super) fn say(&self, text: &str, figure: Option<Figure>) {
        let safe = |text: &str| {
            let mut text = self.secrets.redact(text);
            text.truncate(text.floor_char_boundary(LINE_LIMIT));
            text
        };
        let figure = figure.map(|figure| figure.map_text(safe));
        let line = OutputLine { at: now(), step: self.step, text: safe(text), figure };
        // Acting does not wait for whoever watches.
        let _ = self.to.try_send((self.operation.clone(), line));
    }

    /// What an adapter is given to speak into.
    pub(super) fn progress(self) -> Progress {
        Progress::new(move |text: &str| self.say(text, None))
    }
}

/// Adds lines and lets the oldest go.
pub(super) fn add(output: &mut Output, lines: impl IntoIterator<Item = (OperationId, OutputLine)>) {
    for (operation, line) in lines {
        let lines = Arc::make_mut(output.entry(operation).or_default());
        lines.push_back(line);
        if lines.len() > LINES_KEPT {
            lines.pop_front();
        }
    }
    while output.len() > OPERATIONS_KEPT {
        let last = |lines: &VecDeque<OutputLine>| lines.back().map(|line| line.at);
        let oldest =
            output.iter().min_by_key(|(_, lines)| last(lines)).map(|(operation, _)| operation.clone());
        let Some(oldest) = oldest else { return };
        output.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;
    use crate::model::validation::{Trial, TrialOutcome};

    /// What is said is kept with its step, without secrets, cut where it is too long, and never waited for.
    #[test]
    fn what_is_said_is_kept() {
        let mut secrets = Secrets::default();
        secrets.insert("env:TOKEN".parse().unwrap(), Secret::new("hunter2hunter2"));
        let (to, mut from) = mpsc::channel(3);
        let listener = Listener::new(to, Arc::new(secrets), "op-1".into(), 2);
        let (name, detail) = ("login".to_owned(), "as hunter2hunter2".to_owned());
        let trial = Trial { name, outcome: TrialOutcome::Failed, took_ms: 4.0, detail };
        listener.say("with hunter2hunter2", Some(Figure::Trial(trial)));
        let progress = listener.progress();
        progress.line(&"ä".repeat(LINE_LIMIT));
        for _ in 0..5 {
            progress.line("more");
        }
        let mut output = Output::new();
        add(&mut output, std::iter::from_fn(|| from.try_recv().ok()));
        let lines = &output[&OperationId::from("op-1")];
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].step, lines[0].text.as_str()), (2, "with [redacted]"));
        assert!(matches!(&lines[0].figure, Some(Figure::Trial(trial)) if trial.detail == "as [redacted]"));
        assert_eq!(lines[1].text, "ä".repeat(LINE_LIMIT / 2));
    }

    /// However much is said, so much is kept and no more: the newest.
    #[test]
    fn the_newest_is_kept() {
        let line = |second: i64| OutputLine {
            at: jiff::Timestamp::from_second(second).unwrap(),
            step: 0,
            text: second.to_string(),
            figure: None,
        };
        let mut output = Output::new();
        for operation in 0..30 {
            let id = OperationId::from(format!("op-{operation}"));
            add(&mut output, (0..300).map(|number| (id.clone(), line(operation * 1_000 + number))));
        }
        assert_eq!(output.len(), OPERATIONS_KEPT);
        assert!(
            output.contains_key(&OperationId::from("op-29"))
                && !output.contains_key(&OperationId::from("op-9"))
        );
        let lines = &output[&OperationId::from("op-10")];
        assert_eq!((lines.len(), lines[0].text.as_str()), (LINES_KEPT, "10100"));
    }
}
