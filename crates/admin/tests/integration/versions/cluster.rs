//! Clusters of every version, and numbered databases in a cluster of Valkey 9.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use compartment_admin::backup::{BackupOptions, backup};
use compartment_admin::migrate::{FieldLives, MigrateOptions, Migration, Routes, migrate};
use compartment_admin::restore::{RestoreOptions, restore};
use compartment_admin::verify::{VerifyOptions, verify};
use compartment_admin::{Place, Silent};
use compartment_testkit::{ServerProgram, TestCluster, TestRedis, run_test};

use super::content::{Content, assert_same, content, fill};
use super::{has_field_lives, shown, start};
use crate::data::{place, place_at, silent};

/// Moves every key, verified; returns how many.
async fn moved(source: Place, target: Place, what: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut options = MigrateOptions::new(folder.path().join("journal"));
    (options.verify, options.field_lives) = (true, FieldLives::Drop);
    let routes = Routes::single("all", &[], None);
    let migration = Migration { source, targets: vec![target], routes, options };
    let report = migrate(migration, silent()).await;
    let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.complete(), "{what}: {report:?}");
    report.moved
}

async fn emptied(server: &TestRedis) {
    assert_eq!(content(server, 0, false).await, Content::new());
}

/// The cluster's database, and whether it is empty.
async fn keys(place: &Place) -> u64 {
    place.known_keys().await.unwrap()
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn keys_go_into_a_cluster_of_every_version_and_out_of_it() {
    run_test(async {
        for program in ServerProgram::all() {
            let cluster = TestCluster::start_on(&program, &[]).await;
            // A server that is older than most clusters, and one that is newer.
            for name in ["redis-6.2", "valkey-9.1"] {
                let other = ServerProgram::named(name);
                let what = format!("{} and a cluster of {}", shown(&other), shown(&program));
                let server = start(&other).await;
                fill(&server, 0).await;
                let original = content(&server, 0, false).await;
                let there = place_at(&cluster.url(), 0).await;
                let count = moved(place(&server, 0).await, there.clone(), &what).await;
                assert_eq!(count, original.len() as u64, "{what}");
                emptied(&server).await;
                moved(there, place(&server, 0).await, &what).await;
                assert_same(&content(&server, 0, false).await, &original, &what);
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_cluster_of_valkey_9_has_numbered_databases() {
    run_test(async {
        let valkey = ServerProgram::named("valkey-9.1");
        let cluster = TestCluster::start_on(&valkey, &["cluster-databases 16"]).await;
        let server = start(&ServerProgram::named("redis-8.2")).await;
        assert!(has_field_lives(&valkey));
        fill(&server, 0).await;
        let original = content(&server, 0, true).await;
        let count = original.len() as u64;
        let url = cluster.url();
        let at = |index| place_at(&url, index);
        let (three, five, seven) = (at(3).await, at(5).await, at(7).await);
        assert_eq!(three.server().info().databases, Some(16));

        // Out of a server, between two databases, and to a file and back.
        let home = place(&server, 0).await;
        assert_eq!(moved(home.clone(), three.clone(), "in").await, count);
        assert_eq!(
            (keys(&three).await, keys(&five).await, keys(&at(0).await).await),
            (count, 0, 0)
        );
        assert_eq!(moved(three.clone(), five.clone(), "across").await, count);
        assert_eq!((keys(&three).await, keys(&five).await), (0, count));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("five.rdb");
        let report = backup(&five, None, &file, &BackupOptions::default(), &Silent).await.unwrap();
        assert_eq!(report.keys, count);
        let options = RestoreOptions::default().verify(true);
        let report = restore(&file, &seven, &options, &Silent).await.unwrap();
        assert_eq!((report.restored, report.verified), (count, Some(count)));
        let options = VerifyOptions::default();
        let report = verify(five.clone(), seven.clone(), options, silent()).await.unwrap();
        assert_eq!((report.same, report.different, report.missing), (count, 0, 0), "{report:?}");
        assert_eq!(moved(five, home, "out").await, count);
        assert_same(&content(&server, 0, true).await, &original, "a cluster and back");
        assert_eq!(keys(&seven).await, count);
    });
}
