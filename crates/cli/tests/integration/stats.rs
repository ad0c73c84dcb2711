//! `compartment stats` and `compartment health` over servers.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, command, json, run, start};

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn on(server: &TestRedis, folder: &Path, arguments: &[&str]) -> Run {
    let url = server.url();
    let state = folder.join("state").display().to_string();
    let all = [arguments, &["--backend", &url, "--state", &state]].concat();
    run(folder, &all)
}

async fn fill(server: &TestRedis, index: u32, keys: u32) {
    let script = "for i = 1, tonumber(ARGV[1]) do
        redis.call('SET', 'page:' .. i, string.rep('x', 100), 'EX', 5000) end";
    let filled = server.command_in(index, &["EVAL", script, "0", &keys.to_string()]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn stats_show_databases_servers_and_what_nobody_publishes() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        fill(&server, 2, 500).await;
        fill(&server, 9, 7).await;
        let shown = on(&server, folder.path(), &["stats"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.out.lines().all(|line| line.chars().count() <= 82), "{}", shown.out);
        for text in [
            "page:{int}",
            "index 9: 7 keys",
            "commands/s",
            "policy noeviction",
            "no process publishes",
        ] {
            let flat = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(text), "{text}: {}", shown.out);
        }
        fill(&server, 2, 520).await;
        let found = json(&on(&server, folder.path(), &["stats", "--json", "--fresh"]));
        let databases = found["databases"].as_array().unwrap();
        let cache = databases.iter().find(|one| one["name"] == "cache").unwrap();
        assert_eq!(cache["content"]["keys"], 520);
        assert_eq!(cache["growth"]["keys"], 20);
        assert_eq!(cache["content"]["bytes"]["low"], cache["content"]["bytes"]["high"]);
        assert_eq!(cache["content"]["with_ttl"], 520);
        let text = on(&server, folder.path(), &["stats", "--prometheus"]).out;
        let keys = "compartment_database_keys{database=\"cache\",instance=\"primary\"} 520";
        assert!(text.lines().any(|line| line == keys), "{text}");
        assert!(text.contains("compartment_instance_up{instance=\"primary\"} 1"), "{text}");
        // Every figure has its help and its form once.
        let helps = text.lines().filter(|line| line.starts_with("# HELP")).count();
        let forms = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(helps, forms);
        let names: std::collections::BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        assert_eq!(names.len(), forms);
    });
}

