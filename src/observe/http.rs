//! The HTTP client of the senses: one exchange, at the least cost, with a failure that says what it means.
//!
//! It stands directly on hyper's HTTP/1.1 connection instead of a pooling client, for two reasons. A target is asked by
//! one task, one request at a time, so its connection can simply live in that task: no pool, no lock, no background task.
//! And a check that *could not be run from here* (no name resolution, no route, no file handle) has to be told from one
//! that the target failed, which needs to know the phase in which a failure happened.
//!
//! Redirects are not followed, no proxy is asked, nothing is decompressed, cookies are not kept. A user name in an address
//! is refused: it would be a secret in a place that is shown.

mod dial;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use crate::model::secret::{SecretRef, Secrets};
use crate::model::units::human;

pub(crate) use dial::Client;
use dial::{Peer, Stream, from_io};

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// It could not be asked from here; that says nothing about the target.
    NotRun(String),
    /// The target refused, broke off, took too long or did not speak HTTP.
    Failed(String),
}

impl Failure {
    /// The words.
    pub(crate) fn words(&self) -> &str {
        let (Self::NotRun(words) | Self::Failed(words)) = self;
        words
    }
}

/// One exchange, however it ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// When it began.
    pub(crate) at: Timestamp,
    /// From beginning to the last byte.
    pub(crate) took: Duration,
    /// The status, if one came.
    pub(crate) status: Option<u16>,
    /// The body.
    pub(crate) body: Result<Vec<u8>, Failure>,
}

impl Exchange {
    /// Whether it used up its time without coming to an end, in whatever phase.
    pub(crate) fn hung(&self, timeout: Duration) -> bool {
        self.body.is_err() && self.took >= timeout
    }
}

/// What is asked of one target, made once.
#[derive(Debug)]
pub(crate) struct Endpoint {
    peer: Peer,
    /// What is asked where nothing else is said.
    ask: Ask,
    headers: HeaderMap,
    keep: bool,
    /// The address without user name and query, to be shown.
    pub(crate) shown: String,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: Uri,
    /// On top of the endpoint's own.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Asking twice is the same as asking once.
    pub(crate) is_repeatable: bool,
}

impl Ask {
    /// A request for a path and query, without a body.
    pub(crate) fn get(target: &str) -> Result<Self, String> {
        Ok(Self {
            method: Method::GET,
            target: target.parse().map_err(|_| "a path with odd characters")?,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_repeatable: true,
        })
    }

    /// A question that is sent in a body, and changes nothing.
    pub(crate) fn post(target: &str, media: &'static str, body: String) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        Ok(Self { method: Method::POST, headers, body: Bytes::from(body), ..Self::get(target)? })
    }
}

/// How an endpoint is described in a config.
pub(crate) struct Description<'a> {
    pub(crate) url: &'a str,
    pub(crate) method: &'a str,
    pub(crate) accept: &'static str,
    pub(crate) headers: &'a BTreeMap<String, String>,
    pub(crate) secret_headers: &'a BTreeMap<String, SecretRef>,
    /// Keep the connection between two exchanges.
    pub(crate) keep: bool,
}

