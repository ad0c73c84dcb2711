//! Help, configuration and errors as shown on the screen.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{FaultProxy, NotRedis, TestRedis, run_test};

use crate::program::{self, run};

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn help_says_what_there_is() {
    let folder = here();
    insta::assert_snapshot!("help", run(folder.path(), &["--help"]).out);
    insta::assert_snapshot!("help_ingest", run(folder.path(), &["ingest", "--help"]).out);
    insta::assert_snapshot!("help_config", run(folder.path(), &["config", "--help"]).out);
}

#[test]
fn the_databases_of_the_preset_are_shown() {
    let folder = here();
    let shown = run(folder.path(), &["databases"]);
    assert_eq!(shown.code, 0);
    assert!(shown.out.lines().all(|line| line.chars().count() <= 80), "{}", shown.out);
    insta::assert_snapshot!("databases", shown.out);
    let listed = program::json(&run(folder.path(), &["databases", "--json"]));
    assert_eq!(listed["databases"].as_array().unwrap().len(), 6);
    assert_eq!(listed["databases"][2]["default_ttl_ms"], 172_800_000);
}

#[test]
fn a_file_is_written_checked_shown_and_never_overwritten() {
    let folder = here();
    let written = run(folder.path(), &["config", "init", "--backend", "memory://"]);
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(run(folder.path(), &["config", "init"]).code, 9);
    assert_eq!(run(folder.path(), &["config", "init", "--preset", "assistant", "--force"]).code, 0);
    assert_eq!(
        run(folder.path(), &["config", "init", "--backend", "memory://", "--force"]).code,
        0
    );
    let checked = run(folder.path(), &["config", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    insta::assert_snapshot!("config_show", run(folder.path(), &["config", "show"]).out);
    let overridden = program::command(folder.path(), &["config", "show"])
        .env("REDIS_DB_CACHE", "9")
        .env("REDIS_HOST", "db.example")
        .env("REDIS_PASSWORD", "s3cret")
        .output()
        .unwrap();
    let text = String::from_utf8(overridden.stdout).unwrap();
    assert!(text.contains("redis://:***@db.example:6379") && text.contains("index = 9"), "{text}");
    assert!(!text.contains("s3cret"));
}

#[test]
fn switches_of_existing_deployments_are_shown_with_their_source_and_work() {
    let folder = here();
    let with = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = program::command(folder.path(), arguments);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, shown) = with(
        &["config", "show", "--backend", "redis://:s3cret@db.example"],
        &[
            ("REDIS_ENABLE_OPTIMIZATION", "false"),
            ("REDIS_CACHE_WARMING_HOURS", "48"),
            ("STREAM_PREFIX", "docpipe"),
            ("MAX_STREAM_RETRIES", "2"),
            ("STREAM_MSG_IDLE_TIMEOUT_MS", "60000"),
        ],
    );
    assert_eq!(code, Some(0), "{shown}");
    for line in [
        "# cache.enabled = false by REDIS_ENABLE_OPTIMIZATION",
        "# warming.enabled = false by REDIS_ENABLE_OPTIMIZATION",
        "# warming.within = 48h by REDIS_CACHE_WARMING_HOURS",
        "# databases.batch.prefix = docpipe: by STREAM_PREFIX",
        "# worker.max_attempts = 3 by MAX_STREAM_RETRIES",
        "# worker.lease = 1m by STREAM_MSG_IDLE_TIMEOUT_MS",
        "# instances.primary.url = redis://:***@db.example by --backend",
        "prefix = \"docpipe:\"",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let warmed = with(
        &["warm", "--json", "--backend", "memory://"],
        &[("REDIS_CACHE_WARMING_ENABLED", "0")],
    );
    assert!(warmed.0 == Some(0) && warmed.1.contains("\"documents\": 0"), "{warmed:?}");
    let (code, _) = with(&["config", "show"], &[("MAX_STREAM_RETRIES", "many")]);
    assert_eq!(code, Some(4), "a wrong value is a wrong configuration");
}

#[test]
fn completions_and_the_manual_are_printed() {
    let folder = here();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let printed = run(folder.path(), &["completions", shell]);
        assert!(printed.code == 0 && printed.out.contains("ingest"), "{shell}");
    }
    let manual = run(folder.path(), &["man"]).out;
    assert!(manual.starts_with(".ie") || manual.contains(".TH compartment"), "{manual}");
}

/// Checks for one clear line, the documented exit code, and no secret.
fn refused(folder: &Path, arguments: &[&str], code: i32, says: &str) {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{run:?}");
    assert!(
        run.err.starts_with("error: ") && run.err.contains(says),
        "{:?} lacks {says:?}",
        run.err
    );
    let hints = usize::from(run.err.contains("\nhint: "));
    assert_eq!(run.err.lines().count(), 1 + hints, "{}", run.err);
    assert!(!run.err.contains("s3cret"), "{}", run.err);
    assert_eq!(run.out, "");
}

#[test]
fn wrong_names_and_keys_name_the_nearest() {
    let folder = here();
    refused(folder.path(), &["databases", "cash"], 4, r#"did you mean "cache"?"#);
    std::fs::write(
        folder.path().join("compartment.toml"),
        "[instances.primary]\nurl = \"redis://:s3cret@h\"\nmax_conections = 5\n",
    )
    .unwrap();
    refused(folder.path(), &["databases"], 4, "did you mean `max_connections`?");
    refused(folder.path(), &["databases", "--config", "none.toml"], 9, "none.toml");
    assert_eq!(run(folder.path(), &["databses"]).code, 2);
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_cannot_be_used_is_one_line_and_its_exit_code() {
    let folder = here();
    let ask = |url: &str, code, says: &str| {
        refused(folder.path(), &["databases", "--backend", url], code, says);
    };
    run_test(async {
        let closed = FaultProxy::start(1).await;
        closed.refuse().await;
        ask(&closed.url(), 5, "cannot be reached");
        let locked = TestRedis::builder().password("right").start().await;
        ask(&format!("redis://:s3cret@127.0.0.1:{}", locked.port()), 6, "check user name");
        let http = NotRedis::start().await;
        ask(&http.url(), 7, "check address, port and TLS");
        let server = TestRedis::start().await;
        let one = FaultProxy::start(server.port()).await;
        one.rewrite_select();
        ask(&one.url(), 7, "ignores it");
        ask("https://:s3cret@host", 4, "unknown scheme");
        ask("localhost:6379", 4, "no scheme");
        ask("redis://:s3#cret@host", 4, "%23");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_servers_own_words_follow_where_they_add_something() {
    let folder = here();
    run_test(async {
        let server = TestRedis::start().await;
        server.command_in(4, &["SET", "compartment:batches", "no hash"]).await;
        let arguments = ["batch", "list", "--backend", &server.url()];
        refused(folder.path(), &arguments, 8, "WRONGTYPE");
        refused(folder.path(), &arguments, 8, "the key holds another type of value (");
    });
}
