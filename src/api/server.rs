//! Connections: accepted up to a number, given up when they are slow, ended when the listener is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tally::Tally;

/// Connections at once; more have to wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long the head of a request may take, and how long a connection may be idle before the next one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// How long what is being answered may go on when the listener is asked to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long accepting rests when it fails, as it does when there are no file handles left.
const REST: Duration = Duration::from_millis(200);

/// Serves until it is asked to stop.
pub(super) async fn serve(listener: TcpListener, app: Router, tally: Arc<Tally>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // What has ended is forgotten.
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (stream, place): (TcpStream, _) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => match accepted {
                Some((Ok((stream, _)), place)) => (stream, place),
                Some((Err(error), _)) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
                None => break,
            },
        };
        let (app, stop, tally) = (app.clone(), stop.clone(), Arc::clone(&tally));
        connections.spawn(async move {
            tally.connections.fetch_add(1, Ordering::Relaxed);
            connection(stream, app, stop).await;
            tally.connections.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
}

async fn connection(stream: TcpStream, app: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_LIMIT);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        let peer = peer.map_or_else(|_| String::new(), |peer: SocketAddr| peer.to_string());
        tracing::debug!(%error, peer, "a connection broke off");
    }
}
