//! A backup for a line of servers loads there, and any file is restored into any version.

use std::path::Path;

use compartment_admin::backup::{BackupOptions, BackupReport, Via, backup};
use compartment_admin::migrate::FieldLives;
use compartment_admin::rdb::Format;
use compartment_admin::restore::{RestoreOptions, restore};
use compartment_admin::{AdminError, Silent};
use compartment_testkit::{ServerProgram, TestRedis, run_test};

use super::content::{assert_same, content, fill};
use super::{has_field_lives, shown, start};
use crate::data::{connection, place, tell};

/// The name of a version's line, as `backup --for` takes it.
fn line(program: &ServerProgram) -> &'static str {
    match (program.is_valkey(), program.version().as_str()) {
        (true, version) if version.starts_with('9') => "valkey-9",
        (true, _) => "valkey-8",
        (false, version) if version.starts_with("6.2") => "6.2",
        (false, version) if version.starts_with("7.0") => "7.0",
        (false, version) if version.starts_with("7.2") => "7.2",
        (false, _) => "8.2",
    }
}

async fn filled(program: &ServerProgram) -> TestRedis {
    let server = start(program).await;
    fill(&server, 0).await;
    if has_field_lives(program) {
        tell(&mut connection(&server, 0).await, "HPEXPIREAT hash:7 4102444800123 FIELDS 2 a b")
            .await;
    }
    server
}

