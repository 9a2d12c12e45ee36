//! Docker: containers by colour, and nginx before them where it moves the traffic.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NginxTrafficSpec;
use crate::model::Span;

/// A service whose releases are containers of one Docker engine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerSpec {
    /// The engine: `unix:///path` or `tcp://host:port`. By default `DOCKER_HOST`, else the usual socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The colours by name. Each holds one release.
    pub colours: BTreeMap<String, ColourSpec>,
    /// nginx before them, which divides the traffic. Without it the traffic goes to whichever colour runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<NginxTrafficSpec>,
    /// How long a container gets to end by itself when it is stopped.
    #[serde(default = "grace", skip_serializing_if = "is_grace")]
    pub stop_within: Span,
}

/// The containers of one colour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColourSpec {
    /// The labels that they all have, like `"com.docker.compose.service" = "web-blue"`.
    pub labels: BTreeMap<String, String>,
    /// Where nginx finds them, `host:port`. Only with `traffic`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
}

const fn grace() -> Span {
    Span::secs(10)
}

fn is_grace(span: &Span) -> bool {
    *span == grace()
}
