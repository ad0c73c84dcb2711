//! Traces as a collector gets them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;

use crate::program::{command, paper};

/// A collector that accepts everything: its address, and the requests that it gets.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, sender) = (connection.unwrap(), sender.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut first = String::new();
                while reader.read_line(&mut first).is_ok_and(|read| read > 0) {
                    let mut length = 0;
                    loop {
                        let mut header = String::new();
                        reader.read_line(&mut header).unwrap();
                        let Some((name, value)) = header.split_once(':') else { break };
                        if name.eq_ignore_ascii_case("content-length") {
                            length = value.trim().parse().unwrap();
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let _ = sender.send((first.trim().to_owned(), body));
                    let mut out = &connection;
                    out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    first.clear();
                }
            });
        }
    });
    (address, requests)
}

fn ingest(folder: &Path, endpoint: &str) -> std::process::Output {
    std::fs::create_dir_all(folder.join("papers")).unwrap();
    std::fs::write(folder.join("papers/one.txt"), paper(1)).unwrap();
    command(folder, &["ingest", "papers", "--json"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .output()
        .unwrap()
}

#[test]
fn spans_of_stages_and_stores_arrive_at_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let (address, requests) = collector();
    let done = ingest(folder.path(), &address);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.stderr, b"");
    let mut sent = String::new();
    for (first, body) in requests.try_iter() {
        assert_eq!(first, "POST /v1/traces HTTP/1.1");
        sent.push_str(&String::from_utf8_lossy(&body));
    }
    let wanted =
        ["compartment ingest", "stage extract", "stage entities", "KeyValueStore.", "service.name"];
    for name in wanted {
        assert!(sent.contains(name), "{name} is not in {sent}");
    }
}

#[test]
fn a_collector_that_is_not_there_does_not_make_a_command_fail() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let done = ingest(folder.path(), &format!("http://{nobody}"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn an_address_that_is_none_is_said_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let done = ingest(folder.path(), "not an address");
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stderr).contains("OTEL_EXPORTER_OTLP_ENDPOINT"));
}
