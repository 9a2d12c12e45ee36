//! Kubernetes: what is rolled back, and where.

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::KubernetesSpec;

/// Checks a service in a cluster. `at` is its platform.
pub(in crate::config::check) fn kubernetes(checker: &mut Checker<'_>, spec: &KubernetesSpec, at: &Path) {
    if !cfg!(feature = "kubernetes") {
        checker
            .error(&at.then("kind"), "this build of unship has no `kubernetes`")
            .hint("build it with `--features kubernetes`");
    }
    match (&spec.deployment, &spec.rollout) {
        (None, None) => {
            checker
                .error_at_key(at, "nothing says what is rolled back")
                .hint("add `deployment = \"NAME\"`, or `rollout = \"NAME\"` for Argo Rollouts");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("rollout"), "there is a `deployment` too")
                .hint("keep the one that owns the pods");
        }
        _ => {}
    }
    let names = [
        ("namespace", Some(&spec.namespace)),
        ("deployment", spec.deployment.as_ref()),
        ("rollout", spec.rollout.as_ref()),
    ];
    for (key, name) in names {
        let Some(name) = name else { continue };
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if name.is_empty() || !name.chars().all(is_plain) {
            checker
                .error(&at.then(key), format!("{} is no name in Kubernetes", quoted(name)))
                .hint("names are of small letters, digits, `-` and `.`");
        }
    }
    if spec.context.is_none() {
        checker
            .warn_at_key(at, "the current context decides which cluster this is")
            .hint("name it: `context = \"…\"`; `kubectl config get-contexts` lists them");
    }
}
