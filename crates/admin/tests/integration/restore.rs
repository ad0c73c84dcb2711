//! Restores into real servers: everything and back again, conflicts, and what stops in the middle.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::{Path, PathBuf};

use compartment_admin::backup::{BackupOptions, Via, backup};
use compartment_admin::restore::{OnConflict, RestoreOptions, RestoreReport, restore};
use compartment_admin::{AdminError, Place, Result, Silent};
use compartment_core::ErrorKind;
use compartment_testkit::{TestCluster, TestRedis, TestRedisBuilder, run_test};

use crate::data::{self, fill, place, place_at, state};
use crate::shared_files;

fn builder() -> TestRedisBuilder {
    TestRedis::builder().debug_command().config("repl-diskless-sync-delay", "0")
}

fn options() -> RestoreOptions {
    RestoreOptions::default().verify(true)
}

async fn bring(file: &Path, place: &Place, options: &RestoreOptions) -> Result<RestoreReport> {
    restore(file, place, options, &Silent).await
}

/// A backup of everything in index 3 of a server, in a folder.
async fn backed_up(folder: &Path, server: &TestRedis) -> PathBuf {
    let file = folder.join("all.rdb");
    let options = BackupOptions::default();
    backup(&place(server, 3).await, None, &file, &options, &Silent).await.unwrap();
    file
}

