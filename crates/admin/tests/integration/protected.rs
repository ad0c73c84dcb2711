//! Keys that a server never evicts (`BLESS`) stay protected where they go. No released server has the command
//! yet: a proxy answers it, and its field of `INFO`, as the documentation of Redis 8.12 has them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::migrate::{
    MigrateOptions, Migration, MigrationReport, Routes, UndoOptions, Way, migrate, undo,
};
use compartment_admin::{AdminError, Place};
use compartment_testkit::{FaultProxy, RespConnection, TestRedis, run_test};

use crate::data::{place_at, silent};

/// The keys with the flag are in a set of each index, which the moves leave where it is.
const BLESS: &str = "local name = ARGV[2]
    if redis.call('EXISTS', name) == 0 then return redis.error_reply('ERR no such key') end
    if ARGV[1] == 'SET' then return redis.call('SADD', 'flags', name) end
    return redis.call('SISMEMBER', 'flags', name) == 1 and { 'NO-EVICT' } or {}";
const INFO: &str = "return redis.call('INFO', unpack(ARGV))
    .. 'blessed_keys:' .. redis.call('SCARD', 'flags') .. '\\r\\n'";

/// A server that speaks `BLESS`.
async fn speaking(server: &TestRedis) -> FaultProxy {
    let proxy = FaultProxy::start(server.port()).await;
    proxy.answer_by("BLESS", BLESS);
    proxy.answer_by("INFO", INFO);
    proxy
}

/// Which of the keys have the flag in an index.
async fn protected(port: u16, index: u32) -> Vec<String> {
    let mut client = RespConnection::open(port).await.unwrap();
    client.send(&["SELECT", &index.to_string()]).await.unwrap();
    let mut found = Vec::new();
    for key in ["page:1", "page:2", "page:3"] {
        if client.send(&["BLESS", "GET", key]).await.unwrap().text() == "NO-EVICT" {
            found.push(key.to_owned());
        }
    }
    found
}

async fn fill(port: u16) {
    let mut client = RespConnection::open(port).await.unwrap();
    for key in ["page:1", "page:2", "page:3"] {
        client.send(&["SET", key, "value"]).await.unwrap();
    }
    for key in ["page:1", "page:3"] {
        let set = client.send(&["BLESS", "SET", key, "NO-EVICT"]).await.unwrap();
        assert_eq!(set.integer(), Some(1));
    }
}

async fn move_pages(
    source: &Place,
    target: &Place,
    journal: &std::path::Path,
    way: Way,
) -> Result<MigrationReport, AdminError> {
    let mut migration = Migration {
        source: source.clone(),
        targets: vec![target.clone()],
        routes: Routes::single("pages", &["page:*".to_owned()], None),
        options: MigrateOptions::new(journal.to_owned()),
    };
    migration.options.way = Some(way);
    migrate(migration, silent()).await
}

#[test]
#[ignore = "needs redis-server"]
fn protection_goes_with_a_key_by_every_way_and_comes_back() {
    run_test(async {
        for way in [Way::Move, Way::Copy, Way::Dump, Way::Typed] {
            let (server, other) = (TestRedis::start().await, TestRedis::start().await);
            let (here, there) = (speaking(&server).await, speaking(&other).await);
            let within = matches!(way, Way::Move | Way::Copy);
            let (end, index) = if within { (&here, 5) } else { (&there, 0) };
            let (to, port) = (&end.url(), end.port());
            fill(here.port()).await;
            let (source, target) = (place_at(&here.url(), 0).await, place_at(to, index).await);
            let folder = tempfile::tempdir().unwrap();
            let journal = folder.path().join("journal");
            move_pages(&source, &target, &journal, way).await.unwrap();
            assert_eq!(protected(port, index).await, ["page:1", "page:3"], "{way}");

            // Keys that come back have the flag from their last place.
            server.command(&["DEL", "flags"]).await;
            let options = UndoOptions::default();
            undo(&journal, source, vec![target], options, silent()).await.unwrap();
            assert_eq!(protected(here.port(), 0).await, ["page:1", "page:3"], "{way} back");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_target_that_does_not_know_protection_takes_the_keys_without_it() {
    run_test(async {
        let (server, other) = (TestRedis::start().await, TestRedis::start().await);
        let here = speaking(&server).await;
        fill(here.port()).await;
        let (source, target) = (place_at(&here.url(), 0).await, place_at(&other.url(), 0).await);
        let folder = tempfile::tempdir().unwrap();
        move_pages(&source, &target, &folder.path().join("journal"), Way::Dump).await.unwrap();
        assert_eq!(other.command(&["DBSIZE"]).await.integer(), Some(3));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_cannot_be_protected_stays_in_its_source() {
    run_test(async {
        let (server, other) = (TestRedis::start().await, TestRedis::start().await);
        let (here, there) = (speaking(&server).await, speaking(&other).await);
        there.answer_by("BLESS", "return redis.error_reply('NOPERM no right to run bless')");
        fill(here.port()).await;
        let (source, target) = (place_at(&here.url(), 0).await, place_at(&there.url(), 0).await);
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let error = move_pages(&source, &target, &journal, Way::Dump).await.unwrap_err();
        assert!(error.to_string().contains("page:"), "{error}");
        assert_eq!(protected(here.port(), 0).await, ["page:1", "page:3"]);
    });
}
