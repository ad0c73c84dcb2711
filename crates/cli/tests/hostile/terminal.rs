//! Names, server errors and content of Redis that would steer the terminal, in every output.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, paper, run};

/// A name with a colour that we never use, a bell, a line end, an 8-bit control, DEL and marks of direction.
const ODD: &str = "a\u{1b}[35mb\u{7}\nc\u{9b}33md\u{7f}e\u{202e}f\u{2066}g\u{200f}h";

/// Fails if an output has a character that is not visible, apart from our own styles.
fn is_visible(run: &Run, what: &str) {
    for (name, text) in [("out", &run.out), ("err", &run.err)] {
        let mut own = text.clone();
        for style in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m", "\n"] {
            own = own.replace(style, "");
        }
        let odd = own.chars().find(|letter| {
            letter.is_control() || "\u{202e}\u{2066}\u{200f}\u{fdd0}".contains(*letter)
        });
        assert_eq!(odd, None, "{what}: {name} has {text:?}");
    }
}

fn colored(folder: &Path, arguments: &[&str]) -> Run {
    let done = run(folder, &[arguments, &["--color", "always"]].concat());
    is_visible(&done, &arguments.join(" "));
    done
}

#[test]
fn names_of_files_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let papers = folder.path().join("papers");
    std::fs::create_dir(&papers).unwrap();
    std::fs::write(papers.join(format!("{ODD}.txt")), "").unwrap();
    std::fs::write(papers.join("good.txt"), paper(1)).unwrap();
    let done = colored(folder.path(), &["ingest", "papers"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.out.contains("\\x1b[35m") && done.out.contains("\\xe2\\x80\\xae"), "{}", done.out);
    let as_json = colored(folder.path(), &["ingest", "papers", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&as_json.out).unwrap();
    assert_eq!(report["failures"][0]["document"], format!("{ODD}.txt"));
    // An argument of a shell's `*` is in an error too.
    let odd = format!("--{}", ODD.replace('\n', ""));
    let wrong = colored(folder.path(), &["ingest", "papers", &odd]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let missing = colored(folder.path(), &["ingest", ODD]);
    assert_eq!(missing.code, 3, "{missing:?}");
    let config = colored(folder.path(), &["config", "show", "--config", ODD]);
    assert_eq!(config.code, 9, "{config:?}");
}

#[test]
fn errors_of_a_server_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
    // It ends with the program of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut answers = stream.try_clone().unwrap();
                for line in BufReader::new(stream).split(b'\n').flatten() {
                    // One answer for each command, which begins with its number of words.
                    if line.starts_with(b"*") {
                        let text = ODD.replace('\n', " ");
                        if write!(answers, "-ERR {text}\r\n").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    for arguments in [
        &["databases"][..],
        &["databases", "--verbose"],
        &["stats"],
        &["analyze"],
        &["doctor"],
        &["health", "--timeout", "2s"],
        &["batch", "list"],
    ] {
        let failed = colored(folder.path(), &[arguments, &["--backend", &url]].concat());
        assert_ne!(failed.code, 0, "{failed:?}");
        assert!(!failed.err.is_empty() || !failed.out.is_empty(), "{failed:?}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn content_of_redis_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        std::fs::create_dir(folder.path().join("papers")).unwrap();
        std::fs::write(folder.path().join("papers/a.txt"), paper(1)).unwrap();
        let at = |arguments: &[&str]| {
            colored(folder.path(), &[arguments, &["--backend", &url]].concat())
        };
        assert_eq!(at(&["batch", "submit", "good", "papers"]).code, 0);
        let index = at(&["databases", "batch", "--json"]);
        let index = serde_json::from_str::<serde_json::Value>(&index.out).unwrap();
        let index = index["databases"][0]["index"].as_u64().unwrap_or(0) as u32;
        let forged = serde_json::json!({
            "name": ODD, "pipeline": ODD, "versions": {ODD: ODD}, "class": "normal", "created_at": 1,
        });
        let worker = serde_json::json!({
            "id": ODD, "pid": 1, "started_at": 1, "seen_at": 1, "serves": [ODD], "concurrency": 1,
            "running": [{"source": ODD, "number": 1, "name": ODD, "stage": ODD, "since": 1}],
            "done": 0, "failed": 0, "memory": null, "is_ending": false,
        });
        let mut named = worker.clone();
        named["id"] = "w".into();
        for (key, field, value) in [
            ("compartment:batches", ODD, forged.to_string()),
            ("compartment:batches", "other", forged.to_string()),
            ("compartment:workers", ODD, worker.to_string()),
            ("compartment:workers", "w", named.to_string()),
            ("{batch:good}:errors", "0:0", ODD.to_owned()),
        ] {
            server.command_in(index, &["HSET", key, field, &value]).await;
        }
        server.command_in(index, &["CLIENT", "SETNAME", "x"]).await;
        server.command_in(7, &["SET", ODD, ODD]).await;
        server.command_in(7, &["SET", &format!("user:{ODD}:1"), ODD]).await;
        for arguments in [
            &["batch", "list"][..],
            &["batch", "list", "--json"],
            &["batch", "show", "good"],
            &["batch", "show", "good", "--json"],
            &["batch", "show", ODD],
            &["workers", "list"],
            &["workers", "list", "--json"],
            &["tasks", "list"],
            &["analyze", "--database", "7"],
            &["analyze", "--database", "7", "--json"],
            &["plan", "--from", "7"],
            &["flush", "--database", "7"],
            &["flush", "--database", "7", "--json"],
            &["stats"],
            &["stats", "--prometheus"],
            &["doctor"],
            &["health", "--verbose"],
        ] {
            let done = at(arguments);
            if arguments.contains(&"--json") && done.code == 0 {
                serde_json::from_str::<serde_json::Value>(&done.out).unwrap();
            }
        }
        // A name with control characters is no name, and its record is left out.
        let listed = at(&["batch", "list", "--json"]);
        assert!(listed.out.contains("good") && !listed.out.contains("35m"), "{listed:?}");
        let workers = at(&["workers", "list", "--json"]);
        let workers: serde_json::Value = serde_json::from_str(&workers.out).unwrap();
        assert_eq!(workers.as_array().map(Vec::len), Some(1), "{workers:#}");
    });
}
