//! `compartment doctor`: findings on the screen, the exit code by severity, lines for servers, no secret.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{FaultProxy, TestRedis, run_test};

use crate::program::{Run, json, paper, run};

fn doctor(folder: &Path, url: &str, more: &[&str]) -> Run {
    run(folder, &[&["doctor", "--backend", url], more].concat())
}

fn codes(run: &Run) -> Vec<String> {
    let report = json(run);
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

/// A server that is set by the lines of `--emit-config` for the preset.
async fn right_server(folder: &Path) -> TestRedis {
    let bare = TestRedis::start().await;
    let emitted = doctor(folder, &bare.url(), &["--emit-config"]);
    assert_eq!(emitted.code, 0, "{emitted:?}");
    assert!(emitted.out.starts_with("# primary (redis://127.0.0.1:"), "{}", emitted.out);
    let lines = emitted.out.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(' ').unwrap());
    let start = TestRedis::builder().password("s3cret");
    pairs.fold(start, |server, (name, value)| server.config(name, value)).start().await
}

#[test]
fn the_help_explains_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("help_doctor", run(folder.path(), &["doctor", "--help"]).out);
    let memory = run(folder.path(), &["doctor"]);
    assert_eq!(memory.code, 4, "{memory:?}");
    assert!(memory.err.contains("--backend redis://"), "{}", memory.err);
}

#[test]
#[ignore = "needs redis-server"]
fn findings_fit_the_screen_and_decide_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::builder()
            .config("maxmemory", "1gb")
            .config("maxmemory-policy", "allkeys-lru")
            .start()
            .await;
        for number in 0..200 {
            let key = format!("a-name-that-is-longer-than-most:{number:060}");
            server.command_in(2, &["SET", &key, "value"]).await;
        }
        server.command_in(2, &["SET", "evil\u{1b}[31m", "value"]).await;
        let url = server.url();
        let shown = doctor(folder.path(), &url, &[]);
        assert_eq!(shown.code, 22, "{shown:?}");
        assert!(shown.out.lines().next().unwrap().contains("severity"), "{}", shown.out);
        assert!(shown.out.contains("durable-evictable"), "{}", shown.out);
        assert!(
            shown.out.contains("  Cure: `compartment limit --instance primary --policy noeviction")
        );
        assert!(shown.out.contains("201 keys looked at, up to 1,000 of each database"));
        assert!(!shown.out.contains('\u{1b}'), "{}", shown.out);
        assert!(shown.out.contains("default-user-without-password"), "codes stay whole");
        let words = |line: &str| line.split_whitespace().count();
        // A key's name is one word, and stays whole.
        let wide = |line: &&str| line.chars().count() > 80 && words(line) > 1;
        assert_eq!(shown.out.lines().find(wide), None);

        assert_eq!(doctor(folder.path(), &url, &["--fail-on", "never"]).code, 0);
        let told = doctor(folder.path(), &url, &["--json"]);
        assert_eq!(told.code, 22);
        let report = json(&told);
        assert_eq!(report["findings"][0]["severity"], "critical");
        assert_eq!(report["keys_looked_at"], 201);
        assert!(codes(&told).contains(&"key-without-ttl".to_owned()), "{told:?}");
        let few = json(&doctor(folder.path(), &url, &["--json", "--sample", "50"]));
        assert_eq!(few["keys_looked_at"], 50);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_right_server_ends_well_and_a_password_in_a_file_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = right_server(folder.path()).await;
        let well = doctor(folder.path(), &server.url(), &[]);
        assert_eq!(well.code, 0, "{well:?}");
        // Nor has the pipeline's own work a fault.
        let papers = folder.path().join("papers");
        std::fs::create_dir(&papers).unwrap();
        for number in 0..3 {
            std::fs::write(papers.join(format!("{number}.txt")), paper(number)).unwrap();
        }
        let url = server.url();
        let ingested = run(folder.path(), &["ingest", "papers", "--backend", &url, "--out", "out"]);
        assert_eq!(ingested.code, 0, "{ingested:?}");
        let submitted = run(folder.path(), &["batch", "submit", "b", "papers", "--backend", &url]);
        assert_eq!(submitted.code, 0, "{submitted:?}");
        let used = doctor(folder.path(), &url, &["--json"]);
        assert_eq!(used.code, 0, "{used:?}");
        assert!(json(&used)["keys_looked_at"].as_u64().is_some_and(|keys| keys > 20), "{used:?}");
        assert_eq!(doctor(folder.path(), &server.url(), &["--canary"]).code, 0);

        let file = folder.path().join("compartment.toml");
        let text = format!(
            "[instances.primary]\nurl = \"{}\"\n\n[databases.jobs]\nkind = \"durable\"\nindex = 1\n",
            server.url()
        );
        std::fs::write(&file, text).unwrap();
        readable_by(&file, 0o600);
        let told = run(folder.path(), &["doctor", "--fail-on", "notice", "--json"]);
        assert_eq!(told.code, 20, "{told:?}");
        assert!(codes(&told).contains(&"secret-in-file".to_owned()), "{told:?}");
        assert_eq!(run(folder.path(), &["doctor"]).code, 0);
        readable_by(&file, 0o644);
        let shown = run(folder.path(), &["doctor"]);
        assert_eq!(shown.code, if cfg!(unix) { 21 } else { 0 }, "{shown:?}");
        for run in [&told, &shown] {
            assert!(!run.out.contains("s3cret") && !run.err.contains("s3cret"), "{run:?}");
        }
    });
}

#[cfg(unix)]
fn readable_by(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn readable_by(_file: &Path, _mode: u32) {}

#[test]
#[ignore = "needs redis-server"]
fn users_are_printed_and_a_server_that_is_away_is_critical() {
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::start().await;
        let emitted = doctor(folder.path(), &server.url(), &["--emit-acl"]);
        assert_eq!(emitted.code, 0, "{emitted:?}");
        let users = emitted.out.lines().filter(|line| line.starts_with("user "));
        assert_eq!(users.count(), 7, "{}", emitted.out);
        assert!(
            emitted.out.lines().all(|line| line.starts_with("user ") || line.starts_with("# "))
        );
        let listed = json(&doctor(folder.path(), &server.url(), &["--emit-acl", "--json"]));
        assert_eq!(listed[0]["lines"].as_array().unwrap().len(), 7);

        let proxy = FaultProxy::start(server.port()).await;
        proxy.refuse().await;
        let away = doctor(folder.path(), &proxy.url(), &["--json"]);
        assert_eq!((away.code, codes(&away)), (22, vec!["instance-unreachable".to_owned()]));
        assert_eq!(doctor(folder.path(), &proxy.url(), &["--emit-config"]).code, 5);
    });
}
