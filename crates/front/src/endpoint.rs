//! The front's own address for probes and metrics: `/health`, `/metrics`, `/figures`.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::server::FrontHandle;

/// So long somebody has for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// A pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers probes over HTTP.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
}

impl Endpoint {
    /// Listens.
    ///
    /// # Errors
    /// If the address is taken, or is none of this machine.
    pub async fn bind(address: &str) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn run(self, front: FrontHandle) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a probe could not be accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let front = front.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&front, &request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    tracing::debug!("a probe's connection ended: {error}");
                }
            });
        }
    }
}

fn answer(front: &FrontHandle, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    const JSON: &str = "application/json";
    let path = request.uri().path();
    let (status, kind, body) = match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/health") => {
            let figures = front.figures();
            let away: Vec<&str> = figures
                .servers
                .iter()
                .filter(|one| one.is_away)
                .map(|one| one.name.as_str())
                .collect();
            let status =
                if away.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let body = serde_json::json!({
                "status": if away.is_empty() { "ok" } else { "away" },
                "clients": figures.clients,
                "away": away,
            });
            (status, JSON, body.to_string())
        }
        (&Method::GET, "/metrics") => {
            (StatusCode::OK, "text/plain; version=0.0.4", front.figures().prometheus())
        }
        (&Method::GET, "/figures") => {
            let figures = serde_json::to_string(&front.figures()).unwrap_or_default();
            (StatusCode::OK, JSON, figures)
        }
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            format!("{path} is not here: /health, /metrics and /figures are\n"),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