impl Endpoint {
    /// Checks a description. The error is in words and repeats no secret.
    pub(crate) fn new(description: &Description<'_>, secrets: &Secrets) -> Result<Self, String> {
        let url = reqwest::Url::parse(description.url).map_err(|error| format!("not an address: {error}"))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("`{other}` is not `http` or `https`")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("an address without a host")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address carries a user name; send it as a secret header instead".to_owned());
        }
        let port = url.port_or_known_default().ok_or("an address without a port")?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let shown = format!("{}://{authority}{}", url.scheme(), url.path());
        let target =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));

        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|_| "a host with odd characters")?);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("unship/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static(description.accept));
        if !description.keep {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in description.headers {
            insert(&mut headers, name, value, false)?;
        }
        for (name, reference) in description.secret_headers {
            let secret =
                secrets.get(reference).ok_or_else(|| format!("the secret `{reference}` was not read"))?;
            insert(&mut headers, name, secret.expose(), true)?;
        }
        let method = Method::from_bytes(description.method.as_bytes())
            .map_err(|_| format!("`{}` is not a method", description.method))?;
        let ask = Ask { is_repeatable: method.is_idempotent(), method, ..Ask::get(&target)? };
        Ok(Self { peer: Peer::new(host, port, tls)?, ask, headers, keep: description.keep, shown })
    }

    /// One that answers JSON, asked again and again.
    pub(crate) fn json(
        method: &str,
        url: &str,
        secret_headers: &BTreeMap<String, SecretRef>,
        secrets: &Secrets,
    ) -> Result<Self, String> {
        let headers = &BTreeMap::new();
        let accept = "application/json";
        Self::new(&Description { url, method, accept, headers, secret_headers, keep: true }, secrets)
    }

    /// What `ask` describes, with what is sent to this endpoint every time.
    fn request(&self, ask: &Ask) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(ask.body.clone()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.target.clone();
        let mut headers = self.headers.clone();
        for (name, value) in &ask.headers {
            headers.insert(name.clone(), value.clone());
        }
        *request.headers_mut() = headers;
        request
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str, secret: bool) -> Result<(), String> {
    let key =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header's name"))?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of the header `{name}` has characters that a header cannot carry"))?;
    value.set_sensitive(secret || key == AUTHORIZATION);
    headers.insert(key, value);
    Ok(())
}

/// An endpoint and the connection that is kept to it.
pub(crate) struct Line {
    endpoint: Endpoint,
    kept: Option<(Connection, OwnedSemaphorePermit)>,
}

/// What is known of an exchange that is given up in the middle.
#[derive(Default)]
struct Progress {
    /// The name is being resolved.
    resolving: bool,
    /// The request has been handed over to a connection that was ready.
    sent: bool,
    status: Option<u16>,
}

impl Line {
    pub(crate) const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, kept: None }
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks once. Everything, to the last byte of the body, has to happen within `timeout`; a body of more than `limit`
    /// bytes is given up.
    pub(crate) async fn ask(&mut self, client: &Client, timeout: Duration, limit: u64) -> Exchange {
        let ask = self.endpoint.ask.clone();
        self.ask_for(&ask, client, timeout, limit).await
    }

    /// Asks for something else than what the endpoint is for, of the same target.
    pub(crate) async fn ask_for(
        &mut self,
        ask: &Ask,
        client: &Client,
        timeout: Duration,
        limit: u64,
    ) -> Exchange {
        let at = Timestamp::now();
        let began = Instant::now();
        let mut progress = Progress::default();
        let result = tokio::time::timeout(timeout, self.exchange(ask, client, limit, &mut progress)).await;
        let body = result.unwrap_or_else(|_| {
            let within = human(timeout);
            Err(if progress.resolving {
                Failure::NotRun(format!(
                    "no name resolution of `{}` within {within}",
                    self.endpoint.peer.host
                ))
            } else if progress.status.is_some() {
                Failure::Failed(format!("no full answer within {within}"))
            } else {
                Failure::Failed(format!("no answer within {within}"))
            })
        });
        Exchange { at, took: began.elapsed(), status: progress.status, body }
    }

    async fn exchange(
        &mut self,
        ask: &Ask,
        client: &Client,
        limit: u64,
        progress: &mut Progress,
    ) -> Result<Vec<u8>, Failure> {
        if let Some((mut connection, permit)) = self.kept.take() {
            match connection.send(self.endpoint.request(ask), limit, progress).await {
                Ok(body) => {
                    self.keep(connection, Some(permit), client);
                    return Ok(body);
                }
                // The other side may have closed an idle connection at any moment. What was not sent, or can be sent
                // twice without harm, is asked again on a new one; an answer that had begun is an answer.
                Err(Broken::Http(_))
                    if progress.status.is_none() && (!progress.sent || ask.is_repeatable) => {}
                Err(broken) => return Err(broken.into_failure(limit)),
            }
        }
        progress.resolving = true;
        let addresses = client.resolve(&self.endpoint.peer).await?;
        progress.resolving = false;
        let stream = client.connect(&self.endpoint.peer, &addresses).await?;
        let mut connection = Connection::open(stream).await.map_err(|error| broken_http(&error))?;
        let body = connection
            .send(self.endpoint.request(ask), limit, progress)
            .await
            .map_err(|broken| broken.into_failure(limit))?;
        self.keep(connection, None, client);
        Ok(body)
    }

    /// Keeps a connection for the next exchange, if the target wants that and there are file handles to spare.
    fn keep(&mut self, connection: Connection, permit: Option<OwnedSemaphorePermit>, client: &Client) {
        if self.endpoint.keep && !connection.ended && !connection.sender.is_closed() {
            let permit = permit.or_else(|| Arc::clone(&client.keep).try_acquire_owned().ok());
            self.kept = permit.map(|permit| (connection, permit));
        }
    }
}

/// Ways for an exchange to end early.
enum Broken {
    Http(hyper::Error),
    TooLarge,
}

impl Broken {
    fn into_failure(self, limit: u64) -> Failure {
        match self {
            Self::Http(error) => broken_http(&error),
            Self::TooLarge => Failure::Failed(format!("the body is larger than {limit} bytes")),
        }
    }
}

/// A connection with both of its halves, driven by whoever uses it.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
    /// The driver has ended; it may not be polled again.
    ended: bool,
}

impl Connection {
    async fn open(stream: Stream) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        // Headers of a health answer; a hostile one may not grow them.
        builder.max_buf_size(64 * 1024);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver, ended: false })
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: u64,
        progress: &mut Progress,
    ) -> Result<Vec<u8>, Broken> {
        let Self { sender, driver, ended } = self;
        let mut exchange = pin!(async move {
            sender.ready().await.map_err(Broken::Http)?;
            progress.sent = true;
            let answer = sender.send_request(request).await.map_err(|error| {
                // Handed over, but to a connection that turned out to be closed: it never left.
                progress.sent = !error.is_canceled();
                Broken::Http(error)
            })?;
            progress.status = Some(answer.status().as_u16());
            read(answer.into_body(), limit).await
        });
        poll_fn(|cx| {
            if let Poll::Ready(result) = exchange.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if !*ended {
                *ended = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            exchange.as_mut().poll(cx)
        })
        .await
    }
}

async fn read(mut body: hyper::body::Incoming, limit: u64) -> Result<Vec<u8>, Broken> {
    let announced = body.size_hint().lower();
    if announced > limit {
        return Err(Broken::TooLarge);
    }
    // The announcement is the other side's: it is believed up to a point.
    let mut out = Vec::with_capacity(usize::try_from(announced.min(64 * 1024)).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.map_err(Broken::Http)?.data_ref() {
            if (out.len() + data.len()) as u64 > limit {
                return Err(Broken::TooLarge);
            }
            out.extend_from_slice(data);
        }
    }
    Ok(out)
}

fn broken_http(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::Failed("the answer is not HTTP".to_owned());
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            if io.kind() == std::io::ErrorKind::UnexpectedEof {
                break;
            }
            return from_io(io);
        }
        cause = inner.source();
    }
    if cause.is_some() || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Failure::Failed("the connection was closed before the answer was complete".to_owned());
    }
    Failure::Failed(error.to_string())
}
