//! Backups of real servers: whole, by pattern, interrupted, refused; each loaded by a server again.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use compartment_admin::backup::{BackupOptions, BackupReport, Via, backup, settled};
use compartment_admin::rdb::{Format, Item, RdbReader};
use compartment_admin::{AdminError, Limits, Place, Progress, Silent};
use compartment_core::ErrorKind;
use compartment_testkit::{ServerProgram, TestCluster, TestRedis, TestRedisBuilder, run_test};
use tokio::sync::Notify;

use crate::data::{self, State, fill, place, place_at, state};
use crate::shared_files;

fn builder() -> TestRedisBuilder {
    TestRedis::builder().debug_command().config("repl-diskless-sync-delay", "0")
}

fn by(via: Via) -> BackupOptions {
    BackupOptions::default().via(via)
}

async fn back_up(place: &Place, file: &Path, options: &BackupOptions) -> BackupReport {
    backup(place, None, file, options, &Silent).await.unwrap()
}

/// What a server has that is given the file.
async fn loaded(file: &Path, index: u32) -> State {
    // The system's program knows the format of the system's server.
    if ServerProgram::usual() == ServerProgram::system() {
        let check = std::process::Command::new("redis-check-rdb").arg(file).output().unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    }
    state(&builder().rdb(file).start().await, index).await
}

/// Tells whole servers apart, more quickly than key by key.
async fn digest(server: &TestRedis) -> String {
    server.command(&["DEBUG", "DIGEST"]).await.text()
}

/// The names in a file, in the file's order.
fn names(file: &Path) -> Vec<Vec<u8>> {
    let reader = RdbReader::new(std::fs::File::open(file).unwrap()).unwrap();
    reader
        .filter_map(|item| match item.unwrap() {
            Item::Key(key) => Some(key.name),
            _ => None,
        })
        .collect()
}

