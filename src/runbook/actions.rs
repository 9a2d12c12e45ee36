//! The actions that an item may ask for with `do`. A document cannot define one: it names an action of the engine, with
//! parameters that the engine knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Span;

use super::document::Param;
use super::suggest::nearest;

/// Which actions there are, asked when a runbook is loaded.
pub trait Actions {
    /// Whether there is such an action and it takes these parameters.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    fn check(&self, name: &str, params: &BTreeMap<String, Param>) -> Result<(), String>;

    /// Whether there is such a policy with so many levels, for `escalate`.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    fn policy(&self, name: &str, level: u8) -> Result<(), String>;

    /// How many people may act; none where anybody may.
    fn people(&self) -> Option<usize>;
}

/// The actions of the engine as a table, for checking a runbook without one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ActionTable {
    services: Option<BTreeSet<String>>,
    /// The escalation policies, with their numbers of levels.
    policies: Option<BTreeMap<String, usize>>,
    people: Option<usize>,
}

impl ActionTable {
    /// Any service may be named.
    pub fn unchecked() -> Self {
        Self::default()
    }

    /// These services and no other.
    pub fn of(services: impl IntoIterator<Item = String>) -> Self {
        Self { services: Some(services.into_iter().collect()), ..Self::default() }
    }

    /// These policies and no other, each with its number of levels.
    #[must_use]
    pub fn with_policies(self, policies: impl IntoIterator<Item = (String, usize)>) -> Self {
        Self { policies: Some(policies.into_iter().collect()), ..self }
    }

    /// So many people may act, and nobody else.
    #[must_use]
    pub fn with_people(self, people: usize) -> Self {
        Self { people: Some(people), ..self }
    }
}

/// What a parameter may be.
enum Takes {
    Service,
    Text,
    Time,
    Level,
    Count,
    Words(&'static [&'static str]),
}

struct Known {
    name: &'static str,
    /// It begins an operation, which takes its time; else it is done at once.
    lasts: bool,
    /// Doing it twice is the same as doing it once.
    idempotent: bool,
    params: &'static [(&'static str, Takes)],
    /// What it cannot do without, and why.
    required: &'static [(&'static str, &'static str)],
}

const KNOWN: &[Known] = &[
    Known { name: "acknowledge", lasts: false, idempotent: true, params: &[], required: &[] },
    Known {
        name: "freeze",
        lasts: false,
        idempotent: true,
        params: &[("service", Takes::Service), ("for", Takes::Time)],
        required: &[("service", "a freeze forbids rollbacks, so it says of what")],
    },
    Known {
        name: "maintenance",
        lasts: true,
        idempotent: true,
        params: &[("service", Takes::Service), ("on", Takes::Words(&["true", "false"]))],
        required: &[("service", "the page belongs to one service"), ("on", "it goes up or down")],
    },
    Known {
        name: "message",
        lasts: false,
        idempotent: false,
        params: &[
            ("template", Takes::Words(&["update"])),
            ("audience", Takes::Words(&["internal", "external"])),
            ("next", Takes::Time),
        ],
        required: &[("template", "what is said is written beforehand")],
    },
    Known {
        name: "page",
        lasts: false,
        idempotent: false,
        params: &[("policy", Takes::Text), ("level", Takes::Level)],
        required: &[("policy", "it says who is woken")],
    },
    Known {
        name: "promote",
        lasts: true,
        idempotent: false,
        params: &[("service", Takes::Service)],
        required: &[("service", "a promotion gives one canary all the traffic")],
    },
    // Without a service it is the one that the findings blame.
    Known {
        name: "rollback",
        lasts: true,
        idempotent: false,
        params: &[
            ("service", Takes::Service),
            ("to", Takes::Text),
            ("strategy", Takes::Words(&["immediate", "gradual"])),
        ],
        required: &[],
    },
    Known {
        name: "scale",
        lasts: true,
        idempotent: true,
        params: &[("service", Takes::Service), ("to", Takes::Count)],
        required: &[("service", "instances belong to one service"), ("to", "it says how many are to run")],
    },
    Known {
        name: "thaw",
        lasts: false,
        idempotent: true,
        params: &[("service", Takes::Service)],
        required: &[("service", "a freeze is lifted where it was set")],
    },
];

