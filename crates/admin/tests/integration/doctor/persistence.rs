//! Persistence and replication against durable databases.

use compartment_admin::doctor::{Code, Severity};
use compartment_core::{Contract, DatabaseKind, DatabaseMap, Instance};
use compartment_testkit::{RespConnection, TestRedis, TestSentinel, eventually, run_test};

use super::{codes, examined, found, pipeline, set, severity};

#[test]
#[ignore = "needs redis-server"]
fn durable_databases_need_a_server_that_writes_files() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = pipeline(&server.url());
        let examination = examined(&map).await;
        assert_eq!(severity(&examination, Code::DurableNotPersisted), Severity::Critical);
        assert!(!codes(&examination).contains(&Code::SnapshotsOnly));

        set(&server, "save", "3600 1").await;
        let examination = examined(&map).await;
        assert_eq!(severity(&examination, Code::SnapshotsOnly), Severity::Notice);
        assert!(!codes(&examination).contains(&Code::DurableNotPersisted));

        set(&server, "appendonly", "yes").await;
        set(&server, "appendfsync", "no").await;
        let examination = examined(&map).await;
        assert_eq!(severity(&examination, Code::FsyncLeftToSystem), Severity::Warning);
        assert!(!codes(&examination).contains(&Code::SnapshotsOnly), "{examination:#?}");

        set(&server, "appendfsync", "everysec").await;
        let found = codes(&examined(&map).await);
        let of_files = [Code::FsyncLeftToSystem, Code::SnapshotsOnly, Code::SaveFails];
        assert!(!of_files.iter().any(|code| found.contains(code)), "{found:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cache_alone_needs_no_files() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(Contract::new("pages", DatabaseKind::Cache).with_index(1));
        let found = codes(&examined(&map.build().unwrap()).await);
        assert!(!found.contains(&Code::DurableNotPersisted), "{found:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_snapshot_that_fails_is_found() {
    run_test(async {
        // The file cannot take the place of a folder.
        let server = TestRedis::builder().config("dbfilename", "taken").start().await;
        std::fs::create_dir(server.folder().join("taken")).unwrap();
        server.command(&["BGSAVE"]).await;
        eventually("the snapshot fails", || async {
            let info = server.command(&["INFO", "persistence"]).await.text();
            info.contains("rdb_last_bgsave_status:err")
        })
        .await;
        let examination = examined(&pipeline(&server.url())).await;
        let finding = found(&examination, Code::SaveFails);
        assert!(finding.what.contains("the last snapshot"), "{}", finding.what);
        assert_eq!(finding.severity, Severity::Critical);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_is_held_against_its_master_and_is_no_place_for_databases() {
    run_test(async {
        let group = TestSentinel::start().await;
        let map = pipeline(&group.url());
        let alike = codes(&examined(&map).await);
        assert!(!alike.contains(&Code::ReplicaSettingsDiffer), "{alike:?}");
        assert!(!alike.contains(&Code::OnReplica), "{alike:?}");

        group.command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await;
        let examination = examined(&map).await;
        let finding = found(&examination, Code::ReplicaSettingsDiffer);
        assert!(finding.what.contains("maxmemory-policy is \"noeviction\""), "{}", finding.what);

        let info = group.command(&["INFO", "replication"]).await.text();
        let port = info.split("port=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        let mut replica = RespConnection::open(port.parse().unwrap()).await.unwrap();
        assert!(replica.send(&["ROLE"]).await.unwrap().text().starts_with("slave"));
        let examination = examined(&pipeline(&format!("redis://127.0.0.1:{port}"))).await;
        assert_eq!(severity(&examination, Code::OnReplica), Severity::Critical);
    });
}
