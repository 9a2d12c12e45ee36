//! How much of everything a runbook has.

use std::collections::BTreeSet;

use serde::Serialize;

use super::document::{Offer, Runbook};
use super::problem::Level;

/// How much of everything there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Headings, and strong paragraphs that are some.
    pub sections: usize,
    /// Sections that hold items.
    pub sections_with_items: usize,
    /// Items, with those in another item.
    pub items: usize,
    /// Items in another item.
    pub nested: usize,
    /// Windows that are written somewhere, `every` among them.
    pub windows: usize,
    /// Fences.
    pub fences: usize,
    /// Fences that belong to an item.
    pub fences_bound: usize,
    /// Fences that belong to an item and can be run as they stand.
    pub fences_offered: usize,
    /// Problems that keep it from being used.
    pub errors: usize,
    /// Problems that do not.
    pub warnings: usize,
}

impl Runbook {
    /// How much of everything it has.
    pub fn counts(&self) -> Counts {
        let headings = || self.sections.iter().filter(|section| section.level > 0);
        let of_sections =
            headings().filter(|section| section.window.is_some() || section.every.is_some()).count();
        // The items of a group have one window together.
        let of_groups: BTreeSet<usize> =
            self.items.iter().filter_map(|item| item.window.as_ref()).map(|window| window.line).collect();
        let bound = || self.items.iter().flat_map(|item| &item.commands);
        let level = |level| self.problems.iter().filter(|problem| problem.level == level).count();
        Counts {
            sections: headings().count(),
            sections_with_items: self.sections.iter().filter(|section| !section.items.is_empty()).count(),
            items: self.items.len(),
            nested: self.items.iter().filter(|item| item.parent.is_some()).count(),
            windows: of_sections + of_groups.len(),
            fences: bound().count() + self.unbound.len(),
            fences_bound: bound().count(),
            fences_offered: bound().filter(|command| command.offered == Offer::Offered).count(),
            errors: level(Level::Error),
            warnings: level(Level::Warning),
        }
    }
}
