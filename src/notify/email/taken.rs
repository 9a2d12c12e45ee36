//! Who has taken a mail, while it is tried again for those who have not.

use std::collections::{BTreeMap, VecDeque};

use super::super::{Accepted, Fault, SendError};

/// Messages that are remembered; a forgotten one is offered again to all, and recognised there by its `Message-ID`.
const KEPT: usize = 256;

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The server took it.
    Taken,
    /// It may take it later.
    NotYet(String),
    /// It never will.
    Refused(String),
}

/// The newest messages, by key, and their recipients.
#[derive(Debug, Default)]
pub(super) struct Taken(VecDeque<(String, BTreeMap<String, Became>)>);

impl Taken {
    /// Whether it still has to be offered to this recipient.
    pub(super) fn is_open(&self, key: &str, recipient: &str) -> bool {
        let known = self.0.iter().find(|(known, _)| known == key).and_then(|(_, all)| all.get(recipient));
        matches!(known, None | Some(Became::NotYet(_)))
    }

    /// Remembers what became of it.
    pub(super) fn note(&mut self, key: &str, recipient: &str, result: Became) {
        let at = self.0.iter().position(|(known, _)| known == key);
        let at = at.unwrap_or_else(|| {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back((key.to_owned(), BTreeMap::new()));
            self.0.len() - 1
        });
        self.0[at].1.insert(recipient.to_owned(), result);
    }

    /// What it all adds up to. `own`: the recipients are the channel's, so that it is to blame if they are all wrong.
    pub(super) fn settle(&mut self, key: &str, server: &str, own: bool) -> Result<Accepted, SendError> {
        let Some(at) = self.0.iter().position(|(known, _)| known == key) else {
            return Err(SendError::message(format!("{server}: it has no recipient")));
        };
        let all = &self.0[at].1;
        let taken = all.values().filter(|result| **result == Became::Taken).count();
        let not_yet = all.values().any(|result| matches!(result, Became::NotYet(_)));
        let reasons = all.iter().filter_map(|(recipient, result)| match result {
            Became::Taken => None,
            Became::NotYet(reason) | Became::Refused(reason) => Some(format!("{recipient}: {reason}")),
        });
        let mut detail = reasons.collect::<Vec<_>>().join("; ");
        if taken > 0 && !detail.is_empty() {
            detail = format!("{taken} of {} took it; {detail}", all.len());
        }
        if not_yet {
            return Err(SendError::Retry { reason: format!("{server}: {detail}"), after: None });
        }
        // It is over for everybody; a repetition begins anew.
        self.0.remove(at);
        if taken > 0 {
            return Ok(Accepted { detail });
        }
        let fault = if own { Fault::Config } else { Fault::Message };
        Err(SendError::Permanent { reason: format!("{server}: {detail}"), fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One who took it is not asked again; the mail is accepted when nobody is left who may still take it, and what it says
    /// names those who did not.
    #[test]
    fn each_recipient_counts() {
        let mut taken = Taken::default();
        taken.note("k", "a@x", Became::Taken);
        taken.note("k", "b@x", Became::NotYet("451 busy".to_owned()));
        taken.note("k", "c@x", Became::Refused("550 unknown".to_owned()));
        assert_eq!(
            ["a@x", "b@x", "c@x", "d@x"].map(|who| taken.is_open("k", who)),
            [false, true, false, true]
        );
        let error = taken.settle("k", "s", true).unwrap_err();
        assert_eq!(error.to_string(), "s: 1 of 3 took it; b@x: 451 busy; c@x: 550 unknown");
        assert!(matches!(error, SendError::Retry { .. }));
        taken.note("k", "b@x", Became::Taken);
        let accepted = taken.settle("k", "s", true).unwrap();
        assert_eq!(accepted.detail, "2 of 3 took it; c@x: 550 unknown");
        assert!(taken.is_open("k", "a@x"), "what is over is forgotten");
    }

    /// A mail that everybody refused is never accepted; whose fault that is depends on whose recipients they are.
    #[test]
    fn refused_by_all() {
        for (own, expected) in [(true, Fault::Config), (false, Fault::Message)] {
            let mut taken = Taken::default();
            taken.note("k", "c@x", Became::Refused("550 unknown".to_owned()));
            let error = taken.settle("k", "s", own).unwrap_err();
            assert!(matches!(error, SendError::Permanent { fault, .. } if fault == expected));
        }
    }

    /// What is remembered is bounded.
    #[test]
    fn the_oldest_is_forgotten() {
        let mut taken = Taken::default();
        for number in 0..1_000 {
            taken.note(&number.to_string(), "a@x", Became::Taken);
        }
        assert_eq!(taken.0.len(), KEPT);
        assert!(taken.is_open("0", "a@x") && !taken.is_open("999", "a@x"));
    }
}
