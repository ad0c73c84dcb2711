//! Made-up looks at a deployment.

use std::sync::Arc;

use compartment_operations::Look;
use serde_json::{Value, json};

/// The moment of the first look.
pub(super) const NOW: u64 = 1_795_000_000_000;

fn look(parts: Value) -> Arc<Look> {
    let mut all = json!({
        "number": 1, "at_ms": NOW, "took_ms": 41,
        "stats": { "version": 1, "made": "", "databases": [], "instances": [], "missing": [] },
        "fleet": { "clients": {}, "caches": {} },
        "work": null,
    });
    for (name, part) in parts.as_object().unwrap() {
        all[name] = part.clone();
    }
    Arc::new(serde_json::from_value(all).unwrap())
}

fn database(
    name: &str,
    index: u32,
    kind: &str,
    keys: u64,
    bytes: u64,
    budget: Option<u64>,
) -> Value {
    let spread = bytes / 40;
    json!({
        "name": name, "instance": "primary", "index": index, "prefix": "", "kind": kind,
        "content": {
            "keys": keys, "keys_are_exact": true, "with_ttl": keys / 2, "average_ttl_ms": 90_000,
            "bytes": { "bytes": bytes, "low": bytes - spread, "high": bytes + spread, "measured": 4_000,
                       "age_seconds": 12 },
            "patterns": [
                { "pattern": "doc:{uuid}:text", "keys": keys / 3, "bytes": bytes / 2 },
                { "pattern": "page:{number}", "keys": keys / 5, "bytes": bytes / 9 },
            ],
            "biggest": [{ "name": "doc:7:text", "bytes": bytes / 100 }],
        },
        "budget_bytes": budget, "growth": { "seconds": 5.0, "keys": 42, "bytes": null }, "connections": 7,
    })
}

fn instance(name: &str, problem: Option<&str>) -> Value {
    let nodes = json!([{
        "location": "127.0.0.1:6379", "version": "redis 7.0.15", "run_id": "abc", "uptime_seconds": 90_000,
        "memory": { "used": 1_288_490_188_u64, "peak": null, "limit": 2_147_483_648_u64, "policy": "noeviction" },
        "connections": { "connected": 24, "blocked": 2, "max": 10_000 },
        "work": { "commands_per_second": 1_234.5, "evicted_per_second": 0.0, "hit_rate": 0.93, "reads": 90 },
        "latency_events": [], "persistence": {}, "replication": {}, "counters": {},
    }]);
    json!({
        "name": name, "address": "redis://127.0.0.1:6379", "problem": problem,
        "nodes": if problem.is_some() { json!([]) } else { nodes },
        "unnamed": [], "probes": [],
        "clients": [{ "index": 2, "name": "worker-1", "library": "redis-rs 1.8", "user": "default",
                      "connections": 7, "blocked": 1, "idle_seconds": 0, "commands": ["get", "set"] }],
    })
}

fn clients(rate: f64) -> Value {
    json!({
        "window_seconds": 300.0, "requests_per_second": rate, "sent_bytes_per_second": 9_000.0,
        "received_bytes_per_second": 120_000.0, "mean_latency_us": 210, "p99_latency_us": 1_240,
        "hit_rate": 0.87, "failures": 3, "requests_total": 900_000, "sent_bytes_total": 1,
        "received_bytes_total": 1, "lock_timeouts_total": 0,
    })
}

fn stage(name: &str, done: u64, ready: u64, dead: u64) -> Value {
    json!({ "stage": name, "done": done, "dead": dead, "claimed": 4, "ready": ready, "delayed": 2 })
}

fn batch(name: &str, status: &str, total: u64, done: u64) -> Value {
    json!({
        "name": name, "pipeline": "legal", "class": "normal", "created_ms": NOW - 200_000, "status": status,
        "total": total, "done": done, "dead": 12, "entry_bytes": 4_096,
        "stages": [stage("extract", total, 0, 12), stage("chunk", total / 2, total / 4, 0),
                   stage("entities", done, total / 3, 0)],
        "documents_per_second": 41.7, "eta_seconds": 5_400.0, "unserved_stages": ["resolve"],
    })
}

fn worker(id: &str, is_gone: bool, is_busy: bool) -> Value {
    let micros = |ago_ms: u64| (NOW - ago_ms) * 1_000;
    let running = json!([{ "source": "smith-v-jones", "number": 7, "name": "brief.pdf", "stage": "extract",
                           "since": micros(9_000) }]);
    json!({
        "id": id, "pid": 4_711, "started_at": micros(7_200_000), "seen_at": micros(if is_gone { 60_000 } else { 1_000 }),
        "serves": ["legal/extract 1", "legal/chunk 1"], "concurrency": 4,
        "running": if is_busy { running } else { json!([]) }, "done": 12_345, "failed": 6, "memory": 104_857_600,
        "is_ending": false, "is_gone": is_gone,
    })
}

fn health() -> Value {
    json!({ "version": 1, "made": "", "state": "critical", "checks": [
        { "name": "memory", "subject": "primary 127.0.0.1:6379", "state": "critical", "figure": 0.93, "threshold": 0.9,
          "message": "93 % of maxmemory in use; `compartment stats` shows which database it is" },
        { "name": "dead_letters", "subject": "batch", "state": "warning", "figure": 3.0, "threshold": 1.0,
          "message": "3 dead letters; `compartment tasks list` says why" },
        { "name": "lock_timeouts", "subject": "the fleet", "state": "unknown",
          "message": "no process publishes it (workers do, and programs with `ClientMetricsPublisher`)" },
        { "name": "connection", "subject": "primary 127.0.0.1:6379", "state": "ok", "message": "it answers" },
    ] })
}

