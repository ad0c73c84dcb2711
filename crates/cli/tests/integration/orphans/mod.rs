//! Orphans: what belongs to nothing any more goes, and its living neighbours stay.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod of_programs;
mod ours;
mod reasons;

use std::path::Path;

use compartment_testkit::TestRedis;
use serde_json::Value;

use crate::program::{Run, run};

const BROKER: u32 = 0;
const RESULTS: u32 = 1;
const CACHE: u32 = 2;
const LOCKS: u32 = 3;
const BATCH: u32 = 4;

/// Makes a key by a command, and lets it be unused for that many seconds.
const AGED: &str = "redis.call(unpack(ARGV, 2))
    local payload = redis.call('DUMP', KEYS[1])
    redis.call('DEL', KEYS[1])
    return redis.call('RESTORE', KEYS[1], 0, payload, 'IDLETIME', ARGV[1])";
const TWO_HOURS: &str = "7200";

async fn send(server: &TestRedis, index: u32, command: &[&str]) {
    let answer = server.command_in(index, command).await;
    assert!(!answer.is_error(), "{command:?}: {answer:?}");
}

async fn aged(server: &TestRedis, index: u32, command: &[&str]) {
    let script = [&["EVAL", AGED, "1", command[1], TWO_HOURS][..], command].concat();
    send(server, index, &script).await;
}

async fn exists(server: &TestRedis, index: u32, key: &str) -> bool {
    server.command_in(index, &["EXISTS", key]).await.text() == "1"
}

async fn keys(server: &TestRedis, index: u32) -> Vec<String> {
    let all = server.command_in(index, &["KEYS", "*"]).await;
    let mut names: Vec<String> = all.array().iter().map(|name| name.text()).collect();
    names.sort();
    names
}

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn on(server: &TestRedis, folder: &Path, arguments: &[&str]) -> Run {
    let url = server.url();
    run(folder, &[arguments, &["--backend", &url]].concat())
}

/// The group of a kind in the report of a database.
fn group<'r>(reports: &'r Value, database: &str, kind: &str) -> &'r Value {
    let mut all = reports.as_array().unwrap().iter();
    let report = all.find(|one| one["database"] == database).unwrap();
    let mut found = report["found"].as_array().unwrap().iter();
    found.find(|one| one["kind"] == kind).unwrap_or(&Value::Null)
}

fn count(group: &Value, field: &str) -> u64 {
    assert!(group[field].is_u64(), "{field}: {group:#}");
    group[field].as_u64().unwrap()
}
