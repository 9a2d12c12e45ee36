//! Azure App Service: the app, its slot, and how unship shows who it is.

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::AzureSpec;

/// Checks an app. `at` is its platform.
pub(in crate::config::check) fn azure(checker: &mut Checker<'_>, spec: &AzureSpec, at: &Path) {
    let names = [
        ("subscription", &spec.subscription),
        ("resource_group", &spec.resource_group),
        ("app", &spec.app),
        ("slot", &spec.slot),
    ];
    for (key, name) in names {
        if name.trim().is_empty() || name.contains('/') {
            checker
                .error(&at.then(key), format!("{} is no name in Azure", quoted(name)))
                .hint("write it as `az webapp list --output table` shows it");
        }
    }
    if spec.slot.eq_ignore_ascii_case("production") {
        checker
            .error(&at.then("slot"), "production cannot be swapped with itself")
            .hint("write the slot that holds the release before, like `staging`");
    }
    super::serving(checker, at, "serving", spec.serving.as_ref());
    super::serving(checker, at, "slot_serving", spec.slot_serving.as_ref());
    if spec.serving.is_some() != spec.slot_serving.is_some() {
        let (there, missing) =
            if spec.serving.is_some() { ("serving", "slot_serving") } else { ("slot_serving", "serving") };
        checker
            .error_at_key(&at.then(there), format!("there is no `{missing}` beside it"))
            .hint("a build must have the same name in both slots: give both addresses, or none");
    }
    let client = [
        ("tenant", spec.tenant.is_some()),
        ("client_id", spec.client_id.is_some()),
        ("client_secret", spec.client_secret.is_some()),
    ];
    let given: Vec<_> = client.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key).collect();
    if let (Some(first), true) = (given.first(), given.len() < client.len()) {
        checker
            .error_at_key(&at.then(*first), "a client has a `tenant`, a `client_id` and a `client_secret`")
            .hint("give all three; or none for the usual variables and the managed identity");
    }
    if let Some(argv) = &spec.token_command {
        if let Some(first) = given.first() {
            checker
                .error_at_key(&at.then("token_command"), format!("there is `{first}` too"))
                .hint("keep the client or the `token_command`");
        }
        super::token_command(checker, at, argv);
    }
    checker.address(&at.then("base_url"), &spec.base_url);
    checker.address(&at.then("login_url"), &spec.login_url);
    if let Some(address) = &spec.scm_url {
        checker.address(&at.then("scm_url"), address);
    }
}
