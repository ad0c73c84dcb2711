//! A local service over HTTP that answers as a test says, and remembers what it was asked.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use compartment_core::backend::Backend;
use compartment_core::{DatabaseMap, Databases, Preset};
use compartment_memory::{MemoryBackend, MemoryConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The first line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The method and the path, in lower case.
    pub(crate) fn line(&self) -> &str {
        self.head.split(" http/1.1").next().unwrap()
    }
}

/// What the service does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status with further header lines, and a body.
    Answer(String, String),
    /// It never answers.
    Hang,
    /// It announces no end, and does not stop.
    Flood,
    /// The connection breaks in the middle of the body.
    Cut,
}

impl Reply {
    pub(crate) fn ok(body: impl ToString) -> Self {
        Self::Answer("200 OK".to_owned(), body.to_string())
    }

    pub(crate) fn status(head: &str, body: &str) -> Self {
        Self::Answer(head.to_owned(), body.to_owned())
    }
}

/// A service at an address of this machine. It ends with the test's runtime.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Service {
    /// Starts a service that answers the request with the given number (from 0) as `answer` says.
    pub(crate) async fn start(
        answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = Self { address, asked: Arc::default() };
        let (asked, answer) = (Arc::clone(&service.asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                tokio::spawn(async move {
                    serve(stream, |request| {
                        let mut asked = asked.lock().unwrap();
                        asked.push(request);
                        let at = asked.len() - 1;
                        answer(at, &asked[at])
                    })
                    .await;
                });
            }
        });
        service
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: impl FnOnce(Request) -> Reply) {
    let Some(request) = read(&mut stream).await else { return };
    // A client that has seen enough closes, and then writing fails.
    match answer(request) {
        Reply::Answer(head, body) => {
            let length = body.len();
            let whole = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(whole.as_bytes()).await;
        }
        Reply::Hang => std::future::pending().await,
        Reply::Flood => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            let mut wrote = stream.write_all(head.as_bytes()).await;
            while wrote.is_ok() {
                wrote = stream.write_all(&[b' '; 65_536]).await;
            }
        }
        Reply::Cut => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"").await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let (mut got, mut part) = (Vec::new(), vec![0; 65_536]);
    loop {
        if let Some(end) = got.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if got.len() >= end + 4 + length {
                return Some(Request { head, body: got[end + 4..end + 4 + length].to_vec() });
            }
        }
        match stream.read(&mut part).await {
            Ok(read @ 1..) => got.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
}

/// The databases of the preset `pipeline`, in memory.
pub(crate) async fn databases() -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new(MemoryConfig::default()));
    let backends = BTreeMap::from([("primary".to_owned(), backend)]);
    Databases::open(map, &backends).await.unwrap()
}
