//! nginx: the generated file and the backends.

use std::collections::BTreeMap;

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::{BackendSpec, NginxSpec, NginxTrafficSpec};
use crate::model::pointer;

/// Checks a service behind nginx. `at` is its platform.
pub(in crate::config::check) fn nginx(checker: &mut Checker<'_>, spec: &NginxSpec, at: &Path) {
    traffic(checker, &spec.traffic, &at.then("traffic"));
    if spec.backends.len() < 2 {
        checker
            .warn_at_key(&at.then("backends"), "with fewer than two backends there is nothing to go back to")
            .hint("add one: `[services.NAME.platform.backends.green]` with `servers` and `version`");
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, backend) in &spec.backends {
        let path = at.then("backends").then(name);
        if !is_plain(name) {
            checker
                .error_at_key(&path, format!("{} cannot name a backend", quoted(name)))
                .hint("use letters, digits, `-` and `_`");
        }
        servers(checker, backend, &path);
        for (index, server) in backend.servers.iter().enumerate() {
            if let Some(other) = taken.insert(server, name).filter(|other| other != name) {
                checker
                    .error(
                        &path.then("servers").then(index),
                        format!("{} is a server of `{other}` too", quoted(server)),
                    )
                    .hint("a server belongs to one backend: otherwise nobody can say who gets its traffic");
            }
        }
    }
}

/// Checks how unship moves traffic in nginx.
pub(in crate::config::check) fn traffic(checker: &mut Checker<'_>, spec: &NginxTrafficSpec, at: &Path) {
    if !std::path::Path::new(&spec.file).is_absolute() {
        checker
            .error(&at.then("file"), format!("{} is not a path from the root", quoted(&spec.file)))
            .hint("write the file that nginx includes, like `/etc/nginx/unship/checkout.conf`");
    }
    checker.address(&at.then("generation"), &spec.generation);
    checker.positive(&at.then("reload_within"), spec.reload_within);
    if let Some(upstream) = spec.upstream.as_ref().filter(|upstream| !is_plain(upstream)) {
        checker
            .error(&at.then("upstream"), format!("{} cannot name an upstream", quoted(upstream)))
            .hint("use letters, digits, `-`, `_` and `.`");
    }
    let programs =
        [("program", Some(&spec.program)), ("test", spec.test.as_ref()), ("reload", spec.reload.as_ref())];
    for (key, argv) in programs {
        if argv.is_some_and(|argv| argv.first().is_none_or(|program| program.trim().is_empty())) {
            checker
                .error(&at.then(key), format!("`{key}` names no program"))
                .hint("write the program and its arguments: `[\"nginx\", \"-c\", \"/srv/nginx.conf\"]`");
        }
    }
}

fn servers(checker: &mut Checker<'_>, backend: &BackendSpec, at: &Path) {
    if backend.servers.is_empty() {
        checker
            .error(&at.then("servers"), "there is no server")
            .hint("write where nginx finds it: `[\"127.0.0.1:8081\"]`");
    }
    for (index, server) in backend.servers.iter().enumerate() {
        let odd = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, ';' | '{' | '}' | '#' | '"' | '\'' | '$')
        };
        if server.is_empty() || server.contains(odd) || server.contains("://") {
            checker
                .error(&at.then("servers").then(index), format!("{} is not a server", quoted(server)))
                .hint("write `host:port` or `unix:/path`, without `http://`");
        }
    }
    if backend.version.contains("://") {
        checker.address(&at.then("version"), &backend.version);
    } else if backend.version.trim().is_empty() || backend.version.contains(char::is_control) {
        checker
            .error(&at.then("version"), "there is no version")
            .hint("write the address at which the backend tells its version, or the version itself");
    }
    for (key, pointer) in [("pointer", &backend.pointer), ("created", &backend.created)] {
        if let Some(fault) = pointer.as_deref().and_then(pointer::fault) {
            checker
                .error(&at.then(key), format!("`{key}` is not a JSON pointer: {fault}"))
                .hint("write the way to the value, like `/build/version`");
        }
    }
    if backend.header.is_some() && backend.pointer.is_some() {
        checker
            .error(&at.then("header"), "the version is either in a header or in the body, not in both")
            .hint("keep one of `header` and `pointer`");
    }
}

/// What may stand in a configuration of nginx without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