/// Whether an action takes its time, so that it can take too long.
pub(super) fn lasts(name: &str) -> bool {
    KNOWN.iter().any(|known| known.name == name && known.lasts)
}

/// Whether an action may be begun again without anybody looking: it takes its time, can fail, and done twice it is the same as once.
pub(super) fn may_be_repeated(name: &str) -> bool {
    KNOWN.iter().any(|known| known.name == name && known.lasts && known.idempotent)
}

/// The actions of which something is so, for what is said when another one is written.
pub(super) fn those(fits: impl Fn(&str) -> bool) -> String {
    let names: Vec<_> = KNOWN.iter().map(|known| known.name).filter(|name| fits(name)).collect();
    names.join(", ")
}

impl Actions for ActionTable {
    fn check(&self, name: &str, params: &BTreeMap<String, Param>) -> Result<(), String> {
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
            return Err(match nearest(name, names.iter().copied()) {
                Some(near) => format!("no action `{name}`; did you mean `{near}`?"),
                None => format!("no action `{name}`; actions are {}", names.join(", ")),
            });
        };
        for (key, param) in params {
            let Some((_, takes)) = known.params.iter().find(|(name, _)| name == key) else {
                let there: Vec<_> = known.params.iter().map(|(name, _)| *name).collect();
                return Err(if there.is_empty() {
                    format!("`{name}` takes no parameters, so leave `{key}` out")
                } else {
                    format!("`{name}` takes no `{key}`; it takes {}", there.join(", "))
                });
            };
            if let Param::Literal(value) = param {
                self.literal(takes, value).map_err(|text| format!("`{key}` of `{name}`: {text}"))?;
            }
        }
        if let Some((key, why)) = known.required.iter().find(|(key, _)| !params.contains_key(*key)) {
            return Err(format!("`{name}` needs `{key}`: {why}"));
        }
        match (params.get("policy"), params.get("level")) {
            (Some(Param::Literal(policy)), Some(Param::Literal(level))) => {
                self.policy(policy, level.parse().unwrap_or(1))
            }
            (Some(Param::Literal(policy)), _) => self.policy(policy, 1),
            _ => Ok(()),
        }
    }

    fn policy(&self, name: &str, level: u8) -> Result<(), String> {
        let Some(policies) = &self.policies else { return Ok(()) };
        match policies.get(name) {
            Some(levels) if usize::from(level) <= *levels => Ok(()),
            Some(levels) => Err(format!("the policy `{name}` has {levels} levels, and no level {level}")),
            None if policies.is_empty() => Err(format!(
                "no policy `{name}`: the config has none, so nobody would be told (`[policy.{name}]`)"
            )),
            None => Err(match nearest(name, policies.keys().map(String::as_str)) {
                Some(near) => format!("no policy `{name}`; did you mean `{near}`?"),
                None => {
                    let names: Vec<_> = policies.keys().map(String::as_str).collect();
                    format!("no policy `{name}`; policies are {}", names.join(", "))
                }
            }),
        }
    }

    fn people(&self) -> Option<usize> {
        self.people
    }
}

