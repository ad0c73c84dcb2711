//! Accepts connections, a bounded number of them, and speaks HTTP/1.1 on each.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::guard::Peer;
use crate::timed_stream::TimedStream;

/// A request's head must have arrived after this time, so that silent connections take no place for long.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// After a failed accept, such as for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The most bytes of a request's head.
const MOST_HEAD: usize = 32 * 1024;

/// A listener, and the connections that it may hold.
pub(crate) struct Connections {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, max: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(max)) }
    }

    /// Serves until it is dropped, which ends its connections.
    pub(crate) async fn serve(self, router: Router) {
        let mut running = JoinSet::new();
        loop {
            while running.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    running.spawn(serve_one(stream, Peer(peer), router.clone(), place));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

async fn serve_one(stream: TcpStream, peer: Peer, router: Router, place: OwnedSemaphorePermit) {
    // Answers are small: they need not wait for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(peer);
        let router = router.clone();
        async move { tower_call(router, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(TimedStream::new(stream)), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
    drop(place);
}

async fn tower_call(
    mut router: Router,
    request: Request,
) -> Result<axum::response::Response, std::convert::Infallible> {
    use tower_service::Service as _;
    // A router is always ready.
    router.call(request).await
}
