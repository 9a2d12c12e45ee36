//! The nearest name for a word that is none.

/// The name that a word was most likely meant to be, if one is near enough to say so.
pub(super) fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A page of text is not compared letter by letter.
    if word.is_empty() || word.len() > 80 {
        return None;
    }
    let wanted = word.to_lowercase();
    valid
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let length = wanted.chars().count().max(other.chars().count());
            let distance = strsim::damerau_levenshtein(&wanted, &other);
            (distance <= (length / 3).max(1) && distance < length).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