impl ActionTable {
    fn literal(&self, takes: &Takes, value: &str) -> Result<(), String> {
        match takes {
            Takes::Text => Ok(()),
            Takes::Time => value.parse::<Span>().map(|_| ()),
            Takes::Words(words) if words.contains(&value) => Ok(()),
            Takes::Words(words) => Err(format!("`{value}` is none of {}", words.join(", "))),
            Takes::Count => match value.parse::<u32>() {
                Ok(1..) => Ok(()),
                _ => Err(format!("`{value}` is no number of instances, like `6`")),
            },
            Takes::Level => match value.parse::<u8>() {
                Ok(1..=9) => Ok(()),
                _ => Err(format!("`{value}` is no level from 1 to 9")),
            },
            Takes::Service => match &self.services {
                Some(services) if !services.contains(value) => {
                    Err(match nearest(value, services.iter().map(String::as_str)) {
                        Some(near) => format!("no service `{value}`; did you mean `{near}`?"),
                        None => format!("no service `{value}`"),
                    })
                }
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, params: &[(&str, &str)]) -> Result<(), String> {
        let params = params.iter().map(|(key, value)| {
            let param = match value.strip_prefix('$') {
                Some(record) => Param::Record(record.to_owned()),
                None => Param::Literal((*value).to_owned()),
            };
            ((*key).to_owned(), param)
        });
        ActionTable::of(["checkout".to_owned()]).check(name, &params.collect())
    }

    /// An item that asks for an action that there is, with what it needs, is taken.
    #[test]
    fn known_actions_are_taken() {
        for (name, params) in [
            ("rollback", &[][..]),
            ("rollback", &[("service", "checkout"), ("to", "2.8.0"), ("strategy", "gradual")]),
            // What a record will hold is checked when it holds it.
            ("rollback", &[("service", "$service")]),
            ("acknowledge", &[]),
            ("freeze", &[("service", "checkout"), ("for", "30m")]),
            ("thaw", &[("service", "checkout")]),
            ("maintenance", &[("service", "checkout"), ("on", "true")]),
            ("promote", &[("service", "checkout")]),
            ("page", &[("policy", "primary"), ("level", "2")]),
            ("message", &[("template", "update"), ("audience", "external"), ("next", "20m")]),
            ("scale", &[("service", "checkout"), ("to", "6")]),
        ] {
            assert_eq!(check(name, params), Ok(()), "{name} {params:?}");
        }
    }

    /// A policy that there is not, or that has no such level, is found before somebody waits for it.
    #[test]
    fn policies_are_checked() {
        let table = ActionTable::unchecked().with_policies([("primary".to_owned(), 2)]);
        assert_eq!(table.policy("primary", 2), Ok(()));
        for (name, level, part) in [
            ("primary", 3, "has 2 levels"),
            ("primry", 1, "did you mean `primary`?"),
            ("x", 1, "policies are primary"),
        ] {
            assert!(table.policy(name, level).unwrap_err().contains(part), "{name}");
        }
        let page = [("policy".to_owned(), Param::Literal("primry".to_owned()))].into();
        assert!(table.check("page", &page).unwrap_err().contains("did you mean `primary`?"));
        let none = ActionTable::unchecked().with_policies([]);
        assert!(none.policy("primary", 1).unwrap_err().contains("nobody would be told"));
        assert_eq!(ActionTable::unchecked().policy("any", 9), Ok(()));
    }

    /// One that there is not, or that lacks something, is refused with what would be right.
    #[test]
    fn other_actions_are_refused() {
        for (name, params, part) in [
            ("rolback", &[][..], "did you mean `rollback`?"),
            ("reboot", &[], "actions are acknowledge, freeze"),
            ("rollback", &[("service", "chekout")], "did you mean `checkout`?"),
            ("rollback", &[("strategy", "slow")], "none of immediate, gradual"),
            ("rollback", &[("force", "yes")], "takes no `force`; it takes service, to, strategy"),
            ("acknowledge", &[("by", "me")], "takes no parameters"),
            ("freeze", &[], "needs `service`"),
            ("freeze", &[("service", "checkout"), ("for", "long")], "is not a duration"),
            ("thaw", &[], "needs `service`"),
            ("maintenance", &[("service", "checkout")], "needs `on`"),
            ("promote", &[], "needs `service`"),
            ("page", &[("policy", "primary"), ("level", "0")], "no level"),
            ("page", &[], "needs `policy`"),
            ("message", &[], "needs `template`"),
            ("message", &[("template", "resolved")], "none of update"),
            ("scale", &[("service", "checkout"), ("to", "none")], "no number of instances"),
            ("scale", &[], "needs `service`"),
            ("scale", &[("service", "checkout")], "needs `to`"),
        ] {
            let text = check(name, params).unwrap_err();
            assert!(text.contains(part), "{name} {params:?}: {text}");
        }
    }
}
