//! Sources: where they are, how often they are read, how their series tell the arms apart.

use std::collections::BTreeMap;

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::place;
use crate::model::source::SourceSpec;

/// Checks every source.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, source) in &config.sources {
        let at = place!["sources", name];
        let SourceSpec::Scrape(scrape) = source;
        checker.address(&at.then("url"), &scrape.url);
        checker.headers(&at, &BTreeMap::new(), &scrape.secret_headers);
        let interval = checker.positive(&at.then("interval"), scrape.interval);
        checker.positive(&at.then("timeout"), scrape.timeout);
        if interval && scrape.timeout > scrape.interval {
            checker.timeout_warning(&at, scrape.timeout, scrape.interval);
        }
        checker.body_limit(&at.then("max_body"), scrape.max_body);
        if let Some(arms) = &scrape.arms {
            let at = at.then("arms");
            let label = &arms.label;
            let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if label.is_empty()
                || !label.chars().all(valid)
                || label.starts_with(|c: char| c.is_ascii_digit())
            {
                checker
                    .error(&at.then("label"), format!("{} cannot be the name of a label", quoted(label)))
                    .hint("use letters, digits and `_`");
            }
            if arms.by_version {
                for key in ["stable", "canary"] {
                    if checker.is_written(&at.then(key)) {
                        checker
                            .warn(&at.then(key), format!("`{key}` has no meaning with `by_version`"))
                            .hint("the label holds a version, the platform says which arm it is");
                    }
                }
            } else if arms.stable == arms.canary {
                checker
                    .error(&at.then("canary"), format!("stable and canary are both {}", quoted(&arms.canary)))
                    .hint("give the two arms different values of the label");
            }
        }
        let read =
            config.services.values().any(|service| service.indicators.values().any(|i| i.source == *name));
        if !read {
            checker
                .warn_at_key(&at, format!("nothing is read from the source {}", quoted(name.as_str())))
                .hint("give a service an indicator with this source, or take it out");
        }
    }
}