#[test]
#[ignore = "needs redis-server"]
fn every_dump_of_the_set_is_backed_up_and_restored() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        for path in shared_files::loaded_files() {
            let server = builder().rdb(&path).start().await;
            for index in [0, 1, 2] {
                let mut connection = data::connection(&server, index).await;
                for name in data::names(&mut connection).await.iter().step_by(3) {
                    let command: [&[u8]; 3] = [b"PEXPIREAT", name, b"4102444800123"];
                    connection.send(&command).await.unwrap();
                }
                let wanted = state(&server, index).await;
                for (via, zstd) in [(Via::Scan, false), (Via::Replication, true)] {
                    let here = place(&server, index).await;
                    let how = BackupOptions::default().via(via).zstd(zstd);
                    backup(&here, None, &file, &how, &Silent).await.unwrap();
                    // Back into the emptied database, with nothing but the file to go by.
                    server.command_in(index, &["FLUSHDB"]).await;
                    let report = bring(&file, &here, &options()).await.unwrap();
                    assert_eq!(report.restored, wanted.len() as u64);
                    assert_eq!(report.verified, Some(report.restored));
                    assert!(state(&server, index).await == wanted, "{}", path.display());
                }
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn files_of_old_servers_are_restored_as_they_are() {
    run_test(async {
        for path in shared_files::loaded_files() {
            let loaded = builder().rdb(&path).start().await;
            let target = builder().start().await;
            for index in [0, 1, 2] {
                let wanted = state(&loaded, index).await;
                if wanted.is_empty() {
                    continue;
                }
                let options = options().from_index(Some(index.into()));
                let report = bring(&path, &place(&target, 5).await, &options).await.unwrap();
                assert_eq!(report.restored, wanted.len() as u64, "{}", path.display());
                assert!(state(&target, 5).await == wanted, "{}", path.display());
                target.command(&["FLUSHALL"]).await;
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn refused_files_say_why_and_leave_the_target_as_it_is() {
    run_test(async {
        let server = builder().start().await;
        server.command(&["SET", "mine", "1"]).await;
        let before = state(&server, 0).await;
        let refused = shared_files::files("refused").into_iter();
        // Files of Redis 7.2 are written again in the format of this server.
        for path in refused.filter(|path| !is_of_7_2(path)) {
            for on_conflict in [OnConflict::Fail, OnConflict::Skip, OnConflict::Replace] {
                let options = options().on_conflict(on_conflict);
                let error = bring(&path, &place(&server, 0).await, &options).await.unwrap_err();
                let says = match shared_files::name(&path).as_str() {
                    "rdbtools-redis_40_with_module.rdb" => "module type ReJSON-RL",
                    _ => "checksum is wrong",
                };
                assert!(matches!(error, AdminError::BadFile { .. }), "{error}");
                assert!(error.to_string().contains(says), "{error}");
            }
        }
        assert_eq!(state(&server, 0).await, before);
    });
}

/// Whether Redis 7.0 refuses the file for its version only.
fn is_of_7_2(path: &Path) -> bool {
    ["librdb-multiple_dbs.rdb", "librdb-set_not_expired_v11.rdb"]
        .contains(&shared_files::name(path).as_str())
}

#[test]
#[ignore = "needs redis-server"]
fn files_of_later_servers_are_written_again_in_the_format_of_this_one() {
    run_test(async {
        let server = builder().start().await;
        let place = place(&server, 5).await;
        for path in shared_files::files("refused").iter().filter(|path| is_of_7_2(path)) {
            let options = options().from_index(Some(0)).verify(true);
            let report = bring(path, &place, &options).await.unwrap();
            assert_eq!(report.restored, report.keys - report.expired, "{report:?}");
            server.command(&["FLUSHALL"]).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_file_of_several_databases_asks_which() {
    run_test(async {
        let Some(folder) = shared_files::dumps("loads") else { return };
        let server = builder().start().await;
        let place = place(&server, 0).await;
        let file = folder.join("replicator-dumpV6.rdb");
        let error = bring(&file, &place, &options()).await.unwrap_err().to_string();
        assert!(error.contains("0 (123 keys), 1 (9 keys)"), "{error}");
        let error = bring(&file, &place, &options().from_index(Some(7))).await.unwrap_err();
        assert!(error.to_string().contains("no database 7"), "{error}");
        let report = bring(&file, &place, &options().from_index(Some(1))).await.unwrap();
        assert_eq!((report.restored, report.from_index), (9, 1));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_in_the_way_are_refused_kept_or_replaced() {
    run_test(async {
        let source = builder().start().await;
        fill(&source, 3).await;
        let wanted = state(&source, 3).await;
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;
        let target = builder().start().await;
        let place = place(&target, 3).await;
        target.command_in(3, &["SET", "text:1", "mine"]).await;
        target.command_in(3, &["SET", "unrelated", "1"]).await;
        let before = state(&target, 3).await;

        for dry_run in [true, false] {
            let error = bring(&file, &place, &options().dry_run(dry_run)).await.unwrap_err();
            assert!(matches!(error, AdminError::Conflict(_)), "{error}");
            assert!(error.to_string().contains("1 keys") && error.to_string().contains("text:1"));
            assert_eq!(state(&target, 3).await, before);
        }
        let skip = options().on_conflict(OnConflict::Skip);
        let report = bring(&file, &place, &skip.clone().dry_run(true)).await.unwrap();
        assert_eq!((report.standing, report.restored), (1, 0));
        assert_eq!(state(&target, 3).await, before);

        let report = bring(&file, &place, &skip).await.unwrap();
        assert_eq!((report.standing, report.restored), (1, wanted.len() as u64 - 1));
        assert_eq!(state(&target, 3).await[&b"text:1"[..]], before[&b"text:1"[..]]);

        let replace = options().on_conflict(OnConflict::Replace);
        let report = bring(&file, &place, &replace).await.unwrap();
        assert_eq!(report.restored, wanted.len() as u64);
        let mut now = state(&target, 3).await;
        assert!(now.remove(&b"unrelated"[..]).is_some());
        assert!(now == wanted);

        // What is the same is no conflict.
        let report = bring(&file, &place, &options()).await.unwrap();
        assert_eq!((report.restored, report.already_there), (0, wanted.len() as u64));
        target.command_in(3, &["PERSIST", "text:0"]).await;
        target.command_in(3, &["PEXPIREAT", "text:0", "4102444800000"]).await;
        let error = bring(&file, &place, &options()).await.unwrap_err();
        assert!(error.to_string().contains("text:0"), "{error}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_pattern_and_a_prefix_choose_and_place_the_keys() {
    run_test(async {
        let source = builder().start().await;
        fill(&source, 3).await;
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;
        let target = builder().start().await;
        target.command(&["SET", "text:1", "of another"]).await;
        let place = place(&target, 0).await.with_prefix("app:");
        let options = options().pattern(Some(b"text:*".to_vec()));
        let report = bring(&file, &place, &options).await.unwrap();
        assert_eq!((report.keys, report.restored), (60, 60));
        let found = state(&target, 0).await;
        assert!(found.len() == 61 && found.contains_key(&b"app:text:59"[..]));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_whose_time_is_over_are_counted_and_left_out() {
    run_test(async {
        let Some(folder) = shared_files::dumps("loads") else { return };
        let server = builder().start().await;
        let file = folder.join("rdbtools-keys_with_expiry.rdb");
        let report = bring(&file, &place(&server, 0).await, &options()).await.unwrap();
        assert_eq!((report.keys, report.expired, report.restored), (1, 1, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_stops_in_the_middle_is_gone_on_with() {
    run_test(async {
        let source = builder().start().await;
        fill(&source, 3).await;
        let script =
            "for i = 1, 4000 do redis.call('SET', 'more:' .. i, string.rep('x', 1000)) end";
        source.command_in(3, &["EVAL", script, "0"]).await;
        let wanted = state(&source, 3).await;
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;

        let target = builder().config("maxmemory", "5mb").start().await;
        let place = place(&target, 3).await;
        let error = bring(&file, &place, &options()).await.unwrap_err();
        let AdminError::Server(inner) = &error else { unreachable!("{error}") };
        assert_eq!(inner.kind(), ErrorKind::OutOfMemory);
        let text = error.to_string();
        assert!(text.contains("restore key") && text.contains("same command"), "{text}");
        let part = state(&target, 3).await.len();
        assert!(part > 0 && part < wanted.len(), "{part}");
        target.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        let report = bring(&file, &place, &options()).await.unwrap();
        assert_eq!(report.already_there, part as u64);
        assert_eq!(report.restored, (wanted.len() - part) as u64);
        assert!(state(&target, 3).await == wanted);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn replicas_and_users_who_may_not_are_told_of() {
    run_test(async {
        let source = builder().start().await;
        fill(&source, 3).await;
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;
        let replica = builder().config("replicaof", "127.0.0.1 1").start().await;
        let limited = builder().acl_user("u", "pw", "~* +@all -restore").start().await;
        let user = limited.url_with_user("u", "pw");
        for (place, kind, says) in [
            (place(&replica, 3).await, ErrorKind::ReadOnly, "is a replica"),
            (place_at(&user, 3).await, ErrorKind::Permission, "0 keys are restored"),
        ] {
            let error = bring(&file, &place, &options()).await.unwrap_err();
            let AdminError::Server(inner) = &error else { unreachable!("{error}") };
            assert_eq!(inner.kind(), kind);
            assert!(error.to_string().contains(says), "{error}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn large_values_and_a_cluster_are_no_hindrance() {
    run_test(async {
        let source = builder().start().await;
        fill(&source, 3).await;
        let script = "for i = 1, 3 do redis.call('SET', 'big:' .. i, string.rep(i, 30000000)) end";
        source.command_in(3, &["EVAL", script, "0"]).await;
        let keys = state(&source, 3).await.len() as u64;
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;
        let cluster = TestCluster::start().await;
        let place = place_at(&cluster.url(), 0).await.with_prefix("app:");
        let report = bring(&file, &place, &options()).await.unwrap();
        assert_eq!((report.restored, report.verified), (keys, Some(keys)));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_on_any_node_of_a_cluster_is_in_the_way_before_anything_is_written() {
    run_test(async {
        let source = builder().start().await;
        for i in 0..50 {
            source.command_in(3, &["SET", &format!("key:{i}"), "1"]).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = backed_up(folder.path(), &source).await;
        let cluster = TestCluster::start().await;
        let place = place_at(&cluster.url(), 0).await;
        for master in 0..3 {
            // One of the fifty is at home on each master.
            let mut own = None;
            for i in 0..50 {
                let set = cluster.command(master, &["SET", &format!("key:{i}"), "other"]).await;
                if !set.is_error() {
                    own = Some(format!("key:{i}"));
                    break;
                }
            }
            let error = bring(&file, &place, &options()).await.unwrap_err();
            assert!(matches!(error, AdminError::Conflict(_)), "{error}");
            for node in 0..3 {
                let keys = cluster.command(node, &["DBSIZE"]).await.integer().unwrap();
                assert_eq!(
                    keys,
                    i64::from(node == master),
                    "{own:?} on {master}, {keys} on {node}"
                );
                cluster.command(node, &["FLUSHALL"]).await;
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_damaged_value_is_found_without_a_checksum() {
    run_test(async {
        let server = builder().start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("odd.rdb");
        // A set of numbers whose numbers are of no known width; without a checksum.
        let odd =
            b"REDIS0010\xfe\0\0\x04good\x01v\x0b\x03odd\x08\x03\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\0";
        std::fs::write(&file, odd).unwrap();
        let error = bring(&file, &place(&server, 0).await, &options()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"odd\"") && text.contains("nothing was restored"), "{text}");
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
    });
}
