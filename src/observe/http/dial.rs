//! From a host's name to a connection: name resolution, TCP, TLS, and what their failures mean.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustix::io::Errno;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::Failure;
use crate::model::secret::Secrets;

/// A connection, with TLS or without.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Who is on the other side.
#[derive(Debug)]
pub(super) struct Peer {
    /// The name, or the address without brackets.
    pub(super) host: Arc<str>,
    port: u16,
    address: Option<IpAddr>,
    tls: Option<ServerName<'static>>,
}

impl Peer {
    pub(super) fn new(host: &str, port: u16, tls: bool) -> Result<Self, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = if tls {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|_| format!("`{host}` is not a name that a certificate can be for"))?;
            Some(name)
        } else {
            None
        };
        Ok(Self { host: Arc::from(host), port, address: host.parse().ok(), tls })
    }
}

/// What all exchanges share.
pub(crate) struct Client {
    resolver: Resolver,
    tls: OnceLock<Result<TlsConnector, String>>,
    /// How many connections may be kept.
    pub(super) keep: Arc<Semaphore>,
    secrets: Arc<Secrets>,
}

impl Client {
    /// A client that keeps at most so many connections.
    pub(crate) fn new(keep: usize, secrets: Arc<Secrets>) -> Self {
        Self {
            secrets,
            resolver: Resolver::default(),
            tls: OnceLock::new(),
            keep: Arc::new(Semaphore::new(keep.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// What the headers of an endpoint may refer to, and what no text may show.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(super) async fn resolve(&self, peer: &Peer) -> Result<Arc<[SocketAddr]>, Failure> {
        if let Some(address) = peer.address {
            return Ok(Arc::from([SocketAddr::new(address, peer.port)]));
        }
        self.resolver
            .resolve(&peer.host, peer.port)
            .await
            .map_err(|reason| Failure::NotRun(format!("no name resolution of `{}`: {reason}", peer.host)))
    }

    /// Connects to the first address that takes the connection.
    ///
    /// An address that swallows packets may not use up the time of the ones behind it: after 250 ms, or a failure, the
    /// next one is tried beside it, as RFC 8305 asks.
    pub(super) async fn connect(&self, peer: &Peer, addresses: &[SocketAddr]) -> Result<Stream, Failure> {
        if let [address] = addresses {
            return match TcpStream::connect(address).await {
                Ok(stream) => self.secure(peer, stream).await,
                Err(error) => Err(from_io(&error)),
            };
        }
        let mut waiting = addresses.iter();
        let mut attempts = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if let Some(address) = waiting.next() {
                attempts.push(TcpStream::connect(address));
            }
            let patience = if waiting.len() == 0 { Duration::MAX } else { Duration::from_millis(250) };
            match tokio::time::timeout(patience, attempts.next()).await {
                Ok(Some(Ok(stream))) => return self.secure(peer, stream).await,
                Ok(Some(Err(error))) => {
                    // A refusal says more than a missing route of the other address family.
                    let new = from_io(&error);
                    if !matches!((&failure, &new), (Some(Failure::Failed(_)), Failure::NotRun(_))) {
                        failure = Some(new);
                    }
                }
                Ok(None) => {
                    return Err(
                        failure.unwrap_or_else(|| Failure::NotRun("the name has no address".to_owned()))
                    );
                }
                Err(_) => {}
            }
        }
    }

    async fn secure(&self, peer: &Peer, stream: TcpStream) -> Result<Stream, Failure> {
        let Some(name) = &peer.tls else { return Ok(Either::Left(stream)) };
        let connector =
            self.tls.get_or_init(connector).as_ref().map_err(|reason| Failure::NotRun(reason.clone()))?;
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Either::Right(Box::new(stream))),
            Err(error) => Err(Failure::Failed(format!("TLS failed: {}", in_words(&error)))),
        }
    }
}

