//! Message templates: what people are told, in words that a team can make its own.
//!
//! Pure. A template is a Markdown file with an optional front matter that holds its subject. Which placeholders there are is
//! known for each kind, so an unknown one is an error when the config is loaded and not an empty place in an outage.
//! What the placeholders stand for is filled in by whoever sends.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

pub use read::Fault;

/// The longest text that a template may give, in characters.
pub const LONGEST: usize = 20_000;

/// What a message is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A rollback has begun.
    RollbackStarted,
    /// Something is slower, or fails more often, than it should, and is watched.
    PerformanceDegraded,
    /// How an incident stands, for those who wait.
    Update,
    /// An incident is over.
    Resolved,
    /// Somebody has to answer.
    Escalation,
    /// A person has to decide before it goes on.
    Approval,
}

/// A placeholder and what it stands for.
pub type Placeholder = (&'static str, &'static str);

const COMMON: &[Placeholder] = &[
    ("environment", "the environment"),
    ("time", "when the message was written, in UTC"),
    ("drill", "whether it is a drill"),
];

const ROLLBACK_STARTED: &[Placeholder] = &[
    ("service", "the service"),
    ("reason", "why"),
    ("status", "where it stands: `step 1 of 4: shift traffic`"),
    ("expected_end", "when it should be over by what earlier ones took; empty where there were none"),
    ("actions_taken", "what was done already, a list"),
    ("next_steps", "what is to be done, a list"),
    ("from", "the version that it leaves"),
    ("to", "the version that it returns to"),
    ("operation", "the operation's id"),
    ("by", "who began it"),
    ("strategy", "immediate, gradual or emergency"),
];

const PERFORMANCE_DEGRADED: &[Placeholder] = &[
    ("service", "the service"),
    ("metric", "what is measured: `p95 of latency over 30 s`"),
    ("value", "its value now"),
    ("threshold", "its limit"),
    ("duration", "for how long it has been beyond it"),
    ("remediation", "what unship does about it"),
    ("impact", "which arm of the service is affected, and how severe that is"),
    ("dashboard", "the link of the service's dashboard; empty where the config has none"),
    ("findings", "all findings, a list"),
];

const UPDATE: &[Placeholder] = &[
    ("incident", "the incident's id"),
    ("title", "what is wrong, in a few words"),
    ("severity", "SEV1 to SEV4"),
    ("status", "where it stands: `mitigating`"),
    ("services", "the services that are hurt, with commas between them"),
    ("since", "when it was declared, in UTC"),
    ("lasted", "how long it has been going on"),
    ("known", "what is known: the reason it was declared for, and what is seen now, a list"),
    ("impact", "the figures that are beyond their limits, a list"),
    ("actions", "what is being or was done, a list"),
    ("commander", "who decides; empty where nobody does"),
    ("next_update", "when the next message is promised, in UTC; empty where none is"),
];

const RESOLVED: &[Placeholder] = &[
    ("incident", "the incident's id"),
    ("title", "what was wrong, in a few words"),
    ("severity", "SEV1 to SEV4"),
    ("status", "resolved, false alarm, merged"),
    ("services", "the services that were hurt, with commas between them"),
    ("lasted", "how long it went on"),
    ("reason", "what ended it"),
    ("by", "who says so"),
    ("actions", "what was done, a list"),
];

const ESCALATION: &[Placeholder] = &[
    ("incident", "the incident's id"),
    ("title", "what is wrong, in a few words"),
    ("severity", "SEV1 to SEV4"),
    ("services", "the services that are hurt, with commas between them"),
    ("reason", "what it was declared for"),
    ("who", "whom it is told"),
    ("policy", "the policy"),
    ("level", "the level, from 1"),
    ("why", "why it is told now, where it is not only its turn; else empty"),
    ("answer", "the command line that answers"),
];

const APPROVAL: &[Placeholder] = &[
    ("service", "the service"),
    ("operation", "the operation's id"),
    ("what", "what is being done"),
    ("facts", "what is known"),
    ("by", "who began it"),
    ("answer", "the command line that decides"),
];

impl Kind {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::RollbackStarted,
        Self::PerformanceDegraded,
        Self::Update,
        Self::Resolved,
        Self::Escalation,
        Self::Approval,
    ];

    /// Its name, in the config and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RollbackStarted => "rollback-started",
            Self::PerformanceDegraded => "performance-degraded",
            Self::Update => "update",
            Self::Resolved => "resolved",
            Self::Escalation => "escalation",
            Self::Approval => "approval",
        }
    }

    /// The kind of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The text that is built in.
    pub const fn built_in(self) -> &'static str {
        match self {
            Self::RollbackStarted => include_str!("templates/rollback-started.md"),
            Self::PerformanceDegraded => include_str!("templates/performance-degraded.md"),
            Self::Update => include_str!("templates/update.md"),
            Self::Resolved => include_str!("templates/resolved.md"),
            Self::Escalation => include_str!("templates/escalation.md"),
            Self::Approval => include_str!("templates/approval.md"),
        }
    }

    /// Its placeholders, those that all have last.
    pub fn placeholders(self) -> impl Iterator<Item = Placeholder> {
        let own = match self {
            Self::RollbackStarted => ROLLBACK_STARTED,
            Self::PerformanceDegraded => PERFORMANCE_DEGRADED,
            Self::Update => UPDATE,
            Self::Resolved => RESOLVED,
            Self::Escalation => ESCALATION,
            Self::Approval => APPROVAL,
        };
        own.iter().chain(COMMON).copied()
    }
}

/// What the placeholders stand for.
pub type Values = BTreeMap<&'static str, Value>;

