//! Names and ids as their own types, so that a row index or a version can never be passed for a service.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Wraps the text as it is; the config and the platforms check what they accept.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A service of the environment, as the config calls it.
    ServiceName
}
name! {
    /// A source of indicators, as the config calls it.
    SourceName
}
name! {
    /// A named series of a service: `errors`, `latency`, `memory`.
    IndicatorName
}
name! {
    /// A trigger, as the config calls it.
    TriggerName
}
name! {
    /// An active health check of a service, as the config calls it.
    ProbeName
}
name! {
    /// A notification channel, as the config calls it.
    ChannelName
}
name! {
    /// The version of a release: `2.8.1`, a git commit, a build number.
    Version
}
name! {
    /// The platform's own identity of a release: a digest, an ARN, a deploy id. Unique on its platform.
    ReleaseRef
}
name! {
    /// One execution of a plan: `op-12`.
    OperationId
}
name! {
    /// Several services that change together: `joint-2`.
    JointId
}
name! {
    /// A finding that was raised: `f-31`.
    FindingId
}
name! {
    /// A decision: `d-7`.
    DecisionId
}
name! {
    /// A command, chosen by the face that sends it, so that sending twice acts once.
    CommandId
}
name! {
    /// A message in the outbox; the same on every retry.
    NotificationId
}
name! {
    /// Makes a platform call recognisable when it is repeated: `op-12/2`.
    IdempotencyKey
}
name! {
    /// An incident: `INC-3`.
    IncidentId
}
name! {
    /// An item of a checklist: `verify-health`. The same for as long as the checklist has it.
    ItemId
}
name! {
    /// An escalation policy, as the config calls it.
    PolicyName
}
name! {
    /// Somebody who can be reached, as the config calls them.
    ContactName
}
name! {
    /// Who is on call when, as the config calls it.
    ScheduleName
}
name! {
    /// A runbook, as the config calls it; `emergency` is built in.
    RunbookName
}
name! {
    /// A check before a deployment, as the config calls it.
    CheckName
}
name! {
    /// A smoke suite, as the config calls it.
    SuiteName
}
name! {
    /// A load run, as the config calls it.
    LoadName
}
name! {
    /// A database, as the config calls it.
    DatabaseName
}
name! {
    /// An episode of a received alarm: `HighErrorRate/f3a9…@2026-11-26T07:00:00Z`.
    AlarmId
}
name! {
    /// A runbook that is worked through in an incident: `INC-3/emergency`.
    RunId
}
