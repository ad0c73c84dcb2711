//! Hashes with expiring fields and targets that know none: told before the first key, left, or moved without.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_admin::backup::{BackupOptions, backup};
use compartment_admin::migrate::{
    FieldLives, LiveOptions, MigrateOptions, Migration, Routes, UndoOptions, follow, migrate,
    preview, undo,
};
use compartment_admin::restore::{RestoreOptions, restore};
use compartment_admin::{AdminError, Silent};
use compartment_testkit::{Reply, ServerProgram, TestRedis, eventually, run_test};
use tempfile::TempDir;

use super::{has_field_lives, start};
use crate::data::{connection, place, silent, tell};

/// A server with two hashes whose fields expire, small and large, and a third that has none any more.
async fn filled(program: &ServerProgram) -> TestRedis {
    let server = start(program).await;
    let mut c = connection(&server, 0).await;
    for i in 0..50 {
        tell(&mut c, &format!("SET text:{i} {i}")).await;
        tell(&mut c, &format!("HSET plain:{i} a {i}")).await;
    }
    for i in 0..600 {
        tell(&mut c, &format!("HSET large f{i} {i}")).await;
    }
    tell(&mut c, "HPEXPIREAT large 4102444800123 FIELDS 1 f7").await;
    for name in ["small", "once"] {
        tell(&mut c, &format!("HSET {name} a 1 b 2")).await;
        tell(&mut c, &format!("HPEXPIREAT {name} 4102444800123 FIELDS 1 a")).await;
    }
    tell(&mut c, "HPERSIST once FIELDS 1 a").await;
    tell(&mut c, "PEXPIREAT small 4102444800123").await;
    server
}

const KEYS: u64 = 103;

struct Setting {
    folder: TempDir,
    migration: Migration,
}

impl Setting {
    async fn new(from: &TestRedis, to: &TestRedis, field_lives: FieldLives) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = MigrateOptions::new(folder.path().join("journal"));
        options.field_lives = field_lives;
        options.verify = true;
        let (source, targets) = (place(from, 0).await, vec![place(to, 2).await]);
        let routes = Routes::single("all", &[], None);
        Self { folder, migration: Migration { source, targets, routes, options } }
    }
}

async fn size(server: &TestRedis, index: u32) -> u64 {
    let size = server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
    size.unsigned_abs()
}

