//! The nearest valid name for a word that is none.

/// The valid name that a word was most likely meant to be, if one is near enough to say so.
pub(super) fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names are short; a page of text pasted as a key is not compared letter by letter.
    if word.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted = plain(word);
    valid
        .into_iter()
        .filter_map(|candidate| {
            // Lengths alone often say that two names are far apart, and every key of a config comes by here.
            let longest = wanted.len().max(candidate.len());
            if wanted.len().abs_diff(candidate.len()) > (longest / 3).max(1) {
                return None;
            }
            let other = plain(candidate);
            let distance = strsim::damerau_levenshtein(&wanted, &other);
            let length = wanted.chars().count().max(other.chars().count());
            (distance <= (length / 3).max(1) && distance < length).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …? valid keys: …`, with what there is to say.
pub(crate) fn choice<'a>(
    word: &str,
    what: &str,
    valid: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    let all: Vec<&str> = valid.clone().into_iter().collect();
    if all.is_empty() {
        return None;
    }
    let list = format!("{what}: {}", all.join(", "));
    Some(match nearest(word, valid) {
        Some(name) => format!("did you mean `{name}`? {list}"),
        None => list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slip of the keyboard is recognised; a word that has nothing to do with any name is not forced onto one.
    #[test]
    fn slips_are_recognised() {
        let names = ["url", "interval", "timeout", "secret_headers"];
        for (word, name) in [
            ("intervall", Some("interval")),
            ("timeuot", Some("timeout")),
            ("Secret-Headers", Some("secret_headers")),
            ("ulr", Some("url")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), name, "{word}");
        }
    }
}
