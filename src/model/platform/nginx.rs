//! nginx in front of a few backends: who gets how much of the traffic stands in one file that unship writes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Span;

/// A service behind nginx whose backends are started by something else.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NginxSpec {
    /// The file, and how nginx is told of it.
    pub traffic: NginxTrafficSpec,
    /// The backends by name (a colour, a slot). Two are enough for blue/green and for a canary.
    pub backends: BTreeMap<String, BackendSpec>,
}

/// One backend: one release at a time, on one server or more.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendSpec {
    /// Its servers as nginx writes them, `host:port` or `unix:/path`.
    pub servers: Vec<String>,
    /// The version that it serves: an address that tells, or (where it never changes) the version itself.
    pub version: String,
    /// Where in the JSON of that address the version stands, as a JSON pointer; without it, the whole body is the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The header of that answer that holds the version, in place of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Where in the JSON the release's time stands (RFC 3339), as a JSON pointer. Without it the time of the generated file
    /// stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// How unship moves traffic in nginx: one generated file with an upstream, which nginx includes in its `http` block.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NginxTrafficSpec {
    /// The generated file. Its folder has to be writable: the file is replaced, never written in place.
    pub file: String,
    /// The name of the upstream that `proxy_pass` names; the service's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The address at which nginx answers the generation that it runs:
    /// `location = /-/generation { return 200 "$unship_UPSTREAM_generation"; }`.
    pub generation: String,
    /// The program that is given `-t` and `-s reload`.
    #[serde(default = "nginx", skip_serializing_if = "is_nginx")]
    pub program: Vec<String>,
    /// What tests the configuration, in place of `program -t`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// What makes nginx read it again, in place of `program -s reload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Vec<String>>,
    /// How long nginx may take to answer the new generation after a reload; then the old file is put back.
    #[serde(default = "five_seconds")]
    pub reload_within: Span,
    /// nginx's error log, for the reason of a reload that it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_log: Option<String>,
    /// Whether the configuration looks at `$unship_UPSTREAM_maintenance`, so that there is a maintenance page to turn on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maintenance: bool,
}

fn nginx() -> Vec<String> {
    vec!["nginx".to_owned()]
}

fn is_nginx(program: &[String]) -> bool {
    program == ["nginx"]
}

const fn five_seconds() -> Span {
    Span::secs(5)
}