/// TLS by the machine's own certificates.
fn connector() -> Result<TlsConnector, String> {
    let reason = |error: rustls::Error| format!("the machine's certificates cannot be read: {error}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(reason)?
        .with_platform_verifier()
        .map_err(reason)?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Name resolution by the system, asked at most once a second for each name and by at most 64 threads: a name server
/// that hangs may not use up the runtime's threads for blocking work.
struct Resolver {
    known: Mutex<HashMap<Name, Arc<Known>>>,
    threads: Arc<Semaphore>,
}

/// A host's name and the port that goes into its addresses.
type Name = (Arc<str>, u16);

struct Known {
    until: Instant,
    /// Filled by the first who asks; when that one gives up, the next one does it.
    addresses: OnceCell<Result<Arc<[SocketAddr]>, String>>,
}

const KNOWN_FOR: Duration = Duration::from_secs(1);

impl Default for Resolver {
    fn default() -> Self {
        Self { known: Mutex::default(), threads: Arc::new(Semaphore::new(64)) }
    }
}

impl Resolver {
    async fn resolve(&self, host: &Arc<str>, port: u16) -> Result<Arc<[SocketAddr]>, String> {
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let entry = known.entry((Arc::clone(host), port)).or_insert_with(|| fresh(now));
            if entry.until <= now {
                *entry = fresh(now);
            }
            Arc::clone(entry)
        };
        known.addresses.get_or_init(|| self.look_up(host, port)).await.clone()
    }

    async fn look_up(&self, host: &Arc<str>, port: u16) -> Result<Arc<[SocketAddr]>, String> {
        let Ok(permit) = Arc::clone(&self.threads).acquire_owned().await else {
            return Err("the resolver is closed".to_owned());
        };
        let host = Arc::clone(host);
        let found = tokio::task::spawn_blocking(move || {
            let found = (&*host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Held by the thread and not by who waits: a look-up that was given up still occupies it.
            drop(permit);
            found
        });
        match found.await {
            Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
            Ok(Ok(addresses)) => Ok(addresses.into()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the look-up was cancelled".to_owned()),
        }
    }
}

fn fresh(now: Instant) -> Arc<Known> {
    Arc::new(Known { until: now + KNOWN_FOR, addresses: OnceCell::new() })
}

/// What a failure of a connection means.
pub(super) fn from_io(error: &io::Error) -> Failure {
    match not_from_here(error) {
        Some(words) => Failure::NotRun(words),
        None => Failure::Failed(in_words(error)),
    }
}

/// Words for a failure that is this machine's and says nothing about the target, or nothing if it is the target's.
fn not_from_here(error: &io::Error) -> Option<String> {
    let words = match error.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "no network to the target",
        ErrorKind::HostUnreachable => "no route to the target",
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => "no local port is free",
        ErrorKind::PermissionDenied => "this machine does not allow the connection",
        ErrorKind::OutOfMemory => "no memory for a connection",
        _ => match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => "no file handles are left here; raise the limit of open files",
            Errno::NOBUFS => "no memory for a connection",
            _ => return None,
        },
    };
    Some(words.to_owned())
}

/// A failure of the target, in words.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the connection was reset".to_owned(),
        ErrorKind::ConnectionAborted => "the connection was aborted".to_owned(),
        ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        ErrorKind::TimedOut => "no connection: nothing answered".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is missing on this machine is never blamed on the target, and what the target did is.
    #[test]
    fn failures_are_put_where_they_belong() {
        let errno = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        for errno_here in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::NETUNREACH,
            Errno::NETDOWN,
            Errno::HOSTUNREACH,
            Errno::ADDRNOTAVAIL,
            Errno::ADDRINUSE,
            Errno::ACCESS,
            Errno::PERM,
        ] {
            assert!(matches!(from_io(&errno(errno_here)), Failure::NotRun(_)), "{errno_here}");
        }
        for errno_there in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::PIPE, Errno::TIMEDOUT] {
            assert!(matches!(from_io(&errno(errno_there)), Failure::Failed(_)), "{errno_there}");
        }
    }

    /// An address that refuses does not hide the next one that answers.
    #[tokio::test]
    async fn the_next_address_is_tried() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let client = Client::new(0, Arc::default());
        let peer = Peer::new("example.org", 80, false).unwrap();
        assert!(client.connect(&peer, &[closed, open.local_addr().unwrap()]).await.is_ok());
        let refused = client.connect(&peer, &[closed, closed]).await.err();
        assert_eq!(refused, Some(Failure::Failed("connection refused".to_owned())));
    }
}