fn in_folder(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Gives every third key, by name, an expiry far away.
async fn expire_a_third(server: &TestRedis, index: u32) {
    let mut connection = data::connection(server, index).await;
    for name in data::names(&mut connection).await.iter().step_by(3) {
        let command: [&[u8]; 3] = [b"PEXPIREAT", name, b"4102444800123"];
        assert!(!connection.send(&command).await.unwrap().is_error());
    }
}

#[test]
#[ignore = "needs redis-server"]
fn every_dump_of_the_set_comes_back_by_both_ways() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        for path in shared_files::loaded_files() {
            let server = builder().rdb(&path).start().await;
            for index in [0, 1, 2] {
                expire_a_third(&server, index).await;
                let wanted = state(&server, index).await;
                let ways = [Via::Scan, Via::Replication];
                // Of empty ones there are many, and one is like the other.
                let ways = &ways[..if wanted.is_empty() { 1 } else { 2 }];
                for &via in ways {
                    let file = folder.path().join("out.rdb");
                    let report = back_up(&place(&server, index).await, &file, &by(via)).await;
                    assert_eq!(report.keys, wanted.len() as u64);
                    let expiring = wanted.values().filter(|(_, _, at)| *at > 0).count();
                    assert_eq!(report.expiring, expiring as u64);
                    assert_eq!(report.bytes, std::fs::metadata(&file).unwrap().len());
                    if !wanted.is_empty() {
                        assert!(loaded(&file, index).await == wanted, "{}", path.display());
                    }
                }
            }
        }
        assert!(in_folder(&folder).iter().all(|name| name == "out.rdb"));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn one_database_of_everything_and_nothing_of_the_others() {
    run_test(async {
        let server = builder().start().await;
        fill(&server, 3).await;
        server.command_in(0, &["SET", "other", "1"]).await;
        server
            .command(&[
                "FUNCTION",
                "LOAD",
                "#!lua name=l\nredis.register_function('f', function() return 1 end)",
            ])
            .await;
        let wanted = state(&server, 3).await;
        let folder = tempfile::tempdir().unwrap();
        for via in [Via::Auto, Via::Replication] {
            let file = folder.path().join("plain.rdb");
            let plain = back_up(&place(&server, 3).await, &file, &by(via)).await;
            let format = Format::of(place(&server, 3).await.server().info()).unwrap();
            assert_eq!((plain.keys, plain.rdb_version), (wanted.len() as u64, format.version()));
            assert_eq!(loaded(&file, 3).await, wanted);
            assert!(loaded(&file, 0).await.is_empty());

            let packed = folder.path().join("packed.rdb.zst");
            let place = place(&server, 3).await;
            let report = back_up(&place, &packed, &by(via).zstd(true)).await;
            assert!(report.bytes < plain.bytes, "{} {}", report.bytes, plain.bytes);
            let unpacked = zstd::decode_all(std::fs::File::open(&packed).unwrap()).unwrap();
            std::fs::write(&file, unpacked).unwrap();
            assert_eq!(loaded(&file, 3).await, wanted);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_pattern_and_a_prefix_choose_the_keys() {
    run_test(async {
        let server = builder().start().await;
        for name in ["app:doc:1", "app:doc:2", "app:user:1", "doc:3", "app:"] {
            server.command(&["SET", name, name]).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        for via in [Via::Scan, Via::Replication] {
            let bare = place(&server, 0).await;
            let prefixed = bare.clone().with_prefix("app:");
            for (place, pattern, wanted) in [
                (&bare, Some("*doc*"), vec!["app:doc:1", "app:doc:2", "doc:3"]),
                (&prefixed, None, vec!["", "doc:1", "doc:2", "user:1"]),
                (&prefixed, Some("doc:[1]"), vec!["doc:1"]),
                (&prefixed, Some("none"), vec![]),
            ] {
                let pattern = pattern.map(str::as_bytes);
                let report = backup(place, pattern, &file, &by(via), &Silent).await.unwrap();
                let mut found = names(&file);
                found.sort();
                let wanted: Vec<Vec<u8>> = wanted.iter().map(|n| n.as_bytes().to_vec()).collect();
                assert_eq!(found, wanted, "{via:?} {pattern:?}");
                assert_eq!(report.keys, wanted.len() as u64);
            }
        }
    });
}

/// Tells when so many keys are done.
struct After {
    keys: u64,
    done: AtomicU64,
    reached: Notify,
}

impl Progress for After {
    fn begin(&self, _what: &str, _keys: Option<u64>) {}

    fn advance(&self, keys: u64) {
        if self.done.fetch_add(keys, Ordering::Relaxed) + keys >= self.keys {
            self.reached.notify_one();
        }
    }

    fn note(&self, _text: &str) {}
}

async fn many(server: &TestRedis, keys: u32) {
    let script = "for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end";
    server.command(&["EVAL", script, "0", &keys.to_string()]).await;
}

/// Runs a backup until so many keys are done, and gives it up.
async fn interrupt(place: &Place, file: &Path, options: &BackupOptions, keys: u64) {
    let after = Arc::new(After { keys, done: AtomicU64::new(0), reached: Notify::new() });
    let run = backup(place, None, file, options, &*after);
    tokio::select! {
        report = run => panic!("it was not interrupted: {report:?}"),
        () = after.reached.notified() => {}
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", file.display()))
}

#[test]
#[ignore = "needs redis-server"]
fn an_interrupted_backup_is_no_file_and_is_gone_on_with() {
    run_test(async {
        let server = builder().start().await;
        many(&server, 30_000).await;
        let wanted = digest(&server).await;
        let folder = tempfile::tempdir().unwrap();
        for zstd in [false, true] {
            let file = folder.path().join(format!("out-{zstd}.rdb"));
            let options = by(Via::Scan).zstd(zstd);
            let place = place(&server, 0).await;
            interrupt(&place, &file, &options, 8_000).await;
            assert!(!file.exists());
            settled(&file).await.unwrap();
            // As a process leaves it that is killed after it was last safe.
            let mut bytes = std::fs::read(beside(&file, ".partial")).unwrap();
            bytes.extend_from_slice(b"\x00\x05half a");
            std::fs::write(beside(&file, ".partial"), bytes).unwrap();
            let report = back_up(&place, &file, &options).await;
            assert!(report.resumed > 1_000 && report.resumed < 30_000, "{report:?}");
            assert_eq!(report.keys, 30_000);
            if zstd {
                let unpacked = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
                std::fs::write(&file, unpacked).unwrap();
            }
            assert_eq!(digest(&builder().rdb(&file).start().await).await, wanted);
            std::fs::remove_file(&file).unwrap();
        }
        assert_eq!(in_folder(&folder), Vec::<String>::new());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn names_given_twice_are_written_once() {
    run_test(async {
        let server = builder().start().await;
        many(&server, 30_000).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        let place = place(&server, 0).await;
        interrupt(&place, &file, &by(Via::Scan), 10_000).await;
        let state_file = beside(&file, ".partial.state");
        settled(&file).await.unwrap();
        // From the first name again: all that is in the file is named a second time.
        let mut state: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&state_file).unwrap()).unwrap();
        (state["node"], state["cursor"]) = (0.into(), 0.into());
        std::fs::write(&state_file, serde_json::to_vec(&state).unwrap()).unwrap();
        // One of them is gone by then, and one is new.
        server.command(&["DEL", "key:1"]).await;
        let report = back_up(&place, &file, &by(Via::Scan)).await;
        assert!(report.resumed >= 9_000 && report.repeated >= report.resumed - 1, "{report:?}");
        let mut found = names(&file);
        found.sort();
        let before = found.len();
        found.dedup();
        assert_eq!(found.len(), before);
        assert!((29_999..=30_000).contains(&before), "{before}");
        assert_eq!(report.keys, before as u64);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn another_source_begins_anew() {
    run_test(async {
        let (one, two) = (builder().start().await, builder().start().await);
        many(&one, 20_000).await;
        many(&two, 5_000).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        interrupt(&place(&one, 0).await, &file, &by(Via::Scan), 8_000).await;
        let report = back_up(&place(&two, 0).await, &file, &by(Via::Scan)).await;
        assert_eq!((report.resumed, report.keys, names(&file).len()), (0, 5_000, 5_000));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_user_who_may_not_dump_is_told_of_the_key() {
    run_test(async {
        let server = builder().acl_user("u", "pw", "~* +@all -dump").start().await;
        server.command(&["SET", "a key", "1"]).await;
        let place = place_at(&server.url_with_user("u", "pw"), 0).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        let error = backup(&place, None, &file, &by(Via::Scan), &Silent).await.unwrap_err();
        let AdminError::Server(inner) = &error else { panic!("{error}") };
        assert_eq!(inner.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains(r"dump key"), "{error}");
        assert!(error.to_string().contains("x20key") && !file.exists(), "{error}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn limits_are_kept_and_large_values_come_one_by_one() {
    run_test(async {
        let server = builder().start().await;
        let script =
            "for i = 1, 5 do redis.call('SET', 'large:' .. i, string.rep('x', 20000000)) end";
        server.command(&["EVAL", script, "0"]).await;
        many(&server, 200).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        let limits = Limits::default().operations_per_second(Some(2_000));
        let started = std::time::Instant::now();
        let place = place(&server, 0).await;
        let report = back_up(&place, &file, &by(Via::Scan).limits(limits)).await;
        assert_eq!(report.keys, 205);
        assert!(started.elapsed().as_millis() > 150, "{:?}", started.elapsed());
        assert_eq!(names(&file).len(), 205);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_is_backed_up_as_one() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let place = place_at(&cluster.url(), 0).await;
        let mut connection = place.open("fill").await.unwrap();
        for i in 0..300 {
            let mut set = redis::cmd("SET");
            set.arg(format!("app:{i}")).arg(i);
            connection.ask::<redis::Value>("fill", &set).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        let report = back_up(&place.with_prefix("app:"), &file, &by(Via::Scan)).await;
        assert_eq!((report.keys, loaded(&file, 0).await.len()), (300, 300));
    });
}
