//! Docker: the colours, and nginx before them.

use super::super::Checker;
use super::nginx::{is_plain, traffic};
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::DockerSpec;

/// Checks a service of containers. `at` is its platform.
pub(in crate::config::check) fn docker(checker: &mut Checker<'_>, spec: &DockerSpec, at: &Path) {
    if !cfg!(feature = "docker") {
        checker
            .error(&at.then("kind"), "this build of unship has no `docker`")
            .hint("build it with `--features docker`");
    }
    if let Some(host) = &spec.host
        && !["unix://", "tcp://", "http://"].iter().any(|scheme| host.starts_with(scheme))
    {
        checker
            .error(&at.then("host"), format!("{} is no engine's address", quoted(host)))
            .hint("write it like `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`");
    }
    if spec.colours.len() < 2 {
        checker
            .warn_at_key(&at.then("colours"), "with fewer than two colours there is nothing to go back to")
            .hint("add one: `[services.NAME.platform.colours.green]` with `labels`");
    }
    for (name, colour) in &spec.colours {
        let path = at.then("colours").then(name);
        if !is_plain(name) {
            checker
                .error_at_key(&path, format!("{} cannot name a colour", quoted(name)))
                .hint("use letters, digits, `-` and `_`");
        }
        if colour.labels.is_empty() {
            checker
                .error(&path.then("labels"), format!("nothing tells the containers of `{name}` from others"))
                .hint("write the labels that they all have, like `\"com.docker.compose.service\" = \"web-blue\"`");
        }
        let same = spec.colours.iter().find(|(other, one)| *other != name && one.labels == colour.labels);
        if let Some((other, _)) = same.filter(|(other, _)| *other < name) {
            checker
                .error(
                    &path.then("labels"),
                    format!("`{other}` has the same labels: they would be one colour"),
                )
                .hint("a label has to differ, like `com.docker.compose.service`");
        }
        match (&spec.traffic, colour.servers.is_empty()) {
            (Some(_), true) => {
                checker
                    .error_at_key(&path, format!("nginx does not know where `{name}` is"))
                    .hint("add `servers = [\"127.0.0.1:8081\"]`");
            }
            (None, false) => {
                checker
                    .error_at_key(&path.then("servers"), "there is no `traffic` that would use them")
                    .hint("take them out, or add `[services.NAME.platform.traffic]`");
            }
            _ => {}
        }
    }
    if let Some(spec) = &spec.traffic {
        traffic(checker, spec, &at.then("traffic"));
    }
}
