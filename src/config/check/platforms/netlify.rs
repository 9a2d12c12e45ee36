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
    super::token(checker, at, spec.token.as_ref(), spec.token_command.as_deref(), "NETLIFY_AUTH_TOKEN");
    checker.address(&at.then("base_url"), &spec.base_url);
}
