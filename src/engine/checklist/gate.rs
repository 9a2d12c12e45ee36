//! What has to be done before an item: a pause point that is not through, an order that is strict.

use super::run::Run;

/// What comes before an item, in words; none where nothing does.
pub(super) fn of(run: &Run, index: usize) -> Option<String> {
    let book = run.book();
    let item = &book.items[index];
    // Done first, from memory: what comes before it on paper does not hold it up.
    if item.memory {
        return None;
    }
    let mut around = vec![item.section];
    while let Some(parent) = around.last().and_then(|section| book.sections[*section].parent) {
        around.push(parent);
    }
    let pause = book.sections.iter().enumerate().take(item.section).find(|(place, section)| {
        section.pause && !around.contains(place) && run.open_in(*place).next().is_some()
    });
    if let Some((_, section)) = pause {
        return Some(format!("`{}` comes first", section.title));
    }
    let section = &book.sections[item.section];
    if section.strict {
        // Whatever it lies in comes with it, not before it.
        let before = book.items[..index].iter().enumerate().find(|(place, other)| {
            other.section == item.section
                && other.countable
                && !run.is_settled(other)
                && !book.is_within(index, *place)
        });
        return before.map(|(_, other)| format!("`{}` comes first", other.id));
    }
    None
}