async fn write(
    server: &TestRedis,
    file: &Path,
    options: &BackupOptions,
) -> Result<BackupReport, AdminError> {
    backup(&place(server, 0).await, None, file, options, &Silent).await
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_backup_for_a_line_loads_in_its_servers() {
    run_test(async {
        let all = ServerProgram::all();
        let folder = tempfile::tempdir().unwrap();
        for from in &all {
            let one = filled(from).await;
            for to in &all {
                let pair = format!("{} for {}", shown(from), shown(to));
                let fields = has_field_lives(from) && has_field_lives(to);
                let file = folder.path().join("dump.rdb");
                let format = Format::named(line(to));
                let choice = if fields { FieldLives::Stop } else { FieldLives::Drop };
                for via in [Via::Scan, Via::Replication] {
                    let options =
                        BackupOptions::default().format(format).field_lives(choice).via(via);
                    let report = write(&one, &file, &options).await;
                    let report = report.unwrap_or_else(|error| panic!("{pair}: {error}"));
                    assert_eq!(report.rdb_version, format.unwrap().version(), "{pair}");
                    let other = TestRedis::builder().program(to).rdb(&file).start().await;
                    let here = content(&one, 0, fields).await;
                    assert_same(&content(&other, 0, fields).await, &here, &pair);
                }
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn keys_that_a_line_cannot_hold_are_named_left_out_or_changed() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.rdb");
        for from in ServerProgram::all().iter().filter(|program| has_field_lives(program)) {
            let one = filled(from).await;
            for name in ["6.2", "7.0", "valkey-8"] {
                let options = BackupOptions::default().format(Format::named(name));
                let error = write(&one, &file, &options).await.unwrap_err();
                assert!(matches!(error, AdminError::Unsafe(_)), "{error:?}");
                assert!(error.to_string().contains("\"hash:7\""), "{error}");
                assert!(!file.exists() && std::fs::read_dir(folder.path()).unwrap().count() == 0);
                let options = options.field_lives(FieldLives::Leave);
                let report = write(&one, &file, &options).await.unwrap();
                let keys = one.command(&["DBSIZE"]).await.integer().unwrap().unsigned_abs();
                assert_eq!((report.left_out, report.keys), (1, keys - 1), "{name}");
                std::fs::remove_file(&file).unwrap();
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_servers_own_file_is_restored_into_every_version() {
    run_test(async {
        let all = ServerProgram::all();
        let folder = tempfile::tempdir().unwrap();
        for from in &all {
            let one = filled(from).await;
            let file = folder.path().join(from.name());
            write(&one, &file, &BackupOptions::default()).await.unwrap();
            for to in &all {
                let pair = format!("{} into {}", shown(from), shown(to));
                let fields = has_field_lives(from) && has_field_lives(to);
                let other = start(to).await;
                let target = place(&other, 3).await;
                let options = RestoreOptions::default().verify(true);
                let lacks = has_field_lives(from) && !has_field_lives(to);
                if lacks {
                    let error = restore(&file, &target, &options, &Silent).await.unwrap_err();
                    assert!(error.to_string().contains("hash:7"), "{pair}: {error}");
                    assert_eq!(other.command_in(3, &["DBSIZE"]).await.integer(), Some(0));
                }
                let options = options.field_lives(FieldLives::Drop);
                let report = restore(&file, &target, &options, &Silent).await;
                let report = report.unwrap_or_else(|error| panic!("{pair}: {error}"));
                assert_eq!(report.restored, report.keys, "{pair}: {report:?}");
                let here = content(&one, 0, fields).await;
                assert_same(&content(&other, 3, fields).await, &here, &pair);
                // Again finds everything there.
                let again = restore(&file, &target, &options, &Silent).await.unwrap();
                assert_eq!(again.already_there, again.keys, "{pair}: {again:?}");
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn functions_go_along_where_they_are_asked_for() {
    const LIBRARY: &str =
        "#!lua name=tools\nredis.register_function('twice', function(k, a) return a[1] * 2 end)";
    run_test(async {
        let all = ServerProgram::all();
        let with_functions: Vec<_> = all.iter().filter(|program| program.major() >= 7).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.rdb");
        for from in &with_functions {
            let one = start(from).await;
            assert!(!one.command(&["FUNCTION", "LOAD", LIBRARY]).await.is_error());
            one.command(&["SET", "a", "1"]).await;
            for to in &with_functions {
                let format = Format::named(line(to));
                let options = BackupOptions::default().format(format).functions(true);
                let report = write(&one, &file, &options).await.unwrap();
                assert_eq!((report.functions, report.keys), (1, 1));
                let other = TestRedis::builder().program(to).rdb(&file).start().await;
                let answer = other.command(&["FCALL", "twice", "0", "21"]).await;
                assert_eq!(answer.integer(), Some(42), "{} for {}", shown(from), shown(to));
                let third = start(to).await;
                let target = place(&third, 0).await;
                for _ in 0..2 {
                    let options = RestoreOptions::default().functions(true);
                    restore(&file, &target, &options, &Silent).await.unwrap();
                    let answer = third.command(&["FCALL", "twice", "0", "21"]).await;
                    assert_eq!(answer.integer(), Some(42));
                }
            }
            let for_6_2 = BackupOptions::default().format(Format::named("6.2")).functions(true);
            let error = write(&one, &file, &for_6_2).await.unwrap_err();
            assert!(error.to_string().contains("has no functions"), "{error}");
        }
    });
}

/// What each program writes is what [`Format::of`] expects of its version.
#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn the_formats_of_real_servers_are_those_of_the_table() {
    run_test(async {
        for program in ServerProgram::all() {
            let server = start(&program).await;
            server.command(&["SET", "a", "1"]).await;
            let dump = server.command(&["DUMP", "a"]).await;
            let compartment_testkit::Reply::Bytes(dump) = dump else { panic!("{dump:?}") };
            let footer = dump.len() - 10;
            let version = u16::from_le_bytes([dump[footer], dump[footer + 1]]);
            let place = place(&server, 0).await;
            let format = Format::of(place.server().info()).unwrap();
            assert_eq!(format.version(), version, "{}", shown(&program));
            assert_eq!(Format::named(line(&program)), Some(format), "{}", shown(&program));
        }
    });
}

/// A stream of Redis 8.8 of which a pending entry was given back: other servers crash if they list such an entry.
#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_pending_entry_without_a_consumer_gets_one() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.rdb");
        std::fs::write(&file, crate::rdb::stream_with_an_entry_given_back()).unwrap();
        for program in ServerProgram::all() {
            let server = start(&program).await;
            let options = RestoreOptions::default().verify(true);
            restore(&file, &place(&server, 0).await, &options, &Silent).await.unwrap();
            let pending = server.command(&["XPENDING", "k", "g", "-", "+", "10"]).await;
            let name = pending.array()[0].array()[1].text();
            assert_eq!(name, "(given back)", "{}", shown(&program));
            let claimed = ["XCLAIM", "k", "g", "worker", "0", "5-0", "JUSTID"];
            assert_eq!(server.command(&claimed).await.array().len(), 1, "{}", shown(&program));
            let acknowledged = server.command(&["XACK", "k", "g", "5-0"]).await;
            assert_eq!(acknowledged.integer(), Some(1), "{}", shown(&program));
        }
    });
}
