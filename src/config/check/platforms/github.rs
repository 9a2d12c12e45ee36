//! GitHub Actions: the repository, the workflow and its inputs.

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::GithubSpec;

/// Inputs that a workflow can have.
const INPUTS: usize = 25;

/// Checks a workflow. `at` is its platform.
pub(in crate::config::check) fn github(checker: &mut Checker<'_>, spec: &GithubSpec, at: &Path) {
    let is_part = |part: &str| !part.is_empty() && !part.contains(['/', ' ', ':']);
    if !spec.repository.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name)) {
        checker
            .error(&at.then("repository"), format!("{} is not a repository", quoted(&spec.repository)))
            .hint("write owner and name, like `acme/shop`");
    }
    if spec.environment.trim().is_empty() {
        checker
            .error(&at.then("environment"), "`environment` is empty")
            .hint("write the environment whose deployments are the history, like `production`");
    }
    let file = spec.workflow.as_str();
    let end = file.rsplit_once('.').map(|(_, end)| end);
    if file.contains('/') || !matches!(end, Some("yml" | "yaml")) {
        checker
            .error(&at.then("workflow"), format!("{} is not the name of a workflow's file", quoted(file)))
            .hint("write the name of its file in `.github/workflows`, like `rollback.yml`");
    }
    let mut texts = vec![(at.then("ref"), spec.branch.as_str())];
    texts.extend(spec.inputs.iter().map(|(name, text)| (at.then("inputs").then(name), text.as_str())));
    for (path, text) in &texts {
        for name in super::unknown_placeholders(text, &["version", "release", "service"]) {
            checker
                .error(path, format!("{} is no placeholder", quoted(&format!("{{{name}}}"))))
                .hint("there are `{version}`, `{release}` and `{service}`");
        }
    }
    if !texts.iter().any(|(_, text)| text.contains("{version}") || text.contains("{release}")) {
        checker
            .error_at_key(at, "the workflow is not told what to go back to")
            .hint("put `{version}` or `{release}` into an input, or into `ref`");
    }
    let count = spec.inputs.len() + usize::from(spec.key_input.is_some());
    if count > INPUTS {
        checker
            .error_at_key(
                &at.then("inputs"),
                format!("a workflow takes {INPUTS} inputs, and these are {count}"),
            )
            .hint("leave some out");
    }
    if let Some(name) = &spec.key_input {
        if spec.inputs.contains_key(name) {
            checker
                .error(&at.then("key_input"), format!("{} is an input of yours too", quoted(name)))
                .hint("give the key an input of its own, and show it in the workflow's `run-name`");
        }
    } else {
        checker
            .warn_at_key(at, "a run cannot be found again after a lost answer")
            .hint("give the workflow an input that its `run-name` shows, and name it in `key_input`");
    }
    super::serving(checker, at, "serving", spec.serving.as_ref());
    super::token(checker, at, spec.token.as_ref(), spec.token_command.as_deref(), "GITHUB_TOKEN");
    checker.address(&at.then("base_url"), &spec.base_url);
}
