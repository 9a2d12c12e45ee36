//! The guard's listener, and what received alarms mean.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::place;
use crate::model::ServiceName;

/// Checks both.
pub(super) fn check(checker: &mut Checker<'_>) {
    api(checker);
    alarms(checker);
    if let Some(heartbeat) = &checker.config.heartbeat {
        checker.positive(&place!["heartbeat", "interval"], heartbeat.interval);
        checker.positive(&place!["heartbeat", "timeout"], heartbeat.timeout);
    }
}

fn api(checker: &mut Checker<'_>) {
    let Some(api) = &checker.config.api else { return };
    let at = place!["api"];
    let Ok(address) = api.listen.parse::<SocketAddr>() else {
        checker
            .error(
                &at.then("listen"),
                format!("`listen` is {}, expected an address with a port", quoted(&api.listen)),
            )
            .hint("write an address, not a name, like `127.0.0.1:9094` or `[::1]:9094`");
        return;
    };
    if !address.ip().is_loopback() && api.token.is_none() {
        checker
            .error(
                &at.then("listen"),
                format!(
                    "{} can be reached from other machines, and there is no `token`",
                    quoted(&api.listen)
                ),
            )
            .hint("add `token = \"env:NAME\"` or `\"file:PATH\"`, or listen on `127.0.0.1`");
    }
}

fn alarms(checker: &mut Checker<'_>) {
    let config = checker.config;
    let at = place!["alarms"];
    for (value, service) in &config.alarms.services {
        if !config.services.contains_key(service) {
            let names = config.services.keys().map(ServiceName::as_str);
            checker.unknown(&at.then("services").then(value.as_str()), "service", service.as_str(), names);
        }
    }
    if config.alarms.service_labels.is_empty() && config.alarms.services.is_empty() {
        checker
            .warn(&at.then("service_labels"), "no label names the service: every alarm is of none")
            .hint("leave the line out, or name the labels, like `[\"service\", \"job\"]`");
    }
    if !config.alarms.watchdog.is_empty() {
        checker.positive(&at.then("watchdog_within"), config.alarms.watchdog_within);
    }
    let Some(alertmanager) = &config.alarms.alertmanager else { return };
    let at = at.then("alertmanager");
    if alertmanager.urls.is_empty() {
        checker
            .error(&at.then("urls"), "there is no address to ask")
            .hint("add every peer, like `urls = [\"http://127.0.0.1:9093\"]`, or take the section out");
    }
    let mut seen = BTreeSet::new();
    for (index, url) in alertmanager.urls.iter().enumerate() {
        let path = at.then("urls").then(index);
        checker.address(&path, url);
        if !seen.insert(url.trim_end_matches('/')) {
            checker.error(&path, "this address is here twice").hint("take one of them out");
        }
    }
    checker.headers(&at, &BTreeMap::new(), &alertmanager.secret_headers);
    checker.positive(&at.then("timeout"), alertmanager.timeout);
    if checker.positive(&at.then("interval"), alertmanager.interval) {
        checker.timeout_warning(&at, alertmanager.timeout, alertmanager.interval);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Problem, parse};

    const HEAD: &str = "[environment]\nname = \"production\"\n[services.shop]\n\
        platform = { kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"shop\" }\n\
        probes.live = { url = \"http://127.0.0.1:1/\" }\n\
        [triggers.down]\naction = \"watch\"\nwhen = { kind = \"consecutive\", failures = 3, within = \"1m\" }\n";

    fn problems(more: &str) -> Vec<Problem> {
        match parse(&format!("{HEAD}{more}\n"), "unship.toml") {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        }
    }

    /// A listener that others can reach without a token, or an Alertmanager that cannot be asked, is said with what to do.
    #[test]
    fn what_is_wrong() {
        for (more, said) in [
            (
                "[api]\nlisten = \"localhost:9094\"",
                "`listen` is `localhost:9094`, expected an address with a port",
            ),
            ("[api]\nlisten = \"127.0.0.1\"", "expected an address with a port"),
            (
                "[api]\nlisten = \"0.0.0.0:9094\"",
                "can be reached from other machines, and there is no `token`",
            ),
            ("[api]\nlisten = \"[::]:9094\"", "can be reached from other machines"),
            ("[api]\nlisten = \"127.0.0.1:1\"\ntoken = \"hunter2\"", "`env:NAME`"),
            ("[api]\nlisten = \"127.0.0.1:1\"\nrequests = 0", "`requests`"),
            ("[alarms]\nservices = { a = \"shopp\" }", "there is no service `shopp`"),
            ("[alarms]\nservice_labels = []", "no label names the service"),
            ("[alarms]\nwatchdog_within = \"0s\"", "`watchdog_within` is zero"),
            ("[alarms]\non_firing = \"page\"", "`page`"),
            ("[alarms]\nseverity = { page = \"1\" }", "sev1"),
            ("[alarms.alertmanager]\nurls = []", "there is no address to ask"),
            ("[alarms.alertmanager]\nurls = [\"am:9093\"]", "does not begin with `http://` or `https://`"),
            (
                "[alarms.alertmanager]\nurls = [\"http://am:1\", \"http://am:1/\"]",
                "this address is here twice",
            ),
            ("[alarms.alertmanager]\nurls = [\"http://am:1\"]\ninterval = \"0s\"", "`interval` is zero"),
            ("[alarms.alertmanager]\nurls = [\"http://am:1\"]\ntimeout = \"1m\"", "longer than `interval`"),
        ] {
            let found = problems(more);
            let shown = crate::config::render(&found);
            assert_eq!(found.len(), 1, "{more}\n{shown}");
            assert!(shown.contains(said), "{said:?} is not in\n{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    /// What is fine is taken without a word.
    #[test]
    fn what_is_fine() {
        for more in [
            "[api]\nlisten = \"127.0.0.1:0\"",
            "[api]\nlisten = \"[::1]:9094\"",
            "[api]\nlisten = \"0.0.0.0:9094\"\ntoken = \"env:TOKEN\"",
            "[alarms]\nservices = { a = \"shop\" }\nseverity = { page = \"sev1\" }",
            "[alarms]\nwatchdog = \"\"\nwatchdog_within = \"0s\"",
            "[alarms.alertmanager]\nurls = [\"http://am:9093/prefix/\"]",
        ] {
            assert_eq!(problems(more), [], "{more}");
        }
    }
}
