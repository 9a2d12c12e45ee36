//! Channels to people: their addresses, and whom they fall back on.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::model::ChannelName;
use crate::model::channel::{ChannelSpec, EmailSpec, EmailTls, WebhookSpec};

/// Checks every channel and what concerns all of them.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, channel) in &config.channels {
        let at = place!["channels", name];
        let timeout = match channel {
            ChannelSpec::Webhook(spec) => {
                webhook(checker, &at, name, spec);
                Some(spec.timeout)
            }
            ChannelSpec::Slack(spec) => Some(spec.timeout),
            ChannelSpec::Teams(spec) => Some(spec.timeout),
            ChannelSpec::Discord(spec) => {
                if let Some(thread) = &spec.thread
                    && (thread.is_empty() || !thread.bytes().all(|byte| byte.is_ascii_digit()))
                {
                    checker
                        .error(
                            &at.then("thread"),
                            format!("`thread` is {}, expected a number", quoted(thread)),
                        )
                        .hint("copy the thread's ID in Discord: it is digits only, in quotes here");
                }
                Some(spec.timeout)
            }
            ChannelSpec::Pagerduty(spec) => {
                if let Some(endpoint) = &spec.endpoint {
                    checker.address(&at.then("endpoint"), endpoint);
                }
                Some(spec.timeout)
            }
            ChannelSpec::Email(spec) => {
                email(checker, &at, name, spec);
                Some(spec.timeout)
            }
            ChannelSpec::Desktop(_) => None,
        };
        if let Some(timeout) = timeout {
            checker.positive(&at.then("timeout"), timeout);
        }
        fallback(checker, &at, name, channel);
    }
    if let Some(test) = &config.notify.test
        && !config.channels.contains_key(test)
    {
        unknown(checker, &place!["notify", "test"], test);
    }
}

fn unknown(checker: &mut Checker<'_>, path: &Path, name: &ChannelName) {
    let config = checker.config;
    checker.unknown(path, "channel", name.as_str(), config.channels.keys().map(ChannelName::as_str));
}

/// A page has to arrive somewhere in the end, and not go round in circles.
fn fallback(checker: &mut Checker<'_>, at: &Path, name: &ChannelName, channel: &ChannelSpec) {
    let channels = &checker.config.channels;
    let Some(fallback) = channel.fallback() else { return };
    let path = at.then("fallback");
    let Some(spec) = channels.get(fallback) else {
        unknown(checker, &path, fallback);
        return;
    };
    if !spec.counts() {
        checker
            .error(
                &path,
                format!(
                    "{} cannot be a fallback: nobody knows who sees a desktop",
                    quoted(fallback.as_str())
                ),
            )
            .hint("name a channel that says whether it took the page");
        return;
    }
    let mut seen = BTreeSet::new();
    let mut next = Some(fallback);
    while let Some(step) = next {
        if step == name {
            checker
                .error(&path, format!("the fallbacks of {} lead back to it", quoted(name.as_str())))
                .hint("take the last one out");
            return;
        }
        // A circle that this one only leads into is said where it is.
        if !seen.insert(step) {
            return;
        }
        next = channels.get(step).and_then(ChannelSpec::fallback);
    }
}

fn webhook(checker: &mut Checker<'_>, at: &Path, name: &ChannelName, webhook: &WebhookSpec) {
    match (&webhook.url, &webhook.secret_url) {
        (None, None) => {
            checker
                .error_at_key(at, format!("the webhook {} has no address", quoted(name.as_str())))
                .hint("add `url`, or `secret_url` if the address holds a token");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(
                    &at.then("secret_url"),
                    format!("the webhook {} has both `url` and `secret_url`", quoted(name.as_str())),
                )
                .hint("keep one: `secret_url` if the address holds a token");
        }
        (Some(url), None) => checker.address(&at.then("url"), url),
        (None, Some(_)) => {}
    }
    checker.headers(at, &BTreeMap::new(), &webhook.secret_headers);
}

fn email(checker: &mut Checker<'_>, at: &Path, name: &ChannelName, email: &EmailSpec) {
    let server = email.server.as_str();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    if server.is_empty() || !server.chars().all(is_host) {
        checker
            .error(&at.then("server"), format!("`server` is {}, expected the name of a host", quoted(server)))
            .hint("write it without anything around it, like `smtp.example.com`; the port is `port`");
    }
    let mut mailbox = |path: &Path, text: &str| {
        if !is_mailbox(text) {
            checker
                .error(path, format!("{} is no mail address", quoted(text)))
                .hint("write `name@example.com` or `Name <name@example.com>`");
        }
    };
    mailbox(&at.then("from"), &email.from);
    for (index, to) in email.to.iter().enumerate() {
        mailbox(&at.then("to").then(index), to);
    }
    if email.to.is_empty() {
        checker
            .error(&at.then("to"), format!("{} writes to nobody", quoted(name.as_str())))
            .hint("add at least one address: `to = [\"oncall@example.com\"]`");
    }
    match (&email.user, &email.password) {
        (Some(_), None) => {
            checker
                .error(&at.then("user"), "`user` has no `password`")
                .hint("add `password = \"env:NAME\"` or `\"file:PATH\"`");
        }
        (None, Some(_)) => {
            checker.error(&at.then("password"), "`password` has no `user`").hint("add `user`");
        }
        (Some(_), Some(_)) if email.tls == EmailTls::None => {
            checker
                .error(&at.then("tls"), "`user` and its password would be sent in plain text")
                .hint("set `tls` to `starttls` or `implicit`");
        }
        _ => {}
    }
    if email.tls == EmailTls::None && email.ca.is_some() {
        checker
            .error(&at.then("ca"), "`ca` is of no use without `tls`")
            .hint("set `tls` to `starttls` or `implicit`, or take `ca` out");
    }
}

/// As far as one can tell without asking: a name, an `@` and a domain, perhaps in angle brackets after a name.
fn is_mailbox(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => match rest.strip_suffix('>') {
            Some(address) => address,
            None => return false,
        },
        None => text,
    };
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"<>,;@\"".contains(c));
    address.split_once('@').is_some_and(|(name, domain)| is_plain(name) && is_plain(domain))
}