/// A template that can be filled in.
#[derive(Clone, Debug)]
pub struct Template {
    kind: Kind,
    environment: Arc<Environment<'static>>,
    has_subject: bool,
}

/// What a template gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// The heading, where the template has one.
    pub subject: Option<String>,
    /// The text, without white space around it.
    pub text: String,
}

const SUBJECT: &str = "subject";
const BODY: &str = "body";

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, with lines.
    pub fn read(kind: Kind, text: &str) -> Result<Self, Vec<Fault>> {
        let parts = read::parts(text)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut faults = Vec::new();
        let mut add = |name: &'static str, source: String, first_line: usize| {
            if let Err(error) = environment.add_template_owned(name, source.clone()) {
                faults.push(read::syntax(&error, first_line));
                return;
            }
            if let Ok(template) = environment.get_template(name) {
                let unknown = template
                    .undeclared_variables(false)
                    .into_iter()
                    .filter(|name| !kind.placeholders().any(|(known, _)| known == name));
                faults.extend(unknown.map(|name| read::unknown(kind, &name, &source, first_line)));
            }
        };
        let has_subject = parts.subject.is_some();
        if let Some((line, subject)) = parts.subject {
            add(SUBJECT, subject, line);
        }
        add(BODY, parts.body.1, parts.body.0);
        if faults.is_empty() {
            let environment = Arc::new(environment);
            let template = Self { kind, environment, has_subject };
            // What only shows when it is filled in is found now.
            return match template.render(&examples(kind)) {
                Ok(_) => Ok(template),
                Err(text) => Err(vec![Fault { line: parts.body.0, text }]),
            };
        }
        faults.sort_by_key(|fault| fault.line);
        Err(faults)
    }

    /// What it is about.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Fills it in.
    ///
    /// # Errors
    ///
    /// What cannot be filled in, in words.
    pub fn render(&self, values: &Values) -> Result<Rendered, String> {
        let one = |name: &str| -> Result<String, String> {
            let template = self.environment.get_template(name).map_err(|error| error.to_string())?;
            let text = template.render(minijinja::Value::from(minijinja::value::Serde(values))).map_err(
                |error| {
                    let line = error.line().map_or_else(String::new, |line| format!(" (line {line} of it)"));
                    format!(
                        "{}: {}{line}",
                        self.kind.name(),
                        error.detail().unwrap_or("it cannot be filled in")
                    )
                },
            )?;
            Ok(text.trim().chars().take(LONGEST).collect())
        };
        let subject = if self.has_subject {
            // A heading is one line.
            Some(one(SUBJECT)?.split_whitespace().collect::<Vec<_>>().join(" "))
        } else {
            None
        };
        Ok(Rendered { subject, text: one(BODY)? })
    }
}

/// The templates of an environment: those that are built in, and its own in their places.
#[derive(Clone, Debug)]
pub struct Templates(BTreeMap<Kind, Template>);

impl Templates {
    /// With one in place of what was there for its kind.
    pub fn put(&mut self, template: Template) {
        self.0.insert(template.kind, template);
    }

    /// The one of a kind.
    pub fn get(&self, kind: Kind) -> Option<&Template> {
        self.0.get(&kind)
    }
}

impl Default for Templates {
    fn default() -> Self {
        let built_in = Kind::ALL.into_iter().filter_map(|kind| {
            // A test holds them to that.
            Some((kind, Template::read(kind, kind.built_in()).ok()?))
        });
        Self(built_in.collect())
    }
}

/// Values that look like real ones, to try a template with.
pub fn examples(kind: Kind) -> Values {
    let text = |text: &str| Value::from(text);
    let list = |items: &[&str]| Value::from(items.to_vec());
    let example = |name: &str| match name {
        "actions_taken" => list(&[]),
        "next_steps" => list(&["shift all traffic to 2.8.0", "verify for 30 s"]),
        "known" => list(&["checkout is failing: errors 7.1 % > 5 %"]),
        "findings" | "impact" if kind != Kind::PerformanceDegraded || name == "findings" => {
            list(&["checkout canary: errors 7.1 % > 5 %"])
        }
        "actions" => list(&["op-3: roll checkout back to 2.8.0, verified"]),
        "impact" => text("the canary of checkout, medium"),
        "drill" => Value::from(false),
        "level" => Value::from(1),
        "service" | "services" => text("checkout"),
        "environment" => text("production"),
        "time" | "since" | "next_update" | "expected_end" => text("2026-11-26 14:05 UTC"),
        "reason" => text("errors 7.1 % > 5 %"),
        "status" if kind == Kind::RollbackStarted => text("step 1 of 2: shift all traffic to 2.8.0"),
        "status" if kind == Kind::Resolved => text("resolved"),
        "status" => text("mitigating"),
        "from" => text("2.8.1"),
        "to" => text("2.8.0"),
        "operation" => text("op-3"),
        "by" | "commander" => text("mira"),
        "strategy" => text("immediate"),
        "metric" => text("p95 of latency over 30 s"),
        "value" => text("1.9 s"),
        "threshold" => text("1 s"),
        "duration" | "lasted" => text("3 m 20 s"),
        "remediation" => text("It is watched"),
        "dashboard" => text("https://dashboards.example.com/checkout"),
        "incident" => text("INC-17"),
        "title" => text("checkout is failing"),
        "severity" => text("SEV1"),
        "who" => text("mira (phone)"),
        "policy" => text("primary"),
        "answer" => text("unship incident ack INC-17"),
        "what" => text("roll checkout back to 2.8.0"),
        "facts" => text("the platform did not answer; the traffic is on 2.8.0"),
        _ => text(""),
    };
    kind.placeholders().map(|(name, _)| (name, example(name))).collect()
}