fn doctor() -> Value {
    json!({ "unknown": [], "instances": 1, "databases": 3, "keys_looked_at": 1_200, "findings": [
        { "code": "durable-evictable", "severity": "critical", "instance": "primary", "databases": ["broker"],
          "keys": ["celery", "unacked"], "key_count": 410, "bytes": 90_000,
          "what": "allkeys-lru may evict keys of broker", "why": "A task that is evicted is lost.",
          "cure": "compartment limit --policy volatile-lru --apply" },
        { "code": "durable-not-persisted", "severity": "warning", "instance": "primary", "databases": [],
          "keys": [], "what": "nothing is saved", "why": "A restart loses every key.",
          "cure": "CONFIG SET appendonly yes" },
    ] })
}

fn stats(databases: Value, instances: Value) -> Value {
    json!({ "version": 1, "made": "", "since_last_seconds": 5.0, "databases": databases,
            "instances": instances, "missing": [] })
}

/// Nothing anywhere: no database, no batch.
pub(super) fn empty() -> Arc<Look> {
    look(
        json!({ "work": { "database": "batch", "batches": [], "more_batches": 0, "workers": [], "queues": [] } }),
    )
}

/// An ordinary deployment, `later` looks after the first.
pub(super) fn busy(later: u64) -> Arc<Look> {
    let rate = 120.0 + 30.0 * (later % 7) as f64;
    look(json!({
        "number": later + 1, "at_ms": NOW + later * 5_000,
        "stats": stats(
            json!([
                database("broker", 0, "durable", 412 + later, 94_000, None),
                database("cache", 2, "cache", 1_234_567, 214_748_364 + later * 900, Some(230_000_000)),
                database("rate_limit", 3, "coordination", 40, 8_000, Some(1 << 20)),
            ]),
            json!([instance("primary", None)]),
        ),
        "fleet": { "clients": { "cache": clients(rate) }, "caches": {} },
        "health": health(), "doctor": doctor(), "doctor_at_ms": NOW - 30_000,
        "work": {
            "database": "batch", "more_batches": 0,
            "batches": [batch("smith-v-jones", "running", 1_000_000, 250_000), batch("old", "completed", 10, 10)],
            "workers": [worker("host-1:4711", false, true), worker("host-2:99", true, false)],
            "queues": [{ "stage": "extract", "queue": "legal:extract", "waiting": 5, "delayed": 1, "claimed": 2,
                         "dead": 3, "is_paused": true }],
        },
    }))
}

/// The server of [`busy`] is away.
pub(super) fn away(later: u64) -> Arc<Look> {
    let mut gone = serde_json::to_value(&*busy(later)).unwrap();
    for database in gone["stats"]["databases"].as_array_mut().unwrap() {
        database["content"] = Value::Null;
        database["growth"] = Value::Null;
        database["connections"] = Value::Null;
    }
    gone["stats"]["instances"] =
        json!([instance("primary", Some("connect to redis://127.0.0.1:6379: Connection refused"))]);
    gone["fleet"] = json!({ "clients": {}, "caches": {}, "problem": "away" });
    gone["work"]["batches"] = json!([]);
    gone["work"]["problem"] = json!("connect: Connection refused");
    Arc::new(serde_json::from_value(gone).unwrap())
}

/// Names and texts that try to control the terminal, and figures as big as can be.
pub(super) fn hostile() -> Arc<Look> {
    let evil = format!(
        "\u{1b}]0;title\u{7}\u{1b}[2J\u{202e}evil\r\n\t\u{9b}31m\u{0}{}",
        "x".repeat(5_000)
    );
    let mut found = serde_json::to_value(&*busy(0)).unwrap();
    soil(&mut found, &evil);
    // Words that have to be of a list, and names by which parts of a look find each other.
    let clean = serde_json::to_value(&*busy(0)).unwrap();
    let (checks, findings) = (&clean["health"]["checks"], &clean["doctor"]["findings"]);
    found["health"]["state"] = "critical".into();
    for (at, check) in checks.as_array().unwrap().iter().enumerate() {
        found["health"]["checks"][at]["state"] = check["state"].clone();
    }
    for (at, finding) in findings.as_array().unwrap().iter().enumerate() {
        found["doctor"]["findings"][at]["code"] = finding["code"].clone();
        found["doctor"]["findings"][at]["severity"] = finding["severity"].clone();
    }
    for (at, database) in clean["stats"]["databases"].as_array().unwrap().iter().enumerate() {
        found["stats"]["databases"][at]["kind"] = database["kind"].clone();
    }
    for batch in found["work"]["batches"].as_array_mut().unwrap() {
        batch["class"] = "high".into();
    }
    Arc::new(serde_json::from_value(found).unwrap())
}

/// Replaces every text by `evil`, and every count by the biggest.
fn soil(value: &mut Value, evil: &str) {
    match value {
        Value::String(text) => *text = evil.to_owned(),
        Value::Number(number) if number.is_u64() && number.as_u64() > Some(5_000) => {
            *value = u64::MAX.into()
        }
        Value::Array(all) => all.iter_mut().for_each(|one| soil(one, evil)),
        Value::Object(all) => all.values_mut().for_each(|one| soil(one, evil)),
        _ => {}
    }
}