#[cfg(unix)]
#[test]
#[ignore = "needs redis-server"]
fn the_state_is_for_its_owner_alone_and_a_folder_that_cannot_be_written_is_no_error() {
    use std::os::unix::fs::PermissionsExt;
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        assert_eq!(on(&server, folder.path(), &["stats"]).code, 0);
        let files: Vec<_> = std::fs::read_dir(folder.path().join("state")).unwrap().collect();
        assert_eq!(files.len(), 1);
        let mode = files[0].as_ref().unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join("file"), "").unwrap();
        let url = server.url();
        let refused = run(folder.path(), &["stats", "--backend", &url, "--state", "file/state"]);
        assert_eq!(refused.code, 0, "{refused:?}");
        assert!(refused.err.contains("--state names another folder"), "{}", refused.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn watching_prints_a_line_of_json_for_each_look_until_it_is_stopped() {
    run_test(async {
        use std::io::BufRead;
        let (folder, server) = (here(), TestRedis::start().await);
        fill(&server, 2, 10).await;
        let url = server.url();
        let arguments =
            ["stats", "--watch", "--json", "--interval", "10ms", "--state", "s", "--backend", &url];
        let mut watching = start(folder.path(), &arguments);
        let mut lines = std::io::BufReader::new(watching.stdout.take().unwrap()).lines();
        for _ in 0..3 {
            let line = lines.next().unwrap().unwrap();
            let found: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(found["databases"].is_array(), "{line}");
        }
        watching.kill().unwrap();
        watching.wait().unwrap();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn stats_of_a_server_that_is_away_end_with_5_and_say_so() {
    run_test(async {
        let (folder, mut server) = (here(), TestRedis::start().await);
        server.kill();
        let shown = on(&server, folder.path(), &["stats"]);
        assert_eq!(shown.code, 5, "{shown:?}");
        assert!(shown.out.contains("not reached") && shown.err.contains("primary"), "{shown:?}");
        let memory = run(folder.path(), &["stats", "--backend", "memory://"]);
        assert_eq!(memory.code, 4, "{memory:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_healthy_deployment_ends_with_0_and_one_that_is_away_with_13() {
    run_test(async {
        let (folder, mut server) = (here(), TestRedis::start().await);
        let well = on(&server, folder.path(), &["health", "--json", "--fail-on", "warning"]);
        assert_eq!(well.code, 0, "{well:?}");
        let found = json(&well);
        assert_eq!(found["state"], "ok");
        let state = |name: &str| {
            let checks = found["checks"].as_array().unwrap();
            let mut named = checks.iter().filter(|check| check["name"] == name);
            named.next().unwrap()["state"].as_str().unwrap().to_owned()
        };
        for name in ["connection", "latency", "memory", "connections", "evictions", "saves"] {
            assert_eq!(state(name), "ok", "{name}");
        }
        for name in ["dead_letters", "workers", "stuck", "queue_age"] {
            assert_eq!(state(name), "ok", "{name}");
        }
        for name in ["lock_timeouts", "pool"] {
            assert_eq!(state(name), "unknown", "{name}");
        }
        server.kill();
        let away = on(&server, folder.path(), &["health", "--quiet"]);
        assert_eq!(away.code, 13, "{away:?}");
        assert!(away.out.contains("critical") && away.out.contains("connection"), "{}", away.out);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_never_answers_is_critical_within_the_timeout() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        server.pause();
        let found = on(&server, folder.path(), &["health", "--timeout", "300ms"]);
        server.resume();
        assert_eq!(found.code, 13, "{found:?}");
        assert!(found.out.contains("connection"), "{}", found.out);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn thresholds_come_from_the_configuration() {
    run_test(async {
        let (folder, server) =
            (here(), TestRedis::builder().config("maxclients", "40").start().await);
        let file = folder.path().join("compartment.toml");
        let text = |health: &str| {
            format!(
                "preset = \"pipeline\"\n[instances.primary]\nurl = \"{}\"\n[health]\n{health}\n",
                server.url()
            )
        };
        std::fs::write(&file, text("connections = 0.0")).unwrap();
        let state = folder.path().join("s").display().to_string();
        let arguments = ["health", "--quiet", "--state", &state];
        let warned = run(folder.path(), &arguments);
        assert_eq!(warned.code, 0, "{warned:?}");
        assert!(
            warned.out.contains("warning") && warned.out.contains("maxclients"),
            "{}",
            warned.out
        );
        let failed = run(folder.path(), &["health", "--fail-on", "warning", "--state", &state]);
        assert_eq!(failed.code, 13, "{failed:?}");
        std::fs::write(&file, text("memory_warning = 0.95")).unwrap();
        let wrong = run(folder.path(), &arguments);
        assert_eq!(wrong.code, 4, "{wrong:?}");
        assert!(wrong.err.contains("the warning comes first"), "{}", wrong.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_evicted_beside_a_durable_database_are_critical_on_the_second_look() {
    run_test(async {
        let server = TestRedis::builder()
            .config("maxmemory", "3mb")
            .config("maxmemory-policy", "allkeys-lru")
            .start()
            .await;
        let folder = here();
        let first = on(&server, folder.path(), &["health", "--json"]);
        let mut client = server.connect().await;
        let value = "x".repeat(10_000);
        for n in 0..600 {
            client.send(&["SET", &format!("page:{n}"), &value]).await.unwrap();
        }
        let second = on(&server, folder.path(), &["health", "--json"]);
        let evictions = |run: &Run| {
            let found = json(run);
            let checks = found["checks"].as_array().unwrap().clone();
            let check = checks.into_iter().find(|check| check["name"] == "evictions").unwrap();
            check["state"].as_str().unwrap().to_owned()
        };
        assert_eq!(evictions(&first), "ok");
        assert_eq!(evictions(&second), "critical");
        assert_eq!(second.code, 13);
    });
}

/// The environment names the folder too.
#[test]
#[ignore = "needs redis-server"]
fn the_folder_of_the_state_may_come_from_the_environment() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        let url = server.url();
        let mut stats = command(folder.path(), &["stats", "--backend", &url]);
        let output = stats.env("COMPARTMENT_STATE", folder.path().join("kept")).output().unwrap();
        assert!(output.status.success());
        assert_eq!(std::fs::read_dir(folder.path().join("kept")).unwrap().count(), 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_run_publishes_its_requests_and_stats_and_health_show_them() {
    run_test(async {
        let (folder, server) = (here(), TestRedis::start().await);
        std::fs::write(folder.path().join("order.txt"), "Order of May 4, 2020. Granted.").unwrap();
        let ingested = run(folder.path(), &["ingest", "order.txt", "--backend", &server.url()]);
        assert_eq!(ingested.code, 0, "{ingested:?}");
        let shown = on(&server, folder.path(), &["stats"]);
        assert!(shown.out.contains("requests/s") && shown.out.contains("p99"), "{}", shown.out);
        assert!(!shown.out.contains("no process publishes"), "{}", shown.out);
        assert!(shown.out.lines().all(|line| line.chars().count() <= 82), "{}", shown.out);
        let found = json(&on(&server, folder.path(), &["stats", "--json"]));
        let databases = found["databases"].as_array().unwrap();
        let cache = databases.iter().find(|one| one["name"] == "cache").unwrap();
        for figure in ["requests_per_second", "sent_bytes_per_second", "mean_latency_us"] {
            assert!(cache["clients"][figure].as_f64().unwrap() > 0.0, "{figure}: {cache:#}");
        }
        let text = on(&server, folder.path(), &["stats", "--prometheus"]).out;
        let name = "compartment_database_requests_total{database=\"cache\",instance=\"primary\"}";
        let total = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert!(total.trim().parse::<f64>().unwrap() > 0.0, "{total}");
        let health = json(&on(&server, folder.path(), &["health", "--json"]));
        for name in ["lock_timeouts", "pool"] {
            let check = health["checks"].as_array().unwrap();
            let check = check.iter().find(|check| check["name"] == name).unwrap();
            assert_eq!(check["state"], "ok", "{check:#}");
        }
    });
}
