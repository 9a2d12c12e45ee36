//! Listening and calling on loopback: servers whose connections can be cut, and the one HTTP client.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Takes a port on loopback; without a number the system chooses one.
pub(super) fn bind(port: Option<u16>) -> io::Result<(StdListener, SocketAddr)> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Serves until `stop`: then the port refuses and every open connection breaks, answered or not.
pub(super) fn serve(listener: StdListener, app: Router, stop: CancellationToken) -> io::Result<()> {
    let listener = Listen { inner: TcpListener::from_std(listener)?, stop: stop.clone() };
    let server = axum::serve(listener, app.into_make_service_with_connect_info::<Cut>());
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            // Serving ends by itself only when accepting is no longer possible at all.
            _ = server => {}
        }
    });
    Ok(())
}

/// A client for loopback: no proxy from the environment, no redirects, kept connections.
pub(super) fn client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    // Without a provider reqwest refuses to build, TLS or not. A second install is refused, and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .http1_only()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(64)
        .build()
}

/// The means to break one connection, for a handler that wants its answer to get lost.
#[derive(Clone, Debug)]
pub(super) struct Cut(CancellationToken);

impl Cut {
    /// Breaks it: the peer sees a close instead of an answer.
    pub(super) fn now(&self) {
        self.0.cancel();
    }
}

impl Connected<IncomingStream<'_, Listen>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Listen>) -> Self {
        stream.io().cut.clone()
    }
}

/// A listener whose connections end when it does.
pub(super) struct Listen {
    inner: TcpListener,
    stop: CancellationToken,
}

impl Listener for Listen {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (inner, addr) = Listener::accept(&mut self.inner).await;
        // Small answers wait for nothing; failing to ask for that only makes them slower.
        let _ = inner.set_nodelay(true);
        let token = self.stop.child_token();
        let broken = Box::pin(token.clone().cancelled_owned());
        (Stream { inner, cut: Cut(token), broken }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that can be broken from outside.
pub(super) struct Stream {
    inner: TcpStream,
    cut: Cut,
    broken: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream {
    /// Fails once the connection was cut, and has the task woken when that happens.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.cut.0.is_cancelled() || self.broken.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
