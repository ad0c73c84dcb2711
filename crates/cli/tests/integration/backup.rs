//! Screen output and exit codes of `compartment backup` and `restore`.

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{self, Run, json, run};

/// The output without parts that differ between runs.
fn lasting(run: &Run) -> String {
    let lines = run.out.lines().map(|line| if line.starts_with("in ") { "in […]" } else { line });
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", run.out);
    lines.join("\n")
}

fn done(folder: &Path, arguments: &[&str]) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, 0, "{run:?}");
    run
}

/// Checks for one line, at most a second with a hint, and the exit code.
fn refused(folder: &Path, arguments: &[&str], code: i32, says: &str) {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{run:?}");
    assert!(run.err.starts_with("error: ") && run.err.contains(says), "{}", run.err);
    assert!(run.err.lines().count() <= 2 && run.out.is_empty(), "{run:?}");
}

async fn filled() -> TestRedis {
    let server = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
    let script = "for i = 1, 2500 do redis.call('SET', 'page:' .. i, 'text ' .. i) end
        for i = 1, 10 do redis.call('EXPIRE', 'page:' .. i, 100000) end
        redis.call('HSET', 'settings', 'a', 1)";
    server.command_in(2, &["EVAL", script, "0"]).await;
    server
}

#[test]
fn help_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("help_backup", run(folder.path(), &["backup", "--help"]).out);
    insta::assert_snapshot!("help_restore", run(folder.path(), &["restore", "--help"]).out);
}

#[test]
#[ignore = "needs redis-server"]
fn a_database_goes_into_a_file_and_into_another_database() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let backend = server.url();
        let on = |words: &[&'static str]| {
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            words.extend(["--backend".to_owned(), backend.clone()]);
            words
        };
        let go = |words: &[&'static str]| {
            let words = on(words);
            done(here, &words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        // In the format of the system's server, whatever server this is.
        insta::assert_snapshot!(
            "backup",
            lasting(&go(&["backup", "--database", "cache", "-o", "cache.rdb", "--for", "7.0"]))
        );
        let packed =
            go(&["backup", "-d", "2", "-o", "all.zst", "--zstd", "--pattern", "page:*", "--json"]);
        let report = json(&packed);
        assert_eq!((&report["keys"], &report["expiring"]), (&2_500.into(), &10.into()));
        let via = go(&["backup", "-d", "2", "-o", "cache.rdb", "--via", "replication", "--json"]);
        assert_eq!(json(&via)["keys"], 2_501);

        let dry = go(&["restore", "cache.rdb", "--database", "batch", "--dry-run"]);
        insta::assert_snapshot!("restore_dry_run", lasting(&dry));
        assert_eq!(server.command_in(4, &["DBSIZE"]).await.integer(), Some(0));
        let restored = go(&["restore", "cache.rdb", "--database", "batch", "--verify"]);
        insta::assert_snapshot!("restore", lasting(&restored));
        assert_eq!(server.command_in(4, &["DBSIZE"]).await.integer(), Some(2_501));

        go(&["verify", "--rdb", "all.zst", "--to", "batch"]);
        server.command_in(4, &["SET", "page:7", "another"]).await;
        let words = on(&["restore", "all.zst", "--database", "batch"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(here, &words, 11, "page:7");
        let kept = go(&["restore", "all.zst", "-d", "batch", "--on-conflict", "skip", "--json"]);
        assert_eq!(
            (&json(&kept)["standing"], &json(&kept)["already_there"], &json(&kept)["restored"]),
            (&1.into(), &2_499.into(), &0.into())
        );
        go(&["restore", "all.zst", "-d", "batch", "--on-conflict", "replace", "--verify"]);
        assert_eq!(server.command_in(4, &["GET", "page:7"]).await.text(), "text 7");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_cannot_be_done_is_one_line_and_its_exit_code() {
    run_test(async {
        let server = filled().await;
        let url = format!("{}/2", server.url());
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        refused(here, &["backup", "-d", &url, "-o", "no/such/folder.rdb"], 9, "folder.rdb.partial");
        refused(here, &["backup", "-d", "nowhere", "-o", "out.rdb"], 4, "no database");
        refused(here, &["restore", "none.rdb", "-d", &url], 9, "none.rdb");
        std::fs::write(here.join("bad.rdb"), "this is no dump").unwrap();
        refused(here, &["restore", "bad.rdb", "-d", &url], 9, "not an RDB file");
        std::fs::write(here.join("cut.rdb"), b"REDIS0010\xfe\x00\x00\x01k\x05val").unwrap();
        refused(here, &["restore", "cut.rdb", "-d", &url], 9, "cut off");
        assert_eq!(run(here, &["backup", "-o", "out.rdb"]).code, 2);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_full_disk_is_said_and_what_is_written_is_kept() {
    run_test(async {
        let server = TestRedis::start().await;
        // Values that hardly compress, since a backup compresses long strings like a server.
        let script = "for i = 1, 3000 do
            local parts = {}
            for j = 1, 50 do parts[j] = redis.sha1hex(i .. ':' .. j) end
            redis.call('SET', i, table.concat(parts))
        end";
        server.command(&["EVAL", script, "0"]).await;
        let folder = tempfile::tempdir().unwrap();
        // A limit on file sizes simulates a full disk.
        let program = env!("CARGO_BIN_EXE_compartment");
        let line = format!(
            "trap '' XFSZ; ulimit -f 1000; exec {program} backup -d {}/0 -o out.rdb",
            server.url()
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &line])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(9), "{said}");
        assert!(said.contains("out.rdb.partial") && said.contains("hint: "), "{said}");
        assert!(folder.path().join("out.rdb.partial").exists());
        assert!(!folder.path().join("out.rdb").exists());
        let url = format!("{}/0", server.url());
        let report = json(&done(folder.path(), &["backup", "-d", &url, "-o", "out.rdb", "--json"]));
        assert_eq!(report["keys"], 3_000);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_backup_is_gone_on_with() {
    run_test(async {
        let server = TestRedis::start().await;
        let script = "for i = 1, 60000 do redis.call('SET', i, i) end";
        server.command(&["EVAL", script, "0"]).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let url = format!("{}/0", server.url());
        let slowly = ["backup", "-d", &url, "-o", "out.rdb", "--limit-ops", "30000"];
        // After a request to end, it says how to resume.
        let child = program::start(here, &slowly);
        compartment_testkit::eventually("the backup has begun", || async {
            here.join("out.rdb.partial").exists()
        })
        .await;
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success()
        );
        let ended = program::finish(child);
        assert!(ended.code == 130 && ended.err.contains("resume"), "{ended:?}");
        // After a kill, the completed part remains.
        let _ = std::fs::remove_file(here.join("out.rdb.partial.state"));
        let mut child = program::start(here, &slowly);
        compartment_testkit::eventually("the backup has come some way", || async {
            here.join("out.rdb.partial.state").exists()
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!here.join("out.rdb").exists());
        let report = json(&done(here, &["backup", "-d", &url, "-o", "out.rdb", "--json"]));
        let resumed = report["resumed"].as_u64().unwrap();
        assert!(resumed > 0 && resumed < 60_000, "{report}");
        assert_eq!((&report["keys"], &report["repeated"]), (&60_000.into(), &0.into()));
        let dry =
            done(here, &["restore", "out.rdb", "-d", &format!("{}/1", server.url()), "--verify"]);
        assert!(dry.out.contains("60,000"), "{}", dry.out);
    });
}
