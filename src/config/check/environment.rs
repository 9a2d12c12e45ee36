//! The environment, the journal, guardrails, rollback and people.

use super::Checker;
use crate::config::schema::Role;
use crate::config::spanned::{Path, place};
use crate::model::Span;
use crate::model::source::SourceSpec;
use crate::model::units::human;

/// Checks all of it.
pub(super) fn check(checker: &mut Checker<'_>) {
    let environment = &checker.config.environment;
    if environment.name.trim().is_empty() || environment.name.chars().any(char::is_control) {
        checker
            .error(&place!["environment", "name"], "the environment has no name that can be shown")
            .hint("write how people call it, like `production`");
    }
    store(checker);
    guardrails(checker);
    rollback(checker);
    operators(checker);
}

fn store(checker: &mut Checker<'_>) {
    let store = &checker.config.store;
    if store.path.trim().is_empty() {
        checker.error(&place!["store", "path"], "`path` is empty").hint("name a file, like `unship.db`");
    }
    if store.lease < Span::secs(1) {
        checker
            .error(
                &place!["store", "lease"],
                format!("`lease` is {}, expected at least 1 s", human(*store.lease)),
            )
            .hint("a shorter lease is lost whenever the machine is busy; 10s is a good start");
    }
    checker.positive(&place!["store", "retention"], store.retention);
}

fn guardrails(checker: &mut Checker<'_>) {
    let config = checker.config;
    let guardrails = &config.guardrails;
    let at = place!["guardrails"];
    if guardrails.maximum == 0 {
        checker
            .warn(&at.then("maximum"), "`maximum` is 0: no rollback passes without an override")
            .hint("to forbid automatic rollbacks, say `automatic = false` in `[environment]`");
    }
    if checker.positive(&at.then("stale_after"), guardrails.stale_after) {
        let mut slow: Option<(Span, String)> = None;
        let mut consider = |interval: Span, what: String| {
            if interval >= guardrails.stale_after && slow.as_ref().is_none_or(|(most, _)| interval > *most) {
                slow = Some((interval, what));
            }
        };
        for (name, source) in &config.sources {
            let oldest = source.oldest();
            consider(
                oldest,
                match source {
                    SourceSpec::Cloudwatch(_) => {
                        format!(
                            "those of the source `{name}` are up to {} old when all is well",
                            human(*oldest)
                        )
                    }
                    _ => format!("the source `{name}` is read every {}", human(*oldest)),
                },
            );
        }
        for (service, spec) in &config.services {
            for (probe, spec) in &spec.probes {
                let every = human(*spec.interval);
                consider(spec.interval, format!("the probe `{probe}` of `{service}` is read every {every}"));
            }
        }
        if let Some((interval, what)) = slow {
            checker
                .warn(
                    &at.then("stale_after"),
                    format!("data are too old after {}, but {what}", human(*guardrails.stale_after)),
                )
                .hint(format!("make `stale_after` longer than two readings: `{}`", twice(interval)));
        }
    }
    for (index, freeze) in guardrails.freeze.iter().enumerate() {
        if freeze.from >= freeze.to {
            checker
                .error(&at.then("freeze").then(index).then("to"), "the freeze ends before it begins")
                .hint(format!("`to` has to be later than `from`, which is {}", freeze.from));
        }
        if freeze.reason.trim().is_empty() {
            checker
                .warn(&at.then("freeze").then(index).then("reason"), "the freeze has no reason")
                .hint("say why, for the person who runs into it at night");
        }
    }
}

/// Twice a time, as people write it.
pub(super) fn twice(span: Span) -> Span {
    Span(span.saturating_mul(2))
}

fn rollback(checker: &mut Checker<'_>) {
    let rollback = &checker.config.rollback;
    let at = place!["rollback"];
    checker.positive(&at.then("read_every"), rollback.read_every);
    checker.positive(&at.then("step_timeout"), rollback.step_timeout);
    let deadline = checker.positive(&at.then("verify_deadline"), rollback.verify_deadline);
    if deadline && rollback.verify_hold >= rollback.verify_deadline {
        let key = if checker.is_written(&at.then("verify_hold")) { "verify_hold" } else { "verify_deadline" };
        checker
            .error(
                &at.then(key),
                format!(
                    "a rollback can never be verified: it has to be healthy for {} and is given up after {}",
                    human(*rollback.verify_hold),
                    human(*rollback.verify_deadline)
                ),
            )
            .hint("make `verify_deadline` several times `verify_hold`");
    }
    if rollback.step_timeout < rollback.read_every {
        checker
            .warn(
                &at.then("step_timeout"),
                format!(
                    "a step is given up after {}, but the platform is read only every {}",
                    human(*rollback.step_timeout),
                    human(*rollback.read_every)
                ),
            )
            .hint("make `step_timeout` longer than `read_every`");
    }
}

fn operators(checker: &mut Checker<'_>) {
    let operators = &checker.config.operators;
    if !operators.is_empty() && operators.values().all(|operator| operator.role == Role::Observer) {
        checker
            .warn_at_key(&place!["operators"], "every operator is an observer: nobody may act")
            .hint("give someone `role = \"operator\"`");
    }
}

impl Checker<'_> {
    /// Says that an answer may come later than the next question.
    pub(super) fn timeout_warning(&mut self, at: &Path, timeout: Span, interval: Span) {
        // Below a second a turn that is left out is no loss.
        if *timeout <= (*interval).max(std::time::Duration::from_secs(1)) {
            return;
        }
        // The one of the two that somebody wrote is the one to change.
        let key = if self.is_written(&at.then("timeout")) { "timeout" } else { "interval" };
        self.warn(
            &at.then(key),
            format!("`timeout` is {}, longer than `interval`, {}", human(*timeout), human(*interval)),
        )
        .hint("checks that hang will be late or left out; make `timeout` the shorter one");
    }

    /// A body of nothing says nothing.
    pub(super) fn body_limit(&mut self, path: &Path, bytes: u64) {
        if bytes == 0 {
            self.error(path, "`max_body` is 0: every answer would be too large")
                .hint("write a number of bytes, like 262144");
        }
    }
}
