//! What checklists are like to work by: which sections run over, which items are overridden, put off, or fall back.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Figures, Ratio};
use crate::model::{ItemId, RunbookName};
use crate::report::incident::checklists::{Checklists, DeviationKind};

/// The measures of one runbook.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RunbookMeasures {
    /// Which.
    pub runbook: RunbookName,
    /// How often it was worked through.
    pub runs: usize,
    /// The sections with a window that ended.
    pub sections: Vec<SectionMeasures>,
    /// The items of which something happened.
    pub items: Vec<ItemMeasures>,
}

/// A section of a runbook.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SectionMeasures {
    /// Which.
    pub section: String,
    /// Overrun, of those whose window ended or that were through.
    pub overruns: Ratio,
}

/// An item of a runbook.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ItemMeasures {
    /// Which.
    pub item: ItemId,
    /// How long it took.
    pub took: Figures,
    /// Overridden, of all runs.
    pub overridden: Ratio,
    /// Put off, of all runs.
    pub deferred: Ratio,
    /// Said not to apply, of all runs.
    pub not_applicable: Ratio,
    /// How often it was done and no longer so.
    pub regressions: usize,
    /// How often it was confirmed while nobody could see it.
    pub unsensed: usize,
    /// How often a person said done and the engine saw otherwise: refused, or overridden instead.
    pub disagreements: usize,
}

/// The measures of every runbook that was worked through in these incidents.
pub(super) fn measure<'a>(all: impl Iterator<Item = &'a Checklists>) -> Vec<RunbookMeasures> {
    let mut books: BTreeMap<RunbookName, Book> = BTreeMap::new();
    for checklists in all {
        for run in &checklists.runs {
            let book = books.entry(run.runbook.clone()).or_default();
            book.runs += 1;
            for section in &run.sections {
                let (over, of) = book.sections.entry(section.section.clone()).or_default();
                *of += 1;
                *over += usize::from(section.overrun_at.is_some() || section.late);
            }
            for item in &run.items {
                book.items.entry(item.item.clone()).or_default().took.extend(item.took);
            }
            let left = checklists.deviations.iter().filter(|left| left.run.as_ref() == Some(&run.run));
            // In each run once, however often somebody changed their mind.
            let mut seen = std::collections::BTreeSet::new();
            for left in left.filter(|left| left.kind != DeviationKind::Overrun) {
                let item = book.items.entry(left.what.as_str().into()).or_default();
                let count = item.left.entry(left.kind).or_default();
                let once = matches!(
                    left.kind,
                    DeviationKind::Overridden | DeviationKind::Deferred | DeviationKind::NotApplicable
                );
                if !once || seen.insert((left.kind, left.what.as_str())) {
                    *count += 1;
                }
            }
        }
    }
    books.into_iter().map(|(runbook, book)| book.measures(runbook)).collect()
}

#[derive(Default)]
struct Book {
    runs: usize,
    sections: BTreeMap<String, (usize, usize)>,
    items: BTreeMap<ItemId, Item>,
}

#[derive(Default)]
struct Item {
    took: Vec<crate::report::Millis>,
    left: BTreeMap<DeviationKind, usize>,
}

impl Book {
    fn measures(self, runbook: RunbookName) -> RunbookMeasures {
        let runs = self.runs;
        let sections = self.sections.into_iter();
        let sections = sections
            .map(|(section, (over, of))| SectionMeasures { section, overruns: Ratio::of(over, of) })
            .collect();
        let items = self.items.into_iter().map(|(item, known)| {
            let of = |kind| known.left.get(&kind).copied().unwrap_or_default();
            ItemMeasures {
                item,
                overridden: Ratio::of(of(DeviationKind::Overridden), runs),
                deferred: Ratio::of(of(DeviationKind::Deferred), runs),
                not_applicable: Ratio::of(of(DeviationKind::NotApplicable), runs),
                regressions: of(DeviationKind::Regression),
                unsensed: of(DeviationKind::Unsensed),
                disagreements: of(DeviationKind::Disagreement),
                took: Figures::of(known.took, Vec::new(), 0),
            }
        });
        RunbookMeasures { items: items.collect(), runbook, runs, sections }
    }
}
