//! Netlify: the site and how unship shows who it is.

use super::super::Checker;
use crate::config::spanned::Path;
use crate::model::platform::NetlifySpec;

/// Checks a site. `at` is its platform.
pub(in crate::config::check) fn netlify(checker: &mut Checker<'_>, spec: &NetlifySpec, at: &Path) {
    if spec.site.trim().is_empty() {
        checker
            .error(&at.then("site"), "`site` is empty")
            .hint("write the site's id, or its name like `shop.netlify.app`");
    }
    match (&spec.token, &spec.token_command) {
        (None, None) => {
            checker
                .error_at_key(at, "there is no token for Netlify")
                .hint("add `token = \"env:NETLIFY_AUTH_TOKEN\"`, or a `token_command`");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("token_command"), "there is a `token` too")
                .hint("keep one of the two");
        }
        (None, Some(argv)) if argv.first().is_none_or(|program| program.trim().is_empty()) => {
            checker
                .error(&at.then("token_command"), "`token_command` names no program")
                .hint("write the program and its arguments: `[\"program\", \"argument\"]`");
        }
        _ => {}
    }
    checker.address(&at.then("base_url"), &spec.base_url);
}