/// Every pair in which only the source has such fields.
async fn for_each_pair(mut check: impl AsyncFnMut(&ServerProgram, &ServerProgram)) {
    let all = ServerProgram::all();
    for from in all.iter().filter(|program| has_field_lives(program)) {
        for to in all.iter().filter(|program| !has_field_lives(program)) {
            check(from, to).await;
        }
    }
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn they_are_told_before_the_first_key_with_the_choice() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        let (one, other) = (filled(from).await, start(to).await);
        let setting = Setting::new(&one, &other, FieldLives::Stop).await;
        let found = preview(&setting.migration, silent()).await.unwrap();
        assert_eq!(found.blocked.field_lives, 2, "{found:?}");
        let mut names = found.blocked.names;
        names.sort();
        assert_eq!(names, ["large", "small"]);
        let error = migrate(setting.migration.clone(), silent()).await.unwrap_err();
        assert!(matches!(error, AdminError::Unsafe(_)), "{error:?}");
        let text = error.to_string();
        for part in ["2 keys", "small", &to.version(), "--field-lives leave", "--field-lives drop"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (KEYS, 0));
        assert!(!setting.folder.path().join("journal").exists());
    }));
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn left_by_choice_they_are_counted_and_the_others_move() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        let (one, other) = (filled(from).await, start(to).await);
        let setting = Setting::new(&one, &other, FieldLives::Leave).await;
        let report = migrate(setting.migration, silent()).await.unwrap();
        assert_eq!((report.moved, report.field_lives), (KEYS - 2, 2), "{report:?}");
        assert!(report.complete(), "{report:?}");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (2, KEYS - 2));
        let lives = one.command(&["HPEXPIRETIME", "small", "FIELDS", "1", "a"]).await;
        assert_eq!(lives.array()[0].integer(), Some(4_102_444_800_123));
    }));
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn dropped_by_choice_the_fields_never_expire_and_the_keys_still_do() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        let (one, other) = (filled(from).await, start(to).await);
        let setting = Setting::new(&one, &other, FieldLives::Drop).await;
        let (source, targets) =
            (setting.migration.source.clone(), setting.migration.targets.clone());
        let report = migrate(setting.migration, silent()).await.unwrap();
        assert_eq!((report.moved, report.field_lives), (KEYS, 0), "{report:?}");
        assert!(report.complete(), "{report:?}");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (0, KEYS));
        let fields = other.command_in(2, &["HLEN", "large"]).await;
        assert_eq!(fields.integer(), Some(600));
        let left = other.command_in(2, &["PTTL", "small"]).await.integer().unwrap();
        assert!(left > 1_000_000, "{left}");
        let journal = setting.folder.path().join("journal");
        let back = undo(&journal, source, targets, UndoOptions::default(), silent()).await;
        assert!(back.unwrap().complete());
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (KEYS, 0));
    }));
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn fields_that_have_expired_do_not_come_back() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        let one = TestRedis::builder().program(from).debug_command().start().await;
        let other = start(to).await;
        let mut c = connection(&one, 0).await;
        tell(&mut c, "DEBUG SET-ACTIVE-EXPIRE 0").await;
        tell(&mut c, "HSET session secret 1 kept 2").await;
        tell(&mut c, "HSET over a 1").await;
        tell(&mut c, "HPEXPIRE session 1 FIELDS 1 secret").await;
        tell(&mut c, "HPEXPIRE over 1 FIELDS 1 a").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.rdb");
        let options = BackupOptions::default();
        backup(&place(&one, 0).await, None, &file, &options, &Silent).await.unwrap();
        // Until the clock of the server shows the next milliseconds.
        eventually("the field has expired", async || {
            one.command(&["HEXISTS", "session", "secret"]).await.integer() == Some(0)
        })
        .await;
        let options = RestoreOptions::default().field_lives(FieldLives::Drop).verify(true);
        restore(&file, &place(&other, 3).await, &options, &Silent).await.unwrap();
        let setting = Setting::new(&one, &other, FieldLives::Drop).await;
        let report = migrate(setting.migration, silent()).await.unwrap();
        assert!(report.complete(), "{report:?}");
        for index in [2, 3] {
            let fields = other.command_in(index, &["HGETALL", "session"]).await;
            let fields: Vec<String> = fields.array().iter().map(Reply::text).collect();
            assert_eq!(fields, ["kept", "2"], "index {index}");
            assert_eq!(other.command_in(index, &["EXISTS", "over"]).await.integer(), Some(0));
        }
    }));
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_copy_whose_fields_begin_to_expire_leaves_the_target_again() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        let (one, other) = (start(from).await, start(to).await);
        let mut c = connection(&one, 0).await;
        tell(&mut c, "HSET h a 1 b 2").await;
        tell(&mut c, "SET s 1").await;
        let mut setting = Setting::new(&one, &other, FieldLives::Leave).await;
        setting.migration.options.verify = false;
        let options = LiveOptions::new(Duration::from_millis(500), Duration::from_secs(60));
        let writes = async {
            eventually("it is copied", async || size(&other, 2).await == 2).await;
            tell(&mut c, "HSET h a new").await;
            tell(&mut c, "HEXPIRE h 1000 FIELDS 1 b").await;
            tell(&mut c, "HSET h a newest c 3").await;
        };
        let (report, ()) = tokio::join!(follow(setting.migration, options, silent()), writes);
        let report = report.unwrap();
        assert_eq!(report.migration.field_lives, 1, "{report:?}");
        assert_eq!((size(&one, 0).await, size(&other, 2).await), (2, 1));
        assert_eq!(other.command_in(2, &["EXISTS", "h"]).await.integer(), Some(0));
    }));
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn the_way_back_to_an_older_server_has_the_same_choice() {
    run_test(for_each_pair(async |from: &ServerProgram, to: &ServerProgram| {
        // There and back, the other way round: the newer server is the target.
        let (old, new) = (start(to).await, start(from).await);
        let mut c = connection(&old, 0).await;
        tell(&mut c, "HSET h a 1 b 2").await;
        let setting = Setting::new(&old, &new, FieldLives::Stop).await;
        let journal = setting.folder.path().join("journal");
        let (source, targets) =
            (setting.migration.source.clone(), setting.migration.targets.clone());
        migrate(setting.migration, silent()).await.unwrap();
        tell(&mut connection(&new, 2).await, "HEXPIRE h 1000 FIELDS 1 a").await;
        let back = async |choice| {
            let mut options = UndoOptions::default();
            options.field_lives = choice;
            undo(&journal, source.clone(), targets.clone(), options, silent()).await
        };
        let error = back(FieldLives::Stop).await.unwrap_err();
        assert!(error.to_string().contains("--field-lives drop"), "{error}");
        assert!(back(FieldLives::Drop).await.unwrap().complete());
        assert_eq!((size(&old, 0).await, size(&new, 2).await), (1, 0));
    }));
}
