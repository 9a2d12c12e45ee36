//! From an exposition to the series that were asked for, each with the subject that it speaks for.

use std::collections::HashMap;

use crate::model::source::ArmLabel;
use crate::observe::exposition::{self, ExpositionError, Series};
use crate::observe::selector::Selector;
use crate::observe::series::{Found, One, subject};

/// What is looked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    slots: Vec<Slot>,
    by_name: HashMap<String, Vec<usize>>,
    arms: Option<ArmLabel>,
}

#[derive(Debug)]
struct Slot {
    selector: Selector,
    buckets: bool,
}

impl Wanted {
    pub(super) fn new(arms: Option<ArmLabel>) -> Self {
        Self { arms, ..Self::default() }
    }

    /// Adds a selector; its series will be at the number that this answers.
    pub(super) fn add(&mut self, selector: Selector, buckets: bool) -> usize {
        let number = self.slots.len();
        self.by_name.entry(selector.name().to_owned()).or_default().push(number);
        self.slots.push(Slot { selector, buckets });
        number
    }

    /// Finds the series of every selector.
    pub(super) fn find(&self, text: &str) -> Result<Vec<Found>, ExpositionError> {
        let mut found: Vec<Found> = self.slots.iter().map(|_| Found::default()).collect();
        exposition::parse(text, |series| {
            let Some(slots) = self.by_name.get(series.name.as_ref()) else { return };
            for slot in slots {
                let Slot { selector, buckets } = &self.slots[*slot];
                if selector.matches(&series.name, |label| series.label(label))
                    && let Err(reason) = self.note(&mut found[*slot], series, *buckets)
                {
                    found[*slot].foreign.get_or_insert(reason);
                }
            }
        })?;
        Ok(found)
    }

    fn note(&self, found: &mut Found, series: &Series<'_>, buckets: bool) -> Result<(), String> {
        let label = self.arms.as_ref().and_then(|arms| arms.label.as_deref());
        let value = label.and_then(|label| series.label(label));
        let subject = subject(self.arms.as_ref(), &series.name, value)?;
        let bound = if buckets {
            let bound = series.label("le").and_then(|le| le.parse::<f64>().ok()).filter(|le| !le.is_nan());
            Some(bound.ok_or_else(|| format!("`{}` has no bound in its label `le`", series.name))?)
        } else {
            None
        };
        let one = One::new(subject, series.value);
        // A series that occurs twice is counted once, the first time.
        let one = found.series.entry(identity(series, buckets)).or_insert(one);
        if let Some(bound) = bound
            && !one.buckets.iter().any(|(there, _)| there.total_cmp(&bound).is_eq())
        {
            one.buckets.push((bound, series.value));
        }
        Ok(())
    }
}

/// Name and labels as one text, labels in order of their names.
fn identity(series: &Series<'_>, buckets: bool) -> String {
    let mut labels: Vec<_> = series
        .labels
        .iter()
        .filter(|(label, value)| !(value.is_empty() || buckets && label == "le"))
        .collect();
    labels.sort_unstable();
    let mut out = series.name.to_string();
    for (label, value) in labels {
        out.push('\u{1f}');
        out.push_str(label);
        out.push('=');
        // The length keeps values apart that contain separators themselves.
        out.push_str(&value.len().to_string());
        out.push(':');
        out.push_str(value);
    }
    out
}
