//! Keys that four writers change meanwhile, between every two versions, followed until the writers stop.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::time::{Duration, Instant};

use compartment_admin::migrate::{LiveOptions, MigrateOptions, Migration, Routes, follow};
use compartment_testkit::{RespConnection, ServerProgram, TestRedis, run_test};

use super::content::{assert_same, content, fill};
use super::{has_field_lives, show_rate, shown, start};
use crate::data::{connection, place, silent, tell};

const WRITERS: usize = 4;
/// Writes of each writer. They take longer than the first copy.
const WRITES: usize = 1_500;
const QUIET: Duration = Duration::from_millis(500);

/// A write of every kind, over keys that are there and new ones.
async fn write(c: &mut RespConnection, writer: usize, n: usize, fields: bool) {
    let at = (n * 7 + writer * 131) % 620 + 1;
    let line = match n % 14 {
        0 => format!("SET text:{at} newer-{writer}-{n}"),
        1 => format!("INCR number:{at}"),
        2 => format!("HSET hash:{at} a {n} new-{writer} x"),
        3 => format!("RPUSH list:{at} {writer} {n}"),
        4 => format!("SADD words:{at} {writer} {n}"),
        5 => format!("ZADD scores:{at} {n}.5 a {writer} w"),
        6 => format!("XADD jobs * writer {writer} n {n}"),
        7 => format!("SET fresh:{writer}:{n} value PX 3600000"),
        8 => format!("DEL text:{}", at / 2 + 300),
        9 => format!("PEXPIREAT list:{at} 4102444800123"),
        10 => format!("PERSIST list:{}", at / 2 + 1),
        11 => format!("RENAME fresh:{writer}:{} renamed:{writer}:{n}", n - 4),
        12 => format!("XREADGROUP GROUP workers w{writer} COUNT 2 STREAMS jobs >"),
        _ if fields => format!("HPEXPIREAT hash:{at} 4102444800123 FIELDS 1 a"),
        _ => format!("COPY hash:{at} copied:{writer}:{n}"),
    };
    tell(c, &line).await;
}

async fn writer(server: &TestRedis, writer: usize, fields: bool) {
    let mut c = connection(server, 0).await;
    for n in 0..WRITES {
        write(&mut c, writer, n, fields).await;
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn is_followed(from: &ServerProgram, to: &ServerProgram) {
    let pair = format!("{} to {}", shown(from), shown(to));
    let (one, other) = (start(from).await, start(to).await);
    let fields = has_field_lives(from) && has_field_lives(to);
    fill(&one, 0).await;
    if fields {
        tell(&mut connection(&one, 0).await, "HPEXPIREAT hash:7 4102444800123 FIELDS 2 a b").await;
    }
    let folder = tempfile::tempdir().unwrap();
    let migration = Migration {
        source: place(&one, 0).await,
        targets: vec![place(&other, 2).await],
        routes: Routes::single("all", &[], None),
        options: MigrateOptions::new(folder.path().join("journal")),
    };
    let began = Instant::now();
    let options = LiveOptions::new(QUIET, Duration::from_secs(60));
    let one = &one;
    let wrote = |number| writer(one, number, fields);
    let ((), (), (), (), report) =
        tokio::join!(wrote(0), wrote(1), wrote(2), wrote(3), follow(migration, options, silent()));
    let report = report.unwrap_or_else(|error| panic!("{pair}: {error}"));
    let took = (began.elapsed() - QUIET).as_secs_f64();
    assert!(report.quiet, "{pair}: {report:?}");
    assert_eq!(report.migration.conflicts, 0, "{pair}: {report:?}");
    let here = content(one, 0, fields).await;
    assert_same(&content(&other, 2, fields).await, &here, &pair);
    let way = report.migration.way.unwrap();
    let writes = (WRITERS * WRITES) as f64;
    show_rate(&format!(
        "live | {pair} | {way} | {} keys | {:.0} writes/s",
        here.len(),
        writes / took
    ));
}

fn to_all_from(name: &str) {
    run_test(async {
        let all = ServerProgram::all();
        let from = all.iter().find(|program| program.name() == name).unwrap();
        for to in &all {
            is_followed(from, to).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn the_systems_server_is_followed_to_every_version() {
    to_all_from("system");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn redis_6_2_is_followed_to_every_version() {
    to_all_from("redis-6.2");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn redis_8_2_is_followed_to_every_version() {
    to_all_from("redis-8.2");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn valkey_8_1_is_followed_to_every_version() {
    to_all_from("valkey-8.1");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn valkey_9_1_is_followed_to_every_version() {
    to_all_from("valkey-9.1");
}
