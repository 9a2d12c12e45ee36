//! AWS ECS: the region, the service and the credentials.

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::EcsSpec;

/// Checks a service on ECS. `at` is its platform.
pub(in crate::config::check) fn ecs(checker: &mut Checker<'_>, spec: &EcsSpec, at: &Path) {
    checker.region(at, &spec.region);
    for (key, value) in [("service", &spec.service), ("cluster", &spec.cluster)] {
        if value.trim().is_empty() {
            checker.error(&at.then(key), format!("`{key}` is empty")).hint("write its name, or its ARN");
        }
    }
    if spec.container.as_ref().is_some_and(|name| name.trim().is_empty()) {
        checker
            .error(&at.then("container"), format!("{} names no container", quoted("")))
            .hint("write the name that the task definition has, or leave it out for the first essential one");
    }
    for (key, address) in [("endpoint", &spec.endpoint), ("logs_endpoint", &spec.logs_endpoint)] {
        if let Some(address) = address {
            checker.address(&at.then(key), address);
        }
    }
    checker.credentials_once(at, spec.profile.is_some(), spec.keys.is_some());
}
