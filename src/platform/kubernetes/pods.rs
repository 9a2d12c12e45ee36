//! The pods of a workload: how they are, what they use, and what they write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{AsyncBufReadExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::PlatformError;
use super::super::text::escape;
use super::{Kubernetes, selector};
use crate::model::platform::{Instance, LogLine, LogQuery};

/// How often pods are looked for that came since.
const LOOK: Duration = Duration::from_secs(3);

/// A pod, as far as it is needed.
struct Pod {
    name: String,
    hash: String,
    object: Value,
}

impl Pod {
    fn instance(&self, used: Option<&Value>) -> Instance {
        let status = &self.object["status"];
        let containers = status["containerStatuses"].as_array().cloned().unwrap_or_default();
        // Why a container waits says more than the phase: `CrashLoopBackOff` is a phase of `Running`.
        let waits = containers.iter().find_map(|container| container["state"]["waiting"]["reason"].as_str());
        let is_going = self.object["metadata"]["deletionTimestamp"].is_string();
        let state = match (is_going, waits) {
            (true, _) => "Terminating",
            (_, Some(reason)) => reason,
            _ => status["phase"].as_str().unwrap_or("Unknown"),
        };
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready =
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let restarts: u64 =
            containers.iter().filter_map(|container| container["restartCount"].as_u64()).sum();
        let used = used.and_then(|used| used["containers"].as_array());
        let sum = |name: &str| -> Option<f64> {
            used?.iter().map(|container| quantity(container["usage"][name].as_str()?)).sum()
        };
        Instance {
            name: escape(&self.name),
            release: Some(self.hash.as_str().into()),
            state: escape(state),
            ready: ready && !is_going,
            restarts: u32::try_from(restarts).ok(),
            cpu_cores: sum("cpu"),
            memory_bytes: sum("memory").map(|bytes| bytes as u64),
            since: status["startTime"].as_str().and_then(|at| at.parse().ok()),
        }
    }

    /// Whether it has written or may write something.
    fn has_begun(&self) -> bool {
        matches!(self.object["status"]["phase"].as_str(), Some("Running" | "Succeeded" | "Failed"))
    }
}

