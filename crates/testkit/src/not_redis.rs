//! A server that does not speak Redis's protocol.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers every request with an HTTP error, as behind a wrong port number.
#[derive(Debug)]
pub struct NotRedis {
    port: u16,
    task: JoinHandle<()>,
}

impl NotRedis {
    /// Starts the server on a free port.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                        let body = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                        // The client may have disconnected.
                        let _ = stream.write_all(body).await;
                    }
                });
            }
        });
        Self { port, task }
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL that names it as a Redis server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for NotRedis {
    fn drop(&mut self) {
        self.task.abort();
    }
}
