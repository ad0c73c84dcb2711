//! A server on a real Redis, and a client that sends exactly the bytes that a test says.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::net::SocketAddr;
use std::time::Duration;

use compartment::DatabaseMap;
use compartment_operations::{Operations, OperationsOptions};
use compartment_server::{Server, ServerOptions, Token};
use compartment_testkit::TestRedis;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str = "0123456789abcdef-token";

/// A running server; it ends when it is dropped.
pub(crate) struct Running {
    pub(crate) redis: TestRedis,
    pub(crate) address: SocketAddr,
    pub(crate) operations: Operations,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer: its status, its head and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_str(&self.body);
        read.map_err(|error| format!("{error}: {}", self.body)).unwrap()
    }
}

pub(crate) fn map(url: &str) -> DatabaseMap {
    DatabaseMap::preset(compartment::Preset::Pipeline, url).unwrap()
}

impl Running {
    pub(crate) async fn start(change: impl FnOnce(&mut ServerOptions)) -> Self {
        Self::on(TestRedis::start().await, change).await
    }

    pub(crate) async fn on(redis: TestRedis, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let operations = Operations::new(OperationsOptions::new(map(&redis.url())));
        let mut options = ServerOptions::default();
        options.listen.set_port(0);
        options.interval = Duration::from_secs(1);
        change(&mut options);
        let server = Server::bind(operations.clone(), options).await.unwrap();
        let address = server.address();
        let task = tokio::spawn(server.run(std::future::pending()));
        let running = Self { redis, address, operations, task };
        compartment_testkit::eventually("the first look", || async {
            running.get("/ready").await.status == 200
        })
        .await;
        running
    }

    pub(crate) async fn with_token() -> Self {
        Self::start(|options| options.token = Some(Token::new(TOKEN).unwrap())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// A request with further headers. The host is the server's own, unless the headers have one.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        self.send(&format!("{text}\r\n{body}")).await
    }

    /// A change as the page sends it.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let token = format!("Bearer {TOKEN}");
        let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
        self.ask("POST", path, &headers, &body.to_string()).await
    }

    pub(crate) async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A server that refuses may close before everything is read.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = match head.to_lowercase().contains("transfer-encoding: chunked") {
            true => unchunked(body),
            false => body.to_owned(),
        };
        Answer { status, head: head.to_owned(), body }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        text += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    text
}
