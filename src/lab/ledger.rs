//! Who asked for what: idempotency keys, fencing tokens, and how answers are delayed or lost on purpose.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::facts::EffectFact;

/// How many effects are remembered; the oldest are forgotten.
const REMEMBERED: usize = 4_096;

/// What came along with a changing call.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// `X-Idempotency-Key`.
    pub(super) key: Option<String>,
    /// `X-Fencing-Token`.
    pub(super) token: Option<u64>,
    /// `X-Expected-Revision`.
    pub(super) expected: Option<String>,
}

/// The record of all changing calls.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    effects: VecDeque<Entry>,
    highest: BTreeMap<String, u64>,
    refused: u64,
    lose: u32,
    delay: Delay,
}

/// How slow changing calls are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Delay {
    /// Before the effect.
    pub(super) before: Duration,
    /// Between the effect and its answer.
    pub(super) after: Duration,
}

#[derive(Debug)]
struct Entry {
    fact: EffectFact,
    body: Value,
    answer: Value,
}

/// Why a call is not carried out, or what to answer instead.
#[derive(Debug)]
pub(super) enum Known {
    /// The token is older than one that was seen.
    Stale {
        /// The highest that was seen.
        highest: u64,
    },
    /// The same call had its effect before; this was the answer.
    Repeated(Value),
    /// The key belongs to another call.
    Reused,
}

impl Ledger {
    /// Looks at a call before it is carried out.
    pub(super) fn admit(
        &mut self,
        service: &str,
        verb: &str,
        caller: &Caller,
        body: &Value,
    ) -> Result<(), Known> {
        if let Some(token) = caller.token {
            let highest = self.highest.entry(service.to_owned()).or_insert(token);
            if token < *highest {
                let highest = *highest;
                self.refused += 1;
                return Err(Known::Stale { highest });
            }
            *highest = token;
        }
        let Some(key) = &caller.key else { return Ok(()) };
        let before = self.effects.iter_mut().rev().find(|entry| entry.fact.key.as_ref() == Some(key));
        let Some(before) = before else { return Ok(()) };
        if before.fact.service != service || before.fact.verb != verb || before.body != *body {
            return Err(Known::Reused);
        }
        before.fact.times_repeated += 1;
        Err(Known::Repeated(before.answer.clone()))
    }

    /// Writes an effect down. Only effects are remembered: a call that was refused may be tried again with its key.
    pub(super) fn applied(
        &mut self,
        service: &str,
        verb: &str,
        caller: &Caller,
        body: &Value,
        answer: &Value,
    ) {
        let seen = self
            .effects
            .iter_mut()
            .rev()
            .find(|entry| entry.fact.key.is_some() && entry.fact.key == caller.key);
        if let Some(entry) = seen {
            entry.fact.times_applied += 1;
            return;
        }
        if self.effects.len() >= REMEMBERED {
            self.effects.pop_front();
        }
        self.effects.push_back(Entry {
            fact: EffectFact {
                key: caller.key.clone(),
                token: caller.token,
                service: service.to_owned(),
                verb: verb.to_owned(),
                at: Timestamp::now(),
                times_applied: 1,
                times_repeated: 0,
            },
            body: body.clone(),
            answer: answer.clone(),
        });
    }

    /// Makes the next answers get lost after their effect.
    pub(super) fn lose(&mut self, calls: u32) {
        self.lose = calls;
    }

    /// Whether this answer gets lost; counts down.
    pub(super) fn loses_one(&mut self) -> bool {
        let loses = self.lose > 0;
        self.lose = self.lose.saturating_sub(1);
        loses
    }

    /// Makes changing calls slow.
    pub(super) fn set_delay(&mut self, delay: Delay) {
        self.delay = delay;
    }

    /// How slow changing calls are.
    pub(super) fn delay(&self) -> Delay {
        self.delay
    }

    /// All effects, oldest first.
    pub(super) fn facts(&self) -> Vec<EffectFact> {
        self.effects.iter().map(|entry| entry.fact.clone()).collect()
    }

    /// Calls refused for their token.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The highest token seen for a service.
    pub(super) fn highest(&self, service: &str) -> u64 {
        self.highest.get(service).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(key: &str, token: u64) -> Caller {
        Caller { key: Some(key.to_owned()), token: Some(token), expected: None }
    }

    /// A key that had its effect is answered from memory; the same key on another call is a mistake and says so.
    #[test]
    fn a_key_acts_once() {
        let mut ledger = Ledger::default();
        let body = json!({ "on": true });
        ledger.admit("cart", "maintenance", &caller("op-1/1", 1), &body).unwrap();
        ledger.applied("cart", "maintenance", &caller("op-1/1", 1), &body, &json!("done"));
        let again = ledger.admit("cart", "maintenance", &caller("op-1/1", 2), &body);
        assert!(matches!(again, Err(Known::Repeated(answer)) if answer == json!("done")));
        let other = ledger.admit("cart", "maintenance", &caller("op-1/1", 2), &json!({ "on": false }));
        assert!(matches!(other, Err(Known::Reused)));
        assert_eq!(ledger.facts()[0].times_repeated, 1);
    }

    /// A leader that was replaced cannot act any more, even with a key that was answered before; other services go on.
    #[test]
    fn an_old_token_is_refused() {
        let mut ledger = Ledger::default();
        ledger.admit("cart", "deploy", &caller("a", 7), &Value::Null).unwrap();
        let old = ledger.admit("cart", "deploy", &caller("b", 6), &Value::Null);
        assert!(matches!(old, Err(Known::Stale { highest: 7 })));
        ledger.admit("search", "deploy", &caller("c", 6), &Value::Null).unwrap();
        assert_eq!(ledger.refused(), 1);
    }

    /// A refused call leaves nothing behind: the same key may succeed later.
    #[test]
    fn a_refused_call_may_be_tried_again() {
        let mut ledger = Ledger::default();
        ledger.admit("cart", "traffic", &caller("a", 1), &Value::Null).unwrap();
        assert!(ledger.admit("cart", "traffic", &caller("a", 1), &Value::Null).is_ok());
    }
}
