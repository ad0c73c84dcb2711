//! Looks as server-sent events: one thousand idle readers, one too many, and readers that take nothing.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_testkit::run_test;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::Running;

/// Opens a stream of events, and reads until the first event is whole.
async fn open(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    read_event(&mut stream).await;
    stream
}

/// Reads until the end of an event.
async fn read_event(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the stream ended: {text}");
        text += &String::from_utf8_lossy(&buffer[..count]);
        if text.contains("event: look") && text.contains("\n\n\r\n") {
            return text;
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_thousand_idle_streams_are_held_and_each_gets_the_next_look() {
    run_test(async {
        let server = Running::start(|options| options.max_streams = 1_000).await;
        let before = memory();
        let mut streams = Vec::new();
        for _ in 0..1_000 {
            streams.push(open(&server).await);
        }
        let refused = server.get("/api/events").await;
        assert_eq!(refused.status, 503, "{}", refused.body);
        // Figures are answered meanwhile.
        assert_eq!(server.get("/api/look").await.status, 200);
        for stream in &mut streams {
            let event = read_event(stream).await;
            assert!(event.contains("data: {\"number\":"), "{event}");
        }
        let grown = memory().saturating_sub(before);
        assert!(grown < 120 * 1024 * 1024, "{} MiB for both sides of 1,000 streams", grown >> 20);
        // Their places are free again once they have gone.
        drop(streams);
        compartment_testkit::eventually("a free place", || async {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            let request = format!("GET /api/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            &head == b"HTTP/1.1 200"
        })
        .await;
    });
}

/// The memory of this process in bytes.
fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}

#[test]
#[ignore = "needs redis-server"]
fn a_stream_ends_with_the_server() {
    run_test(async {
        let server = Running::start(|_| ()).await;
        let mut stream = open(&server).await;
        drop(server);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
        // Whether with an error or an end of file does not matter.
        let _ = ended.await.unwrap();
    });
}
