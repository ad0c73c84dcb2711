//! The main job on real files, in memory and on a real server that is killed during the run.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;
use std::time::Duration;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::program::{finish, json, paper, run, start};

fn papers(folder: &Path, count: usize) {
    std::fs::create_dir_all(folder.join("papers")).unwrap();
    for number in 0..count {
        std::fs::write(folder.join(format!("papers/{number:04}.txt")), paper(number)).unwrap();
    }
}

#[test]
fn documents_are_read_resolved_and_written() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 5);
    std::fs::copy(folder.path().join("papers/0000.txt"), folder.path().join("papers/copy.txt"))
        .unwrap();
    let done = run(folder.path(), &["ingest", "papers", "--out", "out", "--json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(done.err, "", "nothing is said where there is nothing to say");
    let report = json(&done);
    assert_eq!(report["documents"]["done"], 6);
    assert_eq!(report["documents"]["duplicates"], 1);
    assert!(report["relationships"]["cites"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(report["stages"]["extract"]["computed"], 5);
    // One court, however many papers name it.
    assert_eq!(report["entities"]["court"], 1, "{:#}", report["entities"]);
    let mut files: Vec<_> = std::fs::read_dir(folder.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files.len(), 5, "{files:?}");
    let text = std::fs::read_to_string(folder.path().join("out").join(&files[1])).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let citation = file["mentions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|mention| mention["text"].as_str().unwrap().contains("477 U.S. 317"))
        .unwrap();
    let id = citation["entity"].as_str().unwrap();
    assert!(file["entities"].as_array().unwrap().iter().any(|entity| entity["id"] == id));
    // Results are equal without the cache.
    let uncached = json(&run(folder.path(), &["ingest", "papers", "--no-cache", "--json"]));
    assert_eq!(uncached["entities"], report["entities"]);
    assert_eq!(uncached["relationships"], report["relationships"]);
}

#[test]
fn each_bad_file_fails_alone_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 2);
    let at = |name: &str| folder.path().join("papers").join(name);
    std::fs::write(at("empty.txt"), "").unwrap();
    std::fs::write(
        at("cut.pdf"),
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Ty",
    )
    .unwrap();
    let huge = std::fs::File::create(at("huge.txt")).unwrap();
    huge.set_len(200 * 1024 * 1024).unwrap();
    let binary: Vec<u8> =
        (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(at("binary.txt"), binary).unwrap();
    std::fs::write(at("latin.txt"), b"Caf\xe9 Corp. v. Roe, 12 F.3d 34 (9th Cir. 1993).").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", at("again")).unwrap();
        std::os::unix::fs::symlink("nowhere.pdf", at("dead.pdf")).unwrap();
    }
    let done = run(folder.path(), &["ingest", "papers", "--json"]);
    assert_eq!(done.code, 3, "{}", done.err);
    let report = json(&done);
    let failed: Vec<(&str, &str)> = report["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["document"].as_str().unwrap(), f["code"].as_str().unwrap()))
        .collect();
    for expected in [
        ("binary.txt", "unsupported_format"),
        ("cut.pdf", "damaged"),
        ("dead.pdf", "unreadable"),
        ("empty.txt", "empty"),
        ("huge.txt", "too_large"),
    ] {
        assert!(failed.contains(&expected), "{failed:?} lacks {expected:?}");
    }
    assert_eq!(report["documents"]["done"], 3, "{report:#}");
    let table = run(folder.path(), &["ingest", "papers"]);
    assert_eq!(table.code, 3);
    assert!(table.out.contains("the file is empty"), "{}", table.out);
    assert!(table.out.lines().all(|line| line.chars().count() <= 100), "{}", table.out);
}

#[test]
#[ignore = "needs redis-server"]
fn a_second_run_is_answered_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 20);
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        let ingest = || run(folder.path(), &["ingest", "papers", "--json", "--backend", &url]);
        let first = json(&ingest());
        assert_eq!(first["answered_from_cache"], 0.0);
        // The metrics agree with the report, however often they were published during the run.
        let counted =
            server.command_in(5, &["GET", "compartment:stage:extract:computed"]).await.text();
        assert_eq!(counted, "20");
        let second = json(&ingest());
        assert_eq!(second["answered_from_cache"], 1.0, "{:#}", second["stages"]);
        assert_eq!(second["entities"], first["entities"]);
        assert_eq!(second["relationships"], first["relationships"]);
        // Each purpose uses its own database.
        for (index, some) in [(0, false), (2, true), (3, false), (4, true), (5, true)] {
            let keys = server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
            assert_eq!(keys > 0, some, "index {index} holds {keys}");
        }
    });
}

/// The number of documents with a stored state.
async fn documents_done(server: &TestRedis) -> usize {
    let reply = server.command_in(4, &["KEYS", "doc:state:*"]).await;
    reply.array().len()
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_comes_back_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 400);
    run_test(async {
        let mut server = TestRedis::start().await;
        let url = server.url();
        let child = start(
            folder.path(),
            &["ingest", "papers", "--json", "--backend", &url, "--concurrency", "1"],
        );
        eventually("some documents are done", || async { documents_done(&server).await > 5 }).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.restart().await;
        let done = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(json(&done)["documents"]["done"], 400);
        assert!(done.err.contains("waiting up to") && done.err.contains("is back"), "{}", done.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_stays_away_ends_the_run_and_the_next_one_does_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 400);
    run_test(async {
        let mut server = TestRedis::builder().config("appendonly", "yes").start().await;
        let url = server.url();
        let arguments =
            ["ingest", "papers", "--json", "--backend", &url, "--concurrency", "1", "--wait", "1"];
        let child = start(folder.path(), &arguments);
        eventually("some documents are done", || async { documents_done(&server).await > 5 }).await;
        server.kill();
        let ended = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert_eq!(ended.code, 5, "{}", ended.err);
        assert!(
            ended.err.contains("of 400") && ended.err.contains("documents done: "),
            "{}",
            ended.err
        );
        assert!(ended.err.contains("hint: run the same command again"), "{}", ended.err);
        server.restart().await;
        let rest = json(&run(folder.path(), &arguments));
        assert_eq!(rest["documents"]["done"], 400);
        assert!(rest["stages"]["entities"]["cached"].as_u64().unwrap() > 0, "{:#}", rest["stages"]);
    });
}

#[test]
#[cfg(unix)]
fn no_document_takes_the_file_of_another_and_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(246);
    let names = ["a", "a.json/b", "A", &long, &format!("{long}.txt")];
    for (number, name) in names.iter().enumerate() {
        let path = folder.path().join("papers").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, paper(number)).unwrap();
    }
    // Given by itself, so that two documents have one name.
    std::fs::write(folder.path().join("a"), paper(90)).unwrap();
    let done = run(folder.path(), &["ingest", "papers", "a", "--out", "out/new", "--json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(json(&done)["documents"]["done"], names.len() + 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (mut folders, mut files) = (vec![folder.path().join("out")], 0);
    while let Some(inside) = folders.pop() {
        assert_eq!(mode(&inside), 0o700, "{}", inside.display());
        for entry in std::fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert_eq!(files, names.len() + 1);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_says_how_far_it_came() {
    let folder = tempfile::tempdir().unwrap();
    papers(folder.path(), 3_000);
    let child = start(folder.path(), &["ingest", "papers", "--concurrency", "1", "--out", "out"]);
    run_test(eventually("some documents are done", || async {
        std::fs::read_dir(folder.path().join("out")).is_ok_and(|mut files| files.next().is_some())
    }));
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let ended = finish(child);
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.err.contains("stopped: ") && ended.err.contains("of 3000"), "{}", ended.err);
}