/// A quantity as Kubernetes writes it: `250m`, `64Mi`, `1e3`
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'));
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    // `12E` is exa: an exponent has digits behind it.
    let (number, unit) = match number.strip_suffix('E') {
        Some(number) => (number, "E"),
        None => (number, unit),
    };
    let factor = match unit {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

impl Kubernetes {
    async fn all_pods(&self) -> Result<Vec<Pod>, PlatformError> {
        let seen = self.see().await?;
        let owners: BTreeMap<_, _> = seen
            .sets
            .iter()
            .filter_map(|set| Some((set.object["metadata"]["uid"].as_str()?.to_owned(), set.hash.clone())))
            .collect();
        let selector = selector(&seen.workload);
        let path = format!("/api/v1/namespaces/{}/pods", self.spec.namespace);
        let pods = self.api.list("list the pods", &path, &selector).await?;
        Ok(pods
            .into_iter()
            .filter_map(|object| {
                let references = object["metadata"]["ownerReferences"].as_array()?;
                let hash = references.iter().find_map(|owner| owners.get(owner["uid"].as_str()?))?.clone();
                Some(Pod { name: object["metadata"]["name"].as_str()?.to_owned(), hash, object })
            })
            .collect())
    }

    /// The pods, with what they use where the cluster has a metrics server.
    pub(super) async fn pods(&self) -> Result<Vec<Instance>, PlatformError> {
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods", self.spec.namespace);
        let (pods, used) = tokio::join!(self.all_pods(), self.api.list("read what pods use", &path, ""));
        let used: BTreeMap<String, Value> = used
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| Some((one["metadata"]["name"].as_str()?.to_owned(), one)))
            .collect();
        Ok(pods?.iter().map(|pod| pod.instance(used.get(&pod.name))).collect())
    }

    /// The log of every pod at once, and of those that come while it is followed.
    pub(super) async fn follow(
        &self,
        query: &LogQuery,
        out: &mpsc::Sender<LogLine>,
    ) -> Result<(), PlatformError> {
        let wanted = |pod: &Pod| {
            pod.has_begun() && query.release.as_ref().is_none_or(|release| release.as_str() == pod.hash)
        };
        let mut followed: BTreeSet<String> = BTreeSet::new();
        // Where a pod's log broke off, to go on from there.
        let mut broken: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut streams = FuturesUnordered::new();
        let mut is_first = true;
        loop {
            match self.all_pods().await {
                Ok(pods) => {
                    let mut pods = pods.into_iter().filter(wanted).peekable();
                    if is_first && !query.follow && pods.peek().is_none() {
                        return Err(PlatformError::Permanent("no pod has written anything yet".to_owned()));
                    }
                    for pod in pods {
                        if followed.insert(pod.name.clone()) {
                            let since = broken.remove(&pod.name).or(query.since);
                            // Of a pod that came later everything is new.
                            let tail = is_first.then_some(query.tail);
                            streams.push(self.follow_pod(pod.name, tail, since, query.follow, out));
                        }
                    }
                }
                Err(PlatformError::Transient(_)) if !is_first => {}
                Err(error) => return Err(error),
            }
            is_first = false;
            let look = sleep(LOOK);
            tokio::pin!(look);
            loop {
                if streams.is_empty() && !query.follow {
                    return Ok(());
                }
                tokio::select! {
                    () = out.closed() => return Ok(()),
                    () = &mut look, if query.follow => break,
                    ended = streams.next(), if !streams.is_empty() => match ended {
                        Some((name, last, Ok(()))) if query.follow => {
                            if let Some(last) = last {
                                broken.insert(name.clone(), last);
                            }
                            followed.remove(&name);
                        }
                        Some((.., Err(error @ PlatformError::Permanent(_)))) => return Err(error),
                        Some((name, ..)) => {
                            followed.remove(&name);
                        }
                        None => {}
                    },
                }
            }
        }
    }

    /// One pod's log until its end, and the time of its last line.
    async fn follow_pod(
        &self,
        name: String,
        tail: Option<u32>,
        since: Option<Timestamp>,
        follow: bool,
        out: &mpsc::Sender<LogLine>,
    ) -> (String, Option<Timestamp>, Result<(), PlatformError>) {
        let mut path = format!(
            "/api/v1/namespaces/{}/pods/{name}/log?timestamps=true&follow={follow}",
            self.spec.namespace
        );
        if let Some(tail) = tail {
            let _ = write!(path, "&tailLines={tail}");
        }
        if let Some(since) = since {
            let _ = write!(path, "&sinceTime={since}");
        }
        if let Some(container) = &self.spec.container {
            let _ = write!(path, "&container={container}");
        }
        let stream = match self.api.stream(&format!("read the log of {name}"), &path).await {
            Ok(stream) => stream,
            // The pod is gone, or its container has not begun: others go on.
            Err(refused) if follow && matches!(refused.status, Some(400 | 404)) => {
                return (name, since, Ok(()));
            }
            Err(refused) => return (name, since, Err(refused.into())),
        };
        let stream = std::pin::pin!(stream);
        let mut lines = stream.lines();
        let mut last = since;
        while let Some(Ok(line)) = lines.next().await {
            let (time, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let at: Option<Timestamp> = time.parse().ok();
            // Going on after a break, the API gives the last second again.
            if at.is_some() && tail.is_none() && at <= since {
                continue;
            }
            let text = if at.is_some() { rest } else { &line };
            last = at.or(last);
            let line = LogLine { at, instance: name.clone(), text: text.to_owned() };
            if out.send(line).await.is_err() {
                break;
            }
        }
        (name, last, Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way in which Kubernetes writes a quantity.
    #[test]
    fn quantities() {
        for (text, value) in [
            ("250m", Some(0.25)),
            ("12345678n", Some(0.012_345_678)),
            ("2", Some(2.0)),
            ("64Mi", Some(67_108_864.0)),
            ("128974848", Some(128_974_848.0)),
            ("129e6", Some(129_000_000.0)),
            ("129M", Some(129_000_000.0)),
            ("1E", Some(1e18)),
            ("a lot", None),
            ("", None),
        ] {
            assert_eq!(quantity(text), value, "{text}");
        }
    }
}
