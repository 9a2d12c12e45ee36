//! Railway: the ids and the token.

use super::super::Checker;
use crate::config::spanned::Path;
use crate::model::platform::RailwaySpec;

/// Checks a service on Railway. `at` is its platform.
pub(in crate::config::check) fn railway(checker: &mut Checker<'_>, spec: &RailwaySpec, at: &Path) {
    let ids = [("project", &spec.project), ("environment", &spec.environment), ("service", &spec.service)];
    for (key, id) in ids {
        if id.trim().is_empty() {
            checker
                .error(&at.then(key), format!("`{key}` is empty"))
                .hint("write its id; the address of the service in the browser has all three");
        }
    }
    if spec.project_token.is_some() {
        if spec.token.is_some() || spec.token_command.is_some() {
            checker
                .error_at_key(&at.then("project_token"), "there is another token too")
                .hint("keep one of `token`, `token_command` and `project_token`");
        }
    } else {
        super::token(checker, at, spec.token.as_ref(), spec.token_command.as_deref(), "RAILWAY_API_TOKEN");
    }
    super::serving(checker, at, "serving", spec.serving.as_ref());
    checker.address(&at.then("base_url"), &spec.base_url);
}
