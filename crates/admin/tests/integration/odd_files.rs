//! Files that other programs make, or that are made to harm: what a server would do with each.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use compartment_admin::rdb::{Item, RdbReader};
use compartment_admin::restore::{OnConflict, RestoreOptions, RestoreReport, restore};
use compartment_admin::verify::{VerifyOptions, verify_dump};
use compartment_admin::{AnalyzeOptions, Progress, Result, Silent, analyze_dump};
use compartment_testkit::{ServerProgram, TestRedis, run_test};

use crate::data::{self, place};
use crate::made::{BEFORE, BEHIND, file, listpack, with_value, written, ziplist};
use crate::shared_files;

/// Keeps the notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn begin(&self, _what: &str, _keys: Option<u64>) {}

    fn advance(&self, _keys: u64) {}

    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

async fn bring(
    path: &Path,
    server: &TestRedis,
    options: &RestoreOptions,
) -> (Result<RestoreReport>, String) {
    let notes = Notes::default();
    let result = restore(path, &place(server, 0).await, options, &notes).await;
    (result, notes.0.into_inner().unwrap().join("\n"))
}

async fn names(server: &TestRedis) -> Vec<String> {
    let mut connection = server.connect().await;
    let names = data::names(&mut connection).await;
    let mut names: Vec<String> =
        names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_expiry_holds_until_the_next_key_whatever_stands_between() {
    let at = 4_102_444_800_123_u64;
    let expiry = [&[0xfc][..], &at.to_le_bytes()].concat();
    let aux = b"\xfa\x0bmvcc-tstamp\x011";
    let resize = b"\xfb\x05\x01";
    let other = b"\xfe\x03";
    let (idle, uses) = (b"\xf8\x07", b"\xf9\x09");
    for between in [&[&aux[..]][..], &[other, resize], &[idle, aux, uses, aux], &[uses, other]] {
        let bytes = file(&[&expiry, &between.concat(), BEFORE, BEHIND]);
        let mut reader = RdbReader::new(bytes.as_slice()).unwrap();
        let mut found = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            if let Item::Key(key) = item {
                found.push((key.expires_at_ms, key.idle_seconds, key.frequency));
            }
        }
        let idle = between.contains(&&idle[..]).then_some(7);
        let uses = between.contains(&&uses[..]).then_some(9);
        assert_eq!(found, [(Some(at), idle, uses), (None, None, None)]);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn collections_without_an_element_are_left_out_and_counted() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let target = TestRedis::start().await;
        let empty: &[(u8, Vec<u8>)] = &[
            (1, vec![0]),
            (2, vec![0]),
            (3, vec![0]),
            (4, vec![0]),
            (5, vec![0]),
            (10, ziplist(&[])),
            (12, ziplist(&[])),
            (13, ziplist(&[])),
            (14, vec![0]),
            (14, [vec![1], ziplist(&[])].concat()),
            (16, listpack(&[])),
            (17, listpack(&[])),
            (18, vec![0]),
            (18, [vec![2, 2], listpack(&[]), vec![2], listpack(&[])].concat()),
        ];
        for (value_type, value) in empty {
            let bytes = with_value(*value_type, value, true);
            let path = written(folder.path(), &bytes);
            let (report, notes) = bring(&path, &target, &RestoreOptions::default()).await;
            let report = report.unwrap();
            assert_eq!((report.keys, report.restored, report.empty), (2, 2, 1), "{value_type}");
            assert!(notes.contains("1 keys of the file are empty collections"));
            assert_eq!(names(&target).await, ["a", "z"]);
            target.command(&["FLUSHALL"]).await;
            let analysis =
                analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent).unwrap().remove(0);
            assert_eq!(analysis.keys, 2);
            assert!(analysis.missing.join(" ").contains("1 keys are collections without"));
            // The files are of Redis 7.0, which older servers do not load.
            if ServerProgram::usual().rdb_version() >= 10 {
                let loaded = TestRedis::builder().rdb(&path).start().await;
                assert_eq!(names(&loaded).await, ["a", "z"], "{value_type}: what a server does");
            }
        }
        // An empty stream is a key.
        target.command(&["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"]).await;
        target.command(&["SAVE"]).await;
        let other = TestRedis::start().await;
        let (report, _) =
            bring(&target.folder().join("dump.rdb"), &other, &RestoreOptions::default()).await;
        assert_eq!((report.unwrap().restored, names(&other).await), (1, vec!["s".to_owned()]));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_no_server_takes_is_refused_before_anything_is_written() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let target = TestRedis::start().await;
        let nan = f64::NAN.to_le_bytes();
        let values: &[(u8, Vec<u8>, &str)] = &[
            (2, b"\x02\x01m\x01m".to_vec(), "a set has a member twice"),
            (20, listpack(&["m", "m"]), "a set has a member twice"),
            (4, b"\x02\x01f\x01v\x01f\x01w".to_vec(), "a hash has a field twice"),
            (13, ziplist(&["f", "v", "f", "w"]), "a hash has a field twice"),
            (16, listpack(&["f", "v", "f", "w"]), "a hash has a field twice"),
            (3, b"\x02\x01m\x011\x01m\x012".to_vec(), "a sorted set has a member twice"),
            (17, listpack(&["m", "1", "m", "2"]), "a sorted set has a member twice"),
            (3, b"\x01\x01m\xfd".to_vec(), "is not a number"),
            (3, b"\x01\x01m\x03nan".to_vec(), "is not a number"),
            (5, [&b"\x01\x01m"[..], &nan].concat(), "is not a number"),
            (17, listpack(&["m", "nan"]), "is not a number"),
            (16, listpack(&["f"]), "has no value"),
            (3, b"\x01\x01m\x02xx".to_vec(), "a score is not a number"),
        ];
        let mut files: Vec<(Vec<u8>, &str)> = Vec::new();
        for (value_type, value, says) in values {
            for has_checksum in [true, false] {
                files.push((with_value(*value_type, value, has_checksum), *says));
            }
        }
        let twice = "the key \"a\" twice";
        files.push((file(&[BEFORE, BEHIND, BEFORE]), twice));
        files.push((file(&[BEFORE, b"\x02\x01a\x01\x01m"]), twice));
        files.push((file(&[BEFORE, b"\xfe\x01", BEFORE, b"\xfe\x00", BEFORE]), twice));
        for (bytes, says) in files {
            let path = written(folder.path(), &bytes);
            for (dry_run, on_conflict) in [
                (true, OnConflict::Fail),
                (false, OnConflict::Fail),
                (false, OnConflict::Skip),
                (false, OnConflict::Replace),
            ] {
                let options = RestoreOptions::default()
                    .dry_run(dry_run)
                    .on_conflict(on_conflict)
                    .from_index(Some(0));
                let said = bring(&path, &target, &options).await.0.unwrap_err().to_string();
                assert!(said.contains(says) && said.ends_with("nothing was restored"), "{said}");
            }
            assert_eq!(names(&target).await, Vec::<String>::new());
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_twice_counts_only_where_both_are_to_be_restored() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let past = [&[0xfc][..], &1_000_u64.to_le_bytes()].concat();
        // The name stands in two databases, and once with a time that is over.
        let bytes = file(&[BEFORE, &past, BEFORE, b"\xfe\x01", BEFORE, BEHIND, BEHIND]);
        let path = written(folder.path(), &bytes);
        let target = TestRedis::start().await;
        let options = RestoreOptions::default().from_index(Some(0));
        let report = bring(&path, &target, &options).await.0.unwrap();
        assert_eq!((report.restored, report.expired), (1, 1));
        target.command(&["FLUSHALL"]).await;
        let options = options.from_index(Some(1));
        let said = bring(&path, &target, &options).await.0.unwrap_err().to_string();
        assert!(said.contains("the key \"z\" twice"), "{said}");
        let options = options.pattern(Some(b"a".to_vec()));
        assert_eq!(bring(&path, &target, &options).await.0.unwrap().restored, 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_follows_the_dump_is_refused_and_named() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let target = TestRedis::start().await;
        let set: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n";
        let many = set.repeat(20_000);
        for (behind, says) in [
            (set, format!("append-only file: {} bytes of commands", set.len())),
            (&many, format!("append-only file: {} bytes of commands", many.len())),
            (b"#TS:1700000000\r\n", "append-only file: 16 bytes of commands".to_owned()),
            (b"\n", "1 bytes follow the end".to_owned()),
            (&[b'a'; 41], "41 bytes follow the end".to_owned()),
            (&[0; 4096], "4096 bytes follow the end".to_owned()),
        ] {
            for packed in [false, true] {
                let mut bytes = [&file(&[BEFORE]), behind].concat();
                if packed {
                    bytes = zstd::encode_all(bytes.as_slice(), 1).unwrap();
                }
                let path = written(folder.path(), &bytes);
                let said = bring(&path, &target, &RestoreOptions::default()).await.0.unwrap_err();
                assert!(said.to_string().contains(&says), "{said}");
                let analyzed = analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent);
                assert!(analyzed.unwrap_err().to_string().contains(&says));
                let options = VerifyOptions::default();
                let here = place(&target, 0).await;
                let verified = verify_dump(&path, None, here, options, Arc::new(Silent)).await;
                assert!(verified.unwrap_err().to_string().contains(&says));
            }
        }
        assert_eq!(names(&target).await, Vec::<String>::new());
        // The first part of an append-only file in several is a dump, and not all.
        let base = file(&[b"\xfa\x08aof-base\xc0\x01", BEFORE]);
        let path = written(folder.path(), &base);
        let (report, notes) = bring(&path, &target, &RestoreOptions::default()).await;
        assert_eq!(report.unwrap().restored, 1);
        assert!(notes.contains(".incr.aof files"), "{notes}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn functions_of_release_candidates_and_times_of_members_are_noted_and_left_out() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let target = TestRedis::start().await;
        let plain = b"\xf6\x04mylb\x03LUA\x00\x06return";
        let described = b"\xf6\x04mylb\x03LUA\x01\x04does\x06return";
        let bytes = file(&[plain, described, BEFORE, BEHIND]);
        let path = written(folder.path(), &bytes);
        let (report, notes) = bring(&path, &target, &RestoreOptions::default()).await;
        assert_eq!(report.unwrap().restored, 2);
        assert!(notes.contains("2 function libraries"), "{notes}");

        target.command(&["FLUSHALL"]).await;
        let times =
            b"\xfa\x13keydb-subexpire-key\x02f1\xfa\x14keydb-subexpire-when\x0d1795887216132";
        let bytes = file(&[b"\x04\x01h\x01\x02f1\x01v", times, BEHIND]);
        let path = written(folder.path(), &bytes);
        let (report, notes) = bring(&path, &target, &RestoreOptions::default()).await;
        assert_eq!(report.unwrap().restored, 2);
        assert!(notes.contains("1 members of collections have an expiry of their own"), "{notes}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_database_that_a_file_lacks_is_said_and_is_not_the_same() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = TestRedis::start().await;
        let mut bytes = file(&[BEFORE]);
        bytes[10] = 3;
        let path = written(folder.path(), &bytes);
        let compare = async |index| {
            let here = place(&server, 0).await;
            verify_dump(&path, index, here, VerifyOptions::default(), Arc::new(Silent)).await
        };
        let said = compare(Some(0)).await.unwrap_err().to_string();
        assert!(said.ends_with("it has no database 0: it has 3 (1 key)"), "{said}");
        assert_eq!(compare(None).await.unwrap().missing, 1);
        let analyzed = analyze_dump(&path, Some(0), &AnalyzeOptions::default(), &Silent);
        assert!(analyzed.unwrap_err().to_string().contains("it has no database 0: it has 3"));
        let options = RestoreOptions::default().from_index(Some(0));
        let said = bring(&path, &server, &options).await.0.unwrap_err().to_string();
        assert!(said.contains("it has no database 0: it has 3"), "{said}");
        std::fs::write(&path, file(&[])).unwrap();
        let said = compare(Some(0)).await.unwrap_err().to_string();
        assert!(said.ends_with("there is no key in it"), "{said}");
    });
}

/// 1 while the first key of the file lives: its life ends at a fixed time.
fn still_lives(path: &Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    let ends = i64::from_le_bytes(bytes[12..20].try_into().unwrap());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(u128::try_from(ends).unwrap() > now.as_millis())
}

#[test]
#[ignore = "needs redis-server"]
fn the_files_made_for_it_come_out_as_they_should() {
    run_test(async {
        let Some(folder) = shared_files::dumps("made") else { return };
        let expected = BTreeMap::from([
            ("keydb-ttl.rdb", Ok(1 + still_lives(&folder.join("keydb-ttl.rdb")))),
            ("keydb-subexpire.rdb", Ok(2)),
            ("emptyset.rdb", Ok(2)),
            ("emptylist.rdb", Ok(2)),
            ("emptyhash.rdb", Ok(2)),
            ("dup.rdb", Err("the key \"k\" twice")),
            ("dup-same.rdb", Err("the key \"comment-0-1616050915108900\" twice")),
            ("dupmember.rdb", Err("key \"h\": it is damaged: a set has a member twice")),
            ("lzfbomb.rdb", Err("key \"k\" of database 0: it is damaged: a compressed string")),
            ("inf.rdb", Ok(3)),
            ("exneg.rdb", Ok(2)),
            ("only3.rdb", Ok(1)),
            ("appendonly.aof", Err("an append-only file: 82 bytes of commands")),
        ]);
        for (name, expected) in expected {
            let target = TestRedis::start().await;
            let options = RestoreOptions::default().verify(true);
            let (result, _) = bring(&folder.join(name), &target, &options).await;
            let keys = names(&target).await.len() as u64;
            match (result, expected) {
                (Ok(report), Ok(wanted)) => {
                    assert_eq!((report.restored, keys), (wanted, wanted), "{name}");
                }
                (Err(error), Err(says)) => {
                    assert!(error.to_string().contains(says), "{name}: {error}");
                    assert_eq!(keys, 0, "{name}");
                }
                (result, _) => unreachable!("{name}: {result:?}"),
            }
        }
    });
}
