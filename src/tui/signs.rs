//! Every state as the screen says it: a symbol, a word and a meaning, so that it is understood without colour and without
//! symbols alike.

use ratatui::text::Span;

use super::glyphs::Glyphs;
use super::roster::Condition;
use super::theme::Tone;
use super::widgets::Look;
use crate::engine::account::Mood;
use crate::model::decision::{GuardrailCheck, Recommendation};
use crate::model::joint::PartState;
use crate::model::operation::{Operation, OperationStatus, Outcome, StepState};
use crate::model::probe::{Health, ProbeOutcome};
use crate::model::release::Quality;
use crate::model::trigger::{Severity, Status};
use crate::model::validation::TrialOutcome;

/// A state: symbol, word, meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sign {
    /// One column wide.
    pub symbol: &'static str,
    /// In a word or two.
    pub word: &'static str,
    /// What it looks like.
    pub tone: Tone,
}

impl Sign {
    const fn new(symbol: &'static str, word: &'static str, tone: Tone) -> Self {
        Self { symbol, word, tone }
    }

    /// The symbol alone.
    pub fn mark(self, look: Look<'_>) -> Span<'static> {
        Span::styled(self.symbol, look.style(self.tone))
    }

    /// Symbol and word.
    pub fn span(self, look: Look<'_>) -> Span<'static> {
        self.saying(look, self.word)
    }

    /// The symbol with other words.
    pub fn saying(self, look: Look<'_>, words: &str) -> Span<'static> {
        Span::styled(format!("{} {words}", self.symbol), look.style(self.tone))
    }

    /// How a service or an arm is doing.
    pub const fn condition(condition: Condition, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match condition {
            Condition::Failing => (glyphs.fail, Tone::Fail),
            Condition::Degraded => (glyphs.warn, Tone::Warn),
            Condition::Unknown => (glyphs.unknown, Tone::Unknown),
            Condition::Healthy => (glyphs.ok, Tone::Ok),
        };
        Self::new(symbol, condition.word(), tone)
    }

    /// Whether something that happened is good or bad news.
    pub const fn mood(mood: Mood, glyphs: &Glyphs) -> Self {
        let (symbol, word, tone) = match mood {
            Mood::Plain => (glyphs.separator, "", Tone::Text),
            Mood::Acts => (glyphs.running, "acts", Tone::Accent),
            Mood::Good => (glyphs.ticked, "good", Tone::Ok),
            Mood::Wary => (glyphs.warn, "wary", Tone::Warn),
            Mood::Bad => (glyphs.fail, "bad", Tone::Fail),
            Mood::Unknown => (glyphs.unknown, "unknown", Tone::Unknown),
        };
        Self::new(symbol, word, tone)
    }

    /// What a release is worth.
    pub const fn quality(quality: Quality, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match quality {
            Quality::Good => (glyphs.ok, Tone::Good),
            Quality::Bad => (glyphs.fail, Tone::Bad),
            Quality::Unknown => (glyphs.unknown, Tone::Unknown),
        };
        Self::new(symbol, quality.word(), tone)
    }

    /// What is recommended. The words are those of the recommendation.
    pub const fn recommendation(recommendation: Recommendation, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match recommendation {
            Recommendation::Watch => (glyphs.ok, Tone::Ok),
            Recommendation::Hold | Recommendation::ScaleOut => (glyphs.warn, Tone::Warn),
            Recommendation::RollBackGradually | Recommendation::RollBackImmediately => {
                (glyphs.fail, Tone::Fail)
            }
        };
        Self::new(symbol, recommendation.words(), tone)
    }

    /// Where a part of a joint operation stands.
    pub const fn part(state: &PartState, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match state {
            PartState::Waiting => (glyphs.open, Tone::Dim),
            PartState::Running { .. } | PartState::GoingBack { .. } => (glyphs.running, Tone::Accent),
            PartState::Done { .. } => (glyphs.ticked, Tone::Ok),
            PartState::Back { .. } => (glyphs.ticked, Tone::Warn),
            PartState::Failed { .. } | PartState::NotBack { .. } => (glyphs.failed, Tone::Fail),
        };
        Self::new(symbol, state.word(), tone)
    }

    /// How bad a finding is.
    pub const fn severity(severity: Severity, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match severity {
            Severity::Low | Severity::Medium => (glyphs.warn, Tone::Warn),
            Severity::High | Severity::Critical => (glyphs.fail, Tone::Fail),
        };
        Self::new(symbol, severity.word(), tone)
    }

    /// Whether a guardrail lets an action pass.
    pub const fn guardrail(check: &GuardrailCheck, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match (check.passes, &check.overridden) {
            (true, _) => (glyphs.ticked, Tone::Ok),
            (false, None) => (glyphs.fail, Tone::Fail),
            (false, Some(_)) => (glyphs.warn, Tone::Warn),
        };
        Self::new(symbol, crate::engine::evidence::answer(check), tone)
    }

    /// Where a trigger stands, without its times.
    pub const fn status(status: &Status, glyphs: &Glyphs) -> Self {
        match status {
            Status::Ok => Self::new(glyphs.ok, "within", Tone::Ok),
            Status::Pending { .. } => Self::new(glyphs.warn, "beyond", Tone::Warn),
            Status::Breach { .. } => Self::new(glyphs.fail, "holds", Tone::Fail),
            Status::Unknown { .. } => Self::new(glyphs.unknown, "unknown", Tone::Unknown),
        }
    }

    /// What a probe's answer means.
    pub const fn probe(outcome: &ProbeOutcome, glyphs: &Glyphs) -> Self {
        match outcome {
            ProbeOutcome::Answered { health, .. } => Self::health(*health, glyphs),
            ProbeOutcome::NotRun { .. } => Self::new(glyphs.unknown, "not run", Tone::Unknown),
        }
    }

    /// What a service says of itself or of a dependency.
    pub const fn health(health: Health, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match health {
            Health::Healthy => (glyphs.ok, Tone::Ok),
            Health::Degraded => (glyphs.warn, Tone::Warn),
            Health::Unhealthy => (glyphs.fail, Tone::Fail),
        };
        Self::new(symbol, health.word(), tone)
    }

    /// Where a step stands.
    pub const fn step(step: &StepState, glyphs: &Glyphs) -> Self {
        match step {
            StepState::Pending => Self::new(glyphs.open, "not begun", Tone::Dim),
            StepState::Started { .. } => Self::new(glyphs.running, "under way", Tone::Accent),
            StepState::Waiting { .. } => Self::new(glyphs.warn, "tried again", Tone::Warn),
            StepState::Succeeded { adopted: false, .. } => Self::new(glyphs.ticked, "done", Tone::Ok),
            StepState::Succeeded { adopted: true, .. } => Self::new(glyphs.ticked, "found done", Tone::Ok),
            StepState::Failed { .. } => Self::new(glyphs.failed, "failed", Tone::Fail),
            StepState::Skipped { .. } => Self::new(glyphs.skipped, "skipped", Tone::Dim),
            StepState::Unknown { .. } => Self::new(glyphs.unknown, "unknown", Tone::Unknown),
        }
    }

    /// How a check or a test ended.
    pub const fn trial(outcome: TrialOutcome, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match outcome {
            TrialOutcome::Passed => (glyphs.ticked, Tone::Ok),
            TrialOutcome::Warned => (glyphs.warn, Tone::Warn),
            TrialOutcome::Failed => (glyphs.failed, Tone::Fail),
            TrialOutcome::NotRun => (glyphs.unknown, Tone::Unknown),
        };
        Self::new(symbol, outcome.word(), tone)
    }

    /// How an operation ended.
    pub const fn outcome(outcome: Outcome, glyphs: &Glyphs) -> Self {
        let (symbol, tone) = match outcome {
            Outcome::Verified => (glyphs.ticked, Tone::Ok),
            Outcome::Unverified => (glyphs.unknown, Tone::Unknown),
            Outcome::Cancelled => (glyphs.skipped, Tone::Warn),
            Outcome::NotRecovered | Outcome::Failed => (glyphs.failed, Tone::Fail),
        };
        Self::new(symbol, outcome.words(), tone)
    }

    /// Where an operation stands.
    pub const fn operation(operation: &Operation, glyphs: &Glyphs) -> Self {
        match &operation.status {
            OperationStatus::NeedsDecision { .. } => {
                Self::new(glyphs.unknown, "NEEDS A DECISION", Tone::Fail)
            }
            OperationStatus::Ended { outcome, .. } => Self::outcome(*outcome, glyphs),
            _ if operation.paused.is_some() => Self::new(glyphs.warn, "paused", Tone::Warn),
            _ if operation.cancelling => Self::new(glyphs.warn, "being stopped", Tone::Warn),
            OperationStatus::Planned => Self::new(glyphs.open, "planned", Tone::Accent),
            OperationStatus::Running => Self::new(glyphs.running, "under way", Tone::Accent),
        }
    }
}
