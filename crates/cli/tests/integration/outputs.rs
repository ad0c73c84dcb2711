//! Outputs of a backup: links are followed, streams are written to, and a file is replaced only when complete.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, command, json, run};

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    assert!(run.err.contains(says), "{says:?} in {}", run.err);
    run
}

async fn filled() -> TestRedis {
    let server = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
    let script = "for i = 1, 500 do redis.call('SET', 'page:' .. i, 'text ' .. i) end";
    server.command(&["EVAL", script, "0"]).await;
    server
}

/// Checks that the file has all keys of the server.
fn is_whole(folder: &Path, file: &str, url: &str) {
    ends(folder, &["verify", "--rdb", file, "--to", url, "--both-ways"], 0, "");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
#[ignore = "needs redis-server"]
fn standard_output_gets_the_file_and_nothing_else() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        for (name, via) in [("-", "scan"), ("/dev/stdout", "replication"), ("-", "replication")] {
            let words = ["backup", "-d", &url, "-o", name, "--via", via, "--json"];
            let output = command(here, &words).env("TMPDIR", here).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{said}");
            assert!(output.stdout.starts_with(b"REDIS"), "{said}");
            assert!(said.contains("\"keys\": 500"), "{said}");
            std::fs::write(here.join("out.rdb"), &output.stdout).unwrap();
            is_whole(here, "out.rdb", &url);
            assert_eq!(std::fs::read_dir(here).unwrap().count(), 1, "nothing stays behind");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn devices_and_pipes_are_written_to_and_stay_what_they_are() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        ends(here, &["backup", "-d", &url, "-o", "/dev/null"], 0, "");
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        // A device that reports a full disk, also through a link.
        symlink("/dev/full", here.join("full")).unwrap();
        for name in ["/dev/full", "full"] {
            ends(here, &["backup", "-d", &url, "-o", name], 9, "No space left on device");
        }
        let made = std::process::Command::new("mkfifo").arg(here.join("pipe")).status().unwrap();
        assert!(made.success());
        let pipe = here.join("pipe");
        let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
        ends(here, &["backup", "-d", &url, "-o", "pipe"], 0, "");
        std::fs::write(here.join("out.rdb"), reader.join().unwrap()).unwrap();
        is_whole(here, "out.rdb", &url);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn links_are_followed_and_a_good_file_keeps_who_may_read_it() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        std::fs::create_dir(here.join("store")).unwrap();
        symlink("store/real.rdb", here.join("link.rdb")).unwrap();
        let words = ["backup", "-d", &url, "-o", "link.rdb"];
        // The link's target does not exist yet; a new file is readable by its owner only.
        ends(here, &words, 0, "");
        assert_eq!(mode(&here.join("store/real.rdb")), 0o600);
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(here.join("store/real.rdb"), readable).unwrap();
        server.command(&["SET", "more", "1"]).await;
        ends(here, &words, 0, "");
        assert_eq!(std::fs::read_link(here.join("link.rdb")).unwrap(), Path::new("store/real.rdb"));
        assert_eq!(mode(&here.join("store/real.rdb")), 0o644);
        is_whole(here, "link.rdb", &url);
        ends(here, &["backup", "-d", &url, "-o", "store"], 9, "directory");
        // A link in place of the unfinished file could be a trap.
        std::fs::write(here.join("precious"), "precious").unwrap();
        symlink("precious", here.join("trap.rdb.partial")).unwrap();
        ends(here, &["backup", "-d", &url, "-o", "trap.rdb"], 9, "not a regular file");
        assert_eq!(std::fs::read_to_string(here.join("precious")).unwrap(), "precious");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_migration_may_back_up_into_a_stream_and_keeps_its_files_to_its_owner() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let words = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let words = [&words[..], &["--backup", "before.rdb", "--journal", "j", "--json"]].concat();
        assert_eq!(json(&ends(here, &words, 0, ""))["moved"], 500);
        assert_eq!((mode(&here.join("before.rdb")), mode(&here.join("j"))), (0o600, 0o600));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn standard_output_is_known_by_any_name() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        symlink("/dev/stdout", here.join("link")).unwrap();
        for name in ["link", "/proc/self/fd/1", "/dev/fd/1"] {
            let file = std::fs::File::create(here.join("out.rdb")).unwrap();
            let words = ["backup", "-d", &url, "-o", name];
            let status = command(here, &words).stdout(file).status().unwrap();
            assert!(status.success(), "{name}");
            is_whole(here, "out.rdb", &url);
        }
        let words = ["migrate", "--from", &url, "--to", &format!("{url}/3"), "--backup", "-"];
        ends(here, &words, 4, "--backup needs a file");
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(500));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_run_that_goes_on_is_backed_up_too() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        server.command_in(3, &["SET", "page:1", "another"]).await;
        let base = ["migrate", "--backend", &url, "--from", "0", "--to", "3", "--journal", "j"];
        let first = run(here, &base);
        assert_eq!(first.code, 11, "{first:?}");
        server.command(&["SET", "page:new", "x"]).await;
        let again = run(here, &[&base[..], &["--backup", "b.rdb"]].concat());
        assert_eq!(again.code, 11, "{again:?}");
        assert!(here.join("b.rdb").is_file(), "{again:?}");
        // The command in the advice can be pasted, and removes only that key.
        assert!(first.out.contains("--pattern page:1"), "{first:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_name_in_the_advice_is_a_pattern_of_that_key_only() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        for (index, value) in [(0, "one"), (3, "other")] {
            server.command_in(index, &["SET", "x*", value]).await;
        }
        server.command(&["SET", "xy", "stays"]).await;
        let url = server.url();
        let words = ["migrate", "--backend", &url, "--from", "0", "--to", "3", "--pattern", "x\\*"];
        let left = run(folder.path(), &words);
        assert_eq!(left.code, 11, "{left:?}");
        assert!(left.out.contains(r#"--pattern "x\\*""#), "{left:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_unfinished_file_that_may_be_somebody_else_s_is_not_gone_on_with() {
    run_test(async {
        let server = filled().await;
        let folder = tempfile::tempdir().unwrap();
        let (here, url) = (folder.path(), server.url());
        let partial = here.join("out.rdb.partial");
        let refuses = |says: &str| {
            let refused = run(here, &["backup", "-d", &url, "-o", "out.rdb"]);
            assert!(refused.code != 0 && refused.err.contains(says), "{says:?}: {refused:?}");
            assert!(!here.join("out.rdb").exists());
        };
        std::fs::write(&partial, "a download of another program").unwrap();
        refuses("is no part of a backup");
        assert_eq!(std::fs::read(&partial).unwrap(), b"a download of another program");
        std::fs::write(&partial, "REDIS0011").unwrap();
        std::fs::hard_link(&partial, here.join("second name")).unwrap();
        refuses("a second name");
        std::fs::remove_file(here.join("second name")).unwrap();
        std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o666)).unwrap();
        refuses("other users can write it");
        std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o644)).unwrap();
        // Whoever plants this could make the backup go on behind keys that it lacks.
        let state = here.join("out.rdb.partial.state");
        symlink("elsewhere", &state).unwrap();
        refuses("it is a link");
        std::fs::remove_file(&state).unwrap();
        ends(here, &["backup", "-d", &url, "-o", "out.rdb"], 0, "");
        assert_eq!(mode(&here.join("out.rdb")), 0o600, "as a new file");
        is_whole(here, "out.rdb", &url);
    });
}

#[test]
fn a_run_with_a_ledger_and_results_leaves_private_files_and_no_stale_ones() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("a.txt"), crate::program::paper(1)).unwrap();
    std::fs::create_dir_all(here.join("out/inner")).unwrap();
    let stale = here.join("out/inner/.0123456789abcdef.partial");
    std::fs::write(&stale, "half of a paper").unwrap();
    let words = ["ingest", "a.txt", "--out", "out", "--ledger", "ledger.db"];
    let mut ingest = std::process::Command::new("sh");
    // The widest umask.
    ingest.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_compartment")]);
    let ended = ingest.args(words).current_dir(here).env_clear().output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!stale.exists());
    let mut found = 0;
    for entry in
        std::fs::read_dir(here).unwrap().chain(std::fs::read_dir(here.join("out")).unwrap())
    {
        let path = entry.unwrap().path();
        let is_ours = path.is_file() && path != here.join("a.txt");
        if is_ours {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            found += 1;
        }
    }
    assert!(found >= 2, "the ledger and a result");
    // A file that exists keeps its mode.
    let readable = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(here.join("ledger.db"), readable).unwrap();
    assert_eq!(run(here, &words).code, 0);
    assert_eq!(mode(&here.join("ledger.db")), 0o640);
}
