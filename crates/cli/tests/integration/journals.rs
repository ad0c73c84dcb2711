//! Journals that are full, truncated, empty, or resumed.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::program::{self, Run, json, run};

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    assert!(run.err.contains(says), "{says:?} in {}", run.err);
    run
}

async fn fill(server: &TestRedis, count: u32) {
    const FILL: &str = "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'page:' .. i, i) end";
    let filled = server.command(&["EVAL", FILL, "0", &count.to_string()]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

async fn sizes(server: &TestRedis) -> (i64, i64) {
    let size = async |index| server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
    (size(0).await, size(3).await)
}

#[test]
#[ignore = "needs redis-server"]
fn a_full_disk_under_the_journal_is_told_and_the_same_command_goes_on() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 20_000).await;
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let words = [&words[..], &["--journal", "j"]].concat();
        // A limit on file sizes simulates a full disk.
        let program = env!("CARGO_BIN_EXE_compartment");
        let line = format!("trap '' XFSZ; ulimit -f 150; exec {program} {}", words.join(" "));
        let output = std::process::Command::new("bash")
            .args(["-c", &line])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(9), "{said}");
        assert!(said.contains("cannot write j: File too large"), "{said}");
        assert!(said.contains("--undo j"), "{said}");
        let (left, moved) = sizes(&server).await;
        assert!(left > 0 && left + moved == 20_000, "{left} {moved}");
        ends(folder.path(), &words, 0, "resuming");
        assert_eq!(sizes(&server).await, (0, 20_000));
        ends(folder.path(), &["migrate", "--undo", "j"], 0, "");
        assert_eq!(sizes(&server).await, (20_000, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_journal_that_is_cut_off_is_told_and_nothing_is_changed() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 10_000).await;
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("j");
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let words = [&base[..], &["--journal", "j"]].concat();
        ends(folder.path(), &words, 0, "");
        let whole = std::fs::read(&journal).unwrap();
        let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in [0, 20, header - 1, whole.len() / 3] {
            std::fs::write(&journal, &whole[..cut]).unwrap();
            let undo = ["migrate", "--undo", "j"];
            let run = ends(folder.path(), &undo, 9, "j: ");
            assert!(run.out.is_empty() && run.err.lines().count() <= 2, "{cut}: {run:?}");
            // Resuming would lose the keys named in the missing part.
            ends(folder.path(), &words, 9, "j: ");
            assert_eq!(sizes(&server).await, (0, 10_000), "{cut}");
            assert_eq!(std::fs::read(&journal).unwrap(), &whole[..cut]);
        }
        // A page whose write was interrupted has moved nothing.
        let torn = [&whole[..], b"> 3 00000000 0:page:never 0:pa"].concat();
        std::fs::write(&journal, torn).unwrap();
        ends(folder.path(), &["migrate", "--undo", "j"], 0, "");
        assert_eq!(sizes(&server).await, (10_000, 0));
        ends(folder.path(), &["migrate", "--undo", "j"], 4, "has already been undone");
        for other in ["/dev/zero", "."] {
            ends(folder.path(), &["migrate", "--undo", other], 9, "not a regular file");
            ends(
                folder.path(),
                &[&base[..], &["--journal", other]].concat(),
                9,
                "not a regular file",
            );
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_run_that_finds_no_key_leaves_no_journal() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 10).await;
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let words = [&base[..], &["--pattern", "other:*"]].concat();
        let none = ends(folder.path(), &words, 0, "");
        assert!(none.out.contains("0 keys moved") && !none.out.contains("--undo"), "{}", none.out);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        ends(folder.path(), &base, 0, "");
        ends(folder.path(), &base, 0, "");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "of the first run only");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn runs_of_one_journal_count_each_key_once() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        for keep in [false, true] {
            server.command(&["FLUSHALL"]).await;
            fill(&server, 100).await;
            let journal = if keep { "kept" } else { "moved" };
            let mut words = [&base[..], &["--journal", journal, "--json"]].concat();
            if keep {
                words.push("--keep");
            }
            assert_eq!(json(&ends(folder.path(), &words, 0, ""))["moved"], 100);
            // New keys arrive, and one exists again after it was deleted in the target.
            fill(&server, 120).await;
            server.command_in(3, &["DEL", "page:7"]).await;
            if !keep {
                for i in (1..=100).filter(|i| *i != 7) {
                    server.command(&["DEL", &format!("page:{i}")]).await;
                }
            }
            let again = json(&ends(folder.path(), &words, 0, ""));
            assert_eq!(again["moved"], 21, "{again}");
            let undo = ["migrate", "--undo", journal, "--json"];
            let back = json(&ends(folder.path(), &undo, 0, ""));
            let (moved, same) = (back["moved"].as_u64().unwrap(), back["same"].as_u64().unwrap());
            assert_eq!((moved + same, &back["gone"]), (120, &0.into()), "{back}");
            assert_eq!(sizes(&server).await, (120, 0));
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn two_runs_at_once_do_not_share_a_journal() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 10_000).await;
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        let words = [&base[..], &["--journal", "j"]].concat();
        let slow = [&words[..], &["--limit-ops", "4000"]].concat();
        let first = program::start(folder.path(), &slow);
        eventually("keys move", || async { sizes(&server).await.1 > 0 }).await;
        ends(folder.path(), &words, 12, "another run uses j");
        ends(folder.path(), &["migrate", "--undo", "j"], 12, "another run uses j");
        // Each with its own journal may move keys that the other has not moved.
        let other = [&base[..], &["--journal", "k", "--json"]].concat();
        let by_other = json(&ends(folder.path(), &other, 0, ""))["moved"].as_u64().unwrap();
        let first = program::finish(first);
        assert_eq!(first.code, 0, "{first:?}");
        assert_eq!(sizes(&server).await, (0, 10_000));
        for journal in ["j", "k"] {
            let undo = ["migrate", "--undo", journal, "--json"];
            let back = json(&ends(folder.path(), &undo, 0, ""));
            let expected = if journal == "k" { by_other } else { 10_000 - by_other };
            assert_eq!((&back["moved"], &back["gone"]), (&expected.into(), &0.into()), "{back}");
        }
        assert_eq!(sizes(&server).await, (10_000, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn undo_says_that_it_goes_by_its_journal_and_not_by_the_backend() {
    run_test(async {
        let (server, other) = (TestRedis::start().await, TestRedis::start().await);
        fill(&server, 10).await;
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        ends(folder.path(), &words, 0, "");
        let undo = ["migrate", "--backend", &other.url(), "--undo", "compartment-0-to-3.journal"];
        ends(folder.path(), &undo, 0, "reads the databases from the journal");
        assert_eq!(sizes(&server).await, (10, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_dry_run_of_taking_back_is_refused_and_takes_nothing_back() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 10).await;
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--backend", &server.url(), "--from", "0", "--to", "3"];
        ends(folder.path(), &[&words[..], &["--journal", "j"]].concat(), 0, "");
        ends(folder.path(), &["migrate", "--undo", "j", "--dry-run"], 2, "cannot be used with");
        assert_eq!(sizes(&server).await, (0, 10));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn where_a_password_is_hidden_it_is_said_where_it_stands() {
    run_test(async {
        let server = TestRedis::builder().password("s3cret").start().await;
        for i in 0..20 {
            server.command(&["SET", &format!("celery-task-meta-{i}"), "{}", "EX", "1000"]).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let map = format!(
            "[instances.primary]\nurl = \"{}\"\n[databases]\n\
             main = {{ index = 0, kind = \"durable\" }}\n\
             results = {{ index = 3, kind = \"durable\" }}\n",
            server.url()
        );
        std::fs::write(folder.path().join("compartment.toml"), map).unwrap();
        ends(folder.path(), &["plan", "-o", "plan.toml"], 0, "");
        let moved = ends(folder.path(), &["migrate", "--plan", "plan.toml"], 0, "");
        let all = format!("{}{}", moved.out, moved.err);
        assert!(all.contains("result_backend") && !all.contains("s3cret"), "{all}");
        assert!(
            all.contains("*** stands for the password, which comes from compartment.toml"),
            "{all}"
        );
        // The configuration resolves the server in the journal.
        ends(folder.path(), &["migrate", "--undo", "plan.journal"], 0, "");
        assert_eq!(sizes(&server).await, (20, 0));
    });
}
