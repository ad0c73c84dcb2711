//! Keys at rest, between every two versions in both directions, verified.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::time::Instant;

use compartment_admin::migrate::{MigrateOptions, Migration, Routes, UndoOptions, migrate, undo};
use compartment_testkit::{ServerProgram, run_test};

use super::content::{Content, assert_same, content, fill};
use super::{has_field_lives, show_rate, shown, start};
use crate::data::{connection, place, silent, tell};

/// Moves the keys of one version to another and back; prints how fast.
async fn goes_and_comes_back(from: &ServerProgram, to: &ServerProgram) {
    let pair = format!("{} to {}", shown(from), shown(to));
    let (one, other) = (start(from).await, start(to).await);
    fill(&one, 0).await;
    let fields = has_field_lives(from) && has_field_lives(to);
    if fields {
        let mut c = connection(&one, 0).await;
        tell(&mut c, "HPEXPIREAT hash:7 4102444800123 FIELDS 2 a b").await;
    }
    let original = content(&one, 0, fields).await;
    let folder = tempfile::tempdir().unwrap();
    let mut migration = Migration {
        source: place(&one, 0).await,
        targets: vec![place(&other, 2).await],
        routes: Routes::single("all", &[], None),
        options: MigrateOptions::new(folder.path().join("journal")),
    };
    migration.options.verify = true;
    let began = Instant::now();
    let report = migrate(migration.clone(), silent()).await;
    let report = report.unwrap_or_else(|error| panic!("{pair}: {error}"));
    let rate = report.moved as f64 / began.elapsed().as_secs_f64();
    assert!(report.complete(), "{pair}: {report:?}");
    assert_eq!(report.moved, original.len() as u64, "{pair}: {report:?}");
    assert_same(&content(&other, 2, fields).await, &original, &pair);
    assert_eq!(content(&one, 0, false).await, Content::new(), "{pair}");
    let way = report.way.unwrap();
    show_rate(&format!("at rest | {pair} | {way} | {} keys | {rate:.0} keys/s", report.moved));
    let (source, targets) = (migration.source, migration.targets);
    let journal = folder.path().join("journal");
    let report = undo(&journal, source, targets, UndoOptions::default(), silent()).await;
    let report = report.unwrap_or_else(|error| panic!("{pair} and back: {error}"));
    assert!(report.complete(), "{pair} and back: {report:?}");
    assert_same(&content(&one, 0, fields).await, &original, &format!("{pair} and back"));
    assert_eq!(content(&other, 2, false).await, Content::new(), "{pair} and back");
}

fn to_all_from(name: &str) {
    run_test(async {
        let all = ServerProgram::all();
        let from = all.iter().find(|program| program.name() == name).unwrap();
        for to in &all {
            goes_and_comes_back(from, to).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn from_the_systems_server_to_every_version_and_back() {
    to_all_from("system");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn from_redis_6_2_to_every_version_and_back() {
    to_all_from("redis-6.2");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn from_redis_8_2_to_every_version_and_back() {
    to_all_from("redis-8.2");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn from_valkey_8_1_to_every_version_and_back() {
    to_all_from("valkey-8.1");
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn from_valkey_9_1_to_every_version_and_back() {
    to_all_from("valkey-9.1");
}
