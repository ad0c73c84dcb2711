//! `compartment health --watch`: a server that goes away calls somebody, and its return is told.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use compartment_testkit::{TestRedis, run_test};
use serde_json::Value;

use crate::program::{finish, run, start};

/// A configuration whose alerts are added to the file `alerts`, a line each.
fn configure(folder: &Path, url: &str) {
    let script = "cat >> \"$0\"; echo >> \"$0\"";
    let command = serde_json::json!(["/bin/sh", "-c", script, folder.join("alerts")]);
    let text = format!(
        "preset = \"pipeline\"\n[instances.primary]\nurl = \"{url}\"\nconnect_timeout = \"500ms\"\nretries = 0\n\
         [alerts]\nraise_after = \"0s\"\nclear_after = \"0s\"\ncommand = {command}\n"
    );
    fs::write(folder.join("compartment.toml"), text).unwrap();
}

/// Waits for an alert about the connection in this state.
fn wait_for(watching: &mut Child, folder: &Path, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(folder.join("alerts")).unwrap_or_default();
        let alerts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut alerts = alerts.filter(|one| one["check"] == "connection");
        if let Some(found) = alerts.find(|one| one["state"] == state) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no {state} alert: {text}");
        assert!(watching.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_goes_away_is_an_alert_and_its_return_clears_it() {
    run_test(async {
        let mut redis = TestRedis::builder().password("s3cret-word").start().await;
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &redis.url());
        let more = ["--config", "compartment.toml", "--state", "state", "--interval", "200ms"];
        let arguments = [&["health", "--watch"], &more[..]].concat();
        redis.kill();
        let mut watching = start(folder.path(), &arguments);
        let raised = wait_for(&mut watching, folder.path(), "raised");
        assert_eq!(
            (&raised["severity"], &raised["subject"]),
            (&"critical".into(), &"primary".into())
        );
        redis.restart().await;
        wait_for(&mut watching, folder.path(), "cleared");
        let pid = watching.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let ended = finish(watching);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(
            ended.out.contains("raised  critical: connection of primary: failed to"),
            "{ended:?}"
        );
        assert!(ended.out.contains("cleared  cleared: connection of primary"), "{ended:?}");
        let alerts = fs::read_to_string(folder.path().join("alerts")).unwrap();
        assert!(!alerts.contains("s3cret") && !ended.out.contains("s3cret"), "{alerts}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_server_of_the_page_delivers_alerts_too() {
    run_test(async {
        let mut redis = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &redis.url());
        let mut more = vec!["serve", "--config", "compartment.toml", "--state", "state"];
        more.extend(["--port", "0", "--ledger", "none", "--interval", "1s"]);
        redis.kill();
        let mut serving = start(folder.path(), &more);
        wait_for(&mut serving, folder.path(), "raised");
        let pid = serving.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let ended = finish(serving);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.err.contains("raised  critical: connection of primary"), "{ended:?}");
    });
}

#[test]
fn a_configuration_that_was_only_found_starts_no_program() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), "redis://127.0.0.1:1");
    let found = run(folder.path(), &["health", "--watch"]);
    assert_eq!(found.code, 4, "{found:?}");
    assert!(found.err.contains("found and not named"), "{found:?}");
    assert!(found.err.contains("--config compartment.toml"), "{found:?}");
    assert!(!folder.path().join("alerts").exists());
}
