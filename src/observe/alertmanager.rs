//! Asking an Alertmanager which alarms there are, and silencing there: its API of version 2, at every peer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::model::received::spec::AlertmanagerSpec;
use crate::model::received::{AlarmPoll, AlarmReport, alertmanager};
use crate::model::secret::Secrets;

use super::http::{Ask, Client, Endpoint, Exchange, Line};

/// The largest list that is read, in bytes.
const LIST_LIMIT: u64 = 32 * 1024 * 1024;
/// The most alarms of a peer that are taken.
const ALARMS_LIMIT: usize = 10_000;
/// The largest answer to anything else.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// An Alertmanager with all its peers, ready to be asked.
pub struct Alertmanager {
    peers: Vec<Peer>,
    client: Client,
    timeout: Duration,
    /// How often it wants to be asked.
    pub interval: Duration,
}

struct Peer {
    /// Its address, to be shown.
    shown: String,
    /// The path that its API is below.
    path: String,
    line: Mutex<Line>,
}

/// Which alarms a silence is for: labels with these values.
pub type Matchers = BTreeMap<String, String>;

/// A silence that is to be made.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Which alarms.
    pub matchers: Matchers,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who makes it.
    pub by: String,
    /// Why.
    pub comment: String,
}

impl std::fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peers: Vec<_> = self.peers.iter().map(|peer| &peer.shown).collect();
        f.debug_struct("Alertmanager").field("peers", &peers).finish_non_exhaustive()
    }
}

impl Alertmanager {
    /// Checks the addresses; connects to nothing yet. An error is in words.
    pub fn new(spec: &AlertmanagerSpec, secrets: &Arc<Secrets>) -> Result<Self, String> {
        let peers = spec.urls.iter().map(|url| {
            let base = url.trim_end_matches('/');
            let endpoint = Endpoint::json("GET", base, &spec.secret_headers, secrets)?;
            let path = reqwest::Url::parse(base).map_err(|error| error.to_string())?;
            let path = path.path().trim_end_matches('/').to_owned();
            Ok(Peer { shown: base.to_owned(), path, line: Mutex::new(Line::new(endpoint)) })
        });
        let peers: Vec<Peer> = peers.collect::<Result<_, String>>()?;
        let client = Client::new(peers.len(), Arc::clone(secrets));
        Ok(Self { peers, client, timeout: *spec.timeout, interval: *spec.interval })
    }

    /// Asks every peer which alarms there are, at the same time.
    pub async fn poll(&self) -> AlarmPoll {
        let asked_at = Timestamp::now();
        let asked_at = Timestamp::from_millisecond(asked_at.as_millisecond()).unwrap_or(asked_at);
        let target = "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true";
        let answers = self.peers.iter().map(|peer| async move {
            let answer = self.list(peer, target).await;
            (peer.shown.clone(), answer.map_err(|why| self.client.secrets().redact(&why)))
        });
        AlarmPoll { asked_at, peers: join_all(answers).await }
    }

    /// The alarms that a silence would be for now, at every peer; an alarm that several have counts once.
    pub async fn matching(&self, matchers: &Matchers) -> Result<Vec<AlarmReport>, String> {
        let filters: Vec<String> = matchers
            .iter()
            .map(|(label, value)| {
                let filter = format!("{label}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
                format!("filter={}", encode(&filter))
            })
            .collect();
        let target = format!("/api/v2/alerts?{}", filters.join("&"));
        let mut found: BTreeMap<String, AlarmReport> = BTreeMap::new();
        for peer in &self.peers {
            let reports = self.list(peer, &target).await.map_err(|why| format!("{}: {why}", peer.shown))?;
            found.extend(reports.into_iter().map(|report| (report.fingerprint.clone(), report)));
        }
        Ok(found.into_values().collect())
    }

    /// Makes a silence at the first peer that takes it; peers tell each other. Gives its id. An error is in words.
    pub async fn silence(&self, silence: &Silence) -> Result<String, String> {
        let matchers: Vec<Value> = silence
            .matchers
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value, "isRegex": false, "isEqual": true }))
            .collect();
        let body = json!({
            "matchers": matchers, "startsAt": silence.from, "endsAt": silence.until,
            "createdBy": silence.by, "comment": silence.comment,
        });
        let mut faults = Vec::new();
        for peer in &self.peers {
            let ask =
                Ask::post(&format!("{}/api/v2/silences", peer.path), "application/json", body.to_string())?;
            // Asked twice, there would be two.
            let ask = Ask { method: Method::POST, is_repeatable: false, ..ask };
            let exchange =
                peer.line.lock().await.ask_for(&ask, &self.client, self.timeout, ANSWER_LIMIT).await;
            let answer = understand(exchange, self.client.secrets()).and_then(|answer| {
                answer["silenceID"]
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| "no `silenceID` in the answer".into())
            });
            match answer {
                Ok(id) => return Ok(id),
                Err(why) => faults.push(format!("{}: {why}", peer.shown)),
            }
        }
        Err(self.client.secrets().redact(&faults.join("; ")))
    }

    async fn list(&self, peer: &Peer, target: &str) -> Result<Vec<AlarmReport>, String> {
        let ask = Ask::get(&format!("{}{target}", peer.path))?;
        let exchange = peer.line.lock().await.ask_for(&ask, &self.client, self.timeout, LIST_LIMIT).await;
        let reports = alertmanager::listed(&understand(exchange, self.client.secrets())?)?;
        // Part of a list would let the rest of it be over.
        if reports.len() > ALARMS_LIMIT {
            return Err(format!("it has {} alarms, more than {ALARMS_LIMIT}", reports.len()));
        }
        Ok(reports)
    }
}

/// The JSON of an answer that succeeded, or why there is none.
fn understand(exchange: Exchange, secrets: &Secrets) -> Result<Value, String> {
    let body = exchange.body.map_err(|failure| failure.words().to_owned())?;
    let status = exchange.status.unwrap_or_default();
    if !(200..300).contains(&status) {
        let said: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
        return Err(format!("it answered {status}: {said}"));
    }
    // A secret of ours in a label would get into the journal, which is kept for ever.
    let text = secrets.redact(&String::from_utf8_lossy(&body));
    serde_json::from_str(&text).map_err(|error| format!("the answer is not JSON: {error}"))
}

/// A text as part of a query.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
