//! A language model at a service of this machine, from the command line: its cost in the report, and its key nowhere.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use crate::program::{command, finish, json, paper, run};

const KEY: &str = "k-93f1a7c2";

/// A model that reports one party and one name that is in no paper. Passes on the requests.
fn model() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            asked.send(request(&mut stream)).unwrap();
            let mentions = json!({"mentions": [
                {"kind": "money", "quote": "$1,500", "around": ""},
                {"kind": "judge", "quote": "Ann B. Roe", "around": ""},
            ]});
            let body = json!({
                "choices": [{"message": {"content": mentions.to_string()}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 900, "completion_tokens": 50},
            });
            let (body, close) = (body.to_string(), "connection: close\r\n\r\n");
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{close}{body}").unwrap();
        }
    });
    (address, requests)
}

fn request(stream: &mut TcpStream) -> String {
    let (mut got, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut part).unwrap();
        got.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&got).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}

#[test]
fn a_model_is_asked_and_its_cost_is_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), paper(1)).unwrap();
    let (address, requests) = model();
    let file = format!(
        "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[documents.model]\nurl = \"{address}\"\n\
         model = \"small-1\"\napi_key_env = \"PAPERS_KEY\"\ninput_price = 10.0\n"
    );
    std::fs::write(folder.path().join("compartment.toml"), file).unwrap();
    let ingest = |arguments: &[&str]| {
        let arguments = [&["ingest", "a.txt"], arguments].concat();
        let mut command = command(folder.path(), &arguments);
        command.env("PAPERS_KEY", KEY);
        let output =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        finish(output.spawn().unwrap())
    };
    // A file that was only found sends papers nowhere.
    let found = ingest(&[]);
    assert!(found.code != 0 && found.err.contains("found and not named"), "{}", found.err);
    assert!(requests.try_recv().is_err());

    let named = ingest(&["--config", "compartment.toml", "--json"]);
    assert_eq!(named.code, 0, "{}", named.err);
    let extractors = &json(&named)["extractors"];
    assert_eq!(extractors["spent"]["model"]["micro_usd"], 9_000, "{extractors:#}");
    assert_eq!(
        (&extractors["agreement"]["both"], &extractors["agreement"]["unfounded"]),
        (&1.into(), &1.into())
    );
    assert!(requests.try_recv().unwrap().contains(&format!("authorization: bearer {KEY}")));

    let shown = ingest(&["--config", "compartment.toml"]);
    assert!(
        shown.out.contains("rules and model agree") && shown.out.contains("0.009000"),
        "{}",
        shown.out
    );
    let without = ingest(&["--config", "compartment.toml", "--no-model", "--json"]);
    assert!(json(&without)["extractors"].is_null());
    for run in [&found, &named, &shown, &without] {
        assert!(!run.out.contains(KEY) && !run.err.contains(KEY));
    }
}

#[test]
fn a_key_that_is_missing_is_told_before_any_document_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let model =
        ["--model", "m", "--model-url", "http://127.0.0.1:9/v1", "--model-key-env", "NO_SUCH_KEY"];
    let done = run(folder.path(), &[&["ingest", "a.txt"][..], &model].concat());
    assert!(done.code != 0 && done.err.contains("NO_SUCH_KEY"), "{}", done.err);
}
