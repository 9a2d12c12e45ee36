//! Runbooks that were mended on disk while they are worked through, and what that changes.

use crate::config::RunbookText;
use crate::engine::checklist::{Difference, Run, asking};
use crate::model::RunId;
use crate::model::command::Rebase;
use crate::tui::available;
use crate::tui::scene::Scene;

/// A checklist whose runbook has changed on disk.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Changed {
    /// What would be asked for.
    pub(super) asked: Rebase,
    pub(super) difference: Difference,
}

/// The checklists whose runbooks have changed.
pub(super) fn changed(scene: &Scene<'_>) -> Vec<Changed> {
    let all = available::rebasable(scene).into_iter();
    let one = |(run, text, difference): (&Run, &RunbookText, Difference)| Changed {
        asked: asking(run, text),
        difference,
    };
    all.map(one).collect()
}

/// The name of the runbook of a run: `emergency` of `INC-1/emergency`.
pub(super) fn name_of(run: &RunId) -> &str {
    run.as_str().rsplit('/').next().unwrap_or_default()
}

/// Lines of a difference that a dialog has room for.
const DIFFERS: usize = 8;

/// What differs, a line an item; what there is no room for is counted.
pub(super) fn differs(difference: &Difference) -> Vec<String> {
    let Difference { changed, added, removed, .. } = difference;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(changed.iter().map(|it| format!("Changed: {}{}.", it.text, it.settled("open again"))));
    lines.extend(added.iter().map(|it| format!("Added: {}.", it.text)));
    lines.extend(
        removed.iter().map(|it| format!("Removed: {}{}.", it.text, it.settled("kept in the record"))),
    );
    if lines.is_empty() {
        lines.push("No line says anything else; what is written beside them does.".to_owned());
    }
    if lines.len() > DIFFERS {
        let more = lines.len() - (DIFFERS - 1);
        lines.truncate(DIFFERS - 1);
        lines.push(format!("And {more} more; unship checklist rebase --dry-run lists all."));
    }
    lines
}
