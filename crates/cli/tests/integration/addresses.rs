//! One server under many addresses, and every form of URL: no key is lost or goes elsewhere.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{FaultProxy, TestRedis, run_test};

use crate::program::{self, Run, json, run};

const KEYS: usize = 50;

async fn filled() -> TestRedis {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let server = TestRedis::builder()
        .config("unixsocket", socket.to_str().unwrap())
        .acl_user("quiet", "s3cret", "~* &* +@all -@dangerous")
        .acl_user("pages", "s3cret", "~page:* &* +@all -@dangerous")
        .start()
        .await;
    // The socket exists as long as the server.
    let _ = folder.keep();
    fill(&server).await;
    server
}

async fn fill(server: &TestRedis) {
    for number in 0..KEYS {
        server.command(&["SET", &format!("page:{number}"), "value"]).await;
    }
}

async fn keys_of(server: &TestRedis, index: u32) -> usize {
    let counted = server
        .command(&[
            "EVAL",
            "redis.call('SELECT', ARGV[1]); return redis.call('DBSIZE')",
            "0",
            &index.to_string(),
        ])
        .await;
    usize::try_from(counted.integer().unwrap()).unwrap()
}

async fn socket_of(server: &TestRedis) -> String {
    let answer = server.command(&["CONFIG", "GET", "unixsocket"]).await;
    answer.array()[1].text()
}

/// Checks for one plain sentence, its exit code, and no secret.
fn is_refused(run: &Run, code: i32, says: &str) {
    assert_eq!(run.code, code, "{run:?}");
    assert!(run.err.contains(says), "{says:?} is not in {run:?}");
    assert!(!run.err.contains("s3cret"), "{run:?}");
}

fn migrate(folder: &Path, from: &str, to: &str, more: &[&str]) -> Run {
    run(folder, &[&["migrate", "--from", from, "--to", to], more].concat())
}

#[test]
#[ignore = "needs redis-server"]
fn one_place_under_two_addresses_is_one_place() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = filled().await;
        let forward = FaultProxy::start(server.port()).await;
        let socket = socket_of(&server).await;
        let (port, path) = (server.port(), folder.path());
        let here = format!("redis://127.0.0.1:{port}/0");
        for there in [
            format!("redis://localhost:{port}/0"),
            format!("REDIS://127.0.0.1:{port}/"),
            format!("redis://127.0.0.1:{port}"),
            format!("redis://127.0.0.1:{}/0", forward.port()),
            format!("redis+unix://{socket}"),
            format!("redis+socket://{socket}?virtual_host=0"),
            format!("redis://quiet:s3cret@localhost:{port}/0"),
            format!("redis://pages:s3cret@localhost:{port}/0"),
        ] {
            is_refused(&migrate(path, &here, &there, &["--verify"]), 4, "same database");
            is_refused(&migrate(path, &there, &here, &["--dry-run"]), 4, "same database");
            is_refused(
                &run(path, &["verify", "--from", &here, "--to", &there]),
                4,
                "same database",
            );
            assert_eq!(keys_of(&server, 0).await, KEYS, "{there}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn another_index_of_one_server_is_reached_by_move_whatever_the_address() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = filled().await;
        let forward = FaultProxy::start(server.port()).await;
        let socket = socket_of(&server).await;
        let port = server.port();
        let from = format!("redis://127.0.0.1:{port}/0");
        for (number, to) in [
            format!("redis://localhost:{port}/3"),
            format!("redis://127.0.0.1:{}/3", forward.port()),
            format!("unix://{socket}?db=3"),
            format!("redis://quiet:s3cret@localhost:{port}/3"),
            format!("unix://pages:s3cret@{socket}?db=3"),
        ]
        .iter()
        .enumerate()
        {
            let journal = format!("{number}.journal");
            let moved = migrate(folder.path(), &from, to, &["--journal", &journal, "--verify"]);
            assert!(moved.code == 0 && moved.out.contains("by MOVE"), "{to}: {moved:?}");
            assert_eq!((keys_of(&server, 0).await, keys_of(&server, 3).await), (0, KEYS));
            // The journal contains no password: it comes from the configuration.
            let url = to.trim_end_matches("/3").trim_end_matches("?db=3");
            let back = run(folder.path(), &["migrate", "--undo", &journal, "--backend", url]);
            assert_eq!(back.code, 0, "{to}: {back:?}");
            assert_eq!((keys_of(&server, 0).await, keys_of(&server, 3).await), (KEYS, 0));
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn two_instances_of_one_server_are_found_out() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = filled().await;
        let port = server.port();
        let write = |other: &str, index: u32, shared: &str| {
            let text = format!(
                "[instances.a]\nurl = \"redis://127.0.0.1:{port}\"\n\
                 [instances.b]\nurl = \"{other}\"\n\
                 [databases]\n\
                 main = {{ instance = \"a\", index = 0, kind = \"cache\", default_ttl = \"1d\"{shared} }}\n\
                 broker = {{ instance = \"b\", index = {index}, kind = \"durable\"{shared} }}\n"
            );
            std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
        };
        for other in [
            format!("redis://localhost:{port}"),
            format!("redis+unix://{}", socket_of(&server).await),
            format!("redis://quiet:s3cret@localhost:{port}"),
        ] {
            write(&other, 0, "");
            let path = folder.path();
            is_refused(&run(path, &["config", "check"]), 4, "are in one place");
            is_refused(&run(path, &["databases"]), 4, "are in one place");
            is_refused(&run(path, &["flush", "--database", "main", "--yes"]), 12, "shared with");
            is_refused(&migrate(path, "main", "broker", &[]), 4, "same database");
            assert_eq!(keys_of(&server, 0).await, KEYS);
            write(&other, 1, "");
            assert_eq!(run(path, &["config", "check"]).code, 0);
            let moved = migrate(path, "main", "broker", &["--journal", "moved.journal"]);
            assert!(moved.out.contains("by MOVE"), "{moved:?}");
            server.command(&["SWAPDB", "0", "1"]).await;
            std::fs::remove_file(path.join("moved.journal")).unwrap();
            write(&other, 0, ", shared = true");
            assert_eq!(run(path, &["config", "check"]).code, 0);
        }
        // An instance that does not answer may be this server.
        write("redis://127.0.0.1:1", 0, "");
        let run = run(folder.path(), &["flush", "--database", "main", "--yes"]);
        is_refused(&run, 12, "cannot be reached");
        assert_eq!(keys_of(&server, 0).await, KEYS);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_url_means_its_index_or_is_refused() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let server = filled().await;
        let socket = socket_of(&server).await;
        let base = format!("redis://127.0.0.1:{}", server.port());
        for url in [
            format!("{base}/3"),
            format!("{base}/3/"),
            format!("{base}?db=3"),
            format!("{base}/?db=3"),
            format!("{base}/3?ssl_cert_reqs=none"),
            format!("{base}/3?db=3"),
            format!("redis+unix://{socket}?db=3"),
            format!("unix://quiet:s3cret@{socket}?db=3"),
            format!("redis+socket://{socket}?virtual_host=3"),
            format!("VALKEY://127.0.0.1:{}/3", server.port()),
        ] {
            let shown = run(path, &["flush", "--database", &url, "--dry-run", "--json"]);
            assert_eq!(json(&shown)["index"], 3, "{url}: {shown:?}");
        }
        for (url, says) in [
            (format!("{base}/3x"), "index"),
            (format!("{base}/3/4"), "index"),
            (format!("{base}/-1"), "index"),
            (format!("{base}/3?db=4"), "two different indexes"),
            (format!("{base}/3?timeout=1"), "\"timeout\""),
            (format!("{base}/3#x"), "`#`"),
            (format!("{base}/99"), "no index 99"),
        ] {
            let asked = [
                run(path, &["flush", "--database", &url, "--yes-really", "index 0"]),
                migrate(path, &url, &format!("{base}/5"), &[]),
                migrate(path, &format!("{base}/0"), &url, &[]),
                run(path, &["backup", "--database", &url, "-o", "out.rdb"]),
                run(path, &["analyze", "--database", &url]),
            ];
            for run in asked {
                is_refused(&run, 4, says);
            }
            assert_eq!(keys_of(&server, 0).await, KEYS);
        }
        // An instance is a whole server.
        for command in ["databases", "analyze"] {
            for url in [format!("{base}/3"), format!("{base}?db=3"), format!("{base}/3/")] {
                is_refused(&run(path, &[command, "--backend", &url]), 4, "has index 3");
            }
            assert_eq!(run(path, &[command, "--backend", &format!("{base}/0")]).code, 0);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_environment_and_the_ledger_are_read_by_the_same_rules() {
    let folder = tempfile::tempdir().unwrap();
    let with = |variables: &[(&str, &str)], words: &[&str]| {
        let mut command = program::command(folder.path(), words);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    };
    let shown = with(&[("REDIS_HOST", "::1")], &["config", "show"]);
    assert!(shown.out.contains("redis://[::1]:6379"), "{shown:?}");
    for (name, value, says) in [
        ("REDIS_HOST", "redis://:s3cret@h", "REDIS_HOST"),
        ("REDIS_HOST", "h:6380", "REDIS_PORT"),
        ("REDIS_PORT", "0x10", "REDIS_PORT"),
        ("COMPARTMENT_BACKEND", "redis://h/3", "has index 3"),
        ("COMPARTMENT_BACKEND", "redis://h?x=s3cret", "\"x\""),
    ] {
        let mut set = vec![(name, value)];
        if name == "REDIS_PORT" {
            set.push(("REDIS_HOST", "h"));
        }
        is_refused(&with(&set, &["config", "show"]), 4, says);
    }
    run_test(async {
        let server = TestRedis::start().await;
        for (ledger, says) in [
            ("postgres://h/d?ssl_mode=require", "\"ssl_mode\""),
            ("postgres://me:s3#cret@h/d", "%23"),
            ("sqlite://l.db?mode=ro", "rwc"),
        ] {
            is_refused(
                &with(
                    &[("COMPARTMENT_LEDGER", ledger)],
                    &["batch", "audit", "x", "--backend", &server.url()],
                ),
                4,
                says,
            );
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_url_of_a_configured_server_has_its_authority() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = TestRedis::builder().tls().start().await;
        let ca = server.certificates().unwrap().ca.display().to_string();
        let url = server.url();
        let (_, address) = url.split_once("://").unwrap();
        let port = address.rsplit_once(':').unwrap().1.trim_end_matches('/');
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"rediss://localhost:{port}\"\ntls_ca = \"{ca}\"\n"
        );
        std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
        for url in [format!("rediss://localhost:{port}/3"), format!("rediss://127.0.0.1:{port}/3")]
        {
            let shown = run(folder.path(), &["flush", "--database", &url, "--dry-run", "--json"]);
            assert_eq!(json(&shown)["index"], 3, "{shown:?}");
        }
        let bare = tempfile::tempdir().unwrap();
        let url = format!("rediss://localhost:{port}/3?ssl_ca_certs={ca}&ssl_cert_reqs=required");
        let shown = run(bare.path(), &["flush", "--database", &url, "--dry-run", "--json"]);
        assert_eq!(json(&shown)["index"], 3, "{shown:?}");
        let unchecked = format!("rediss://localhost:{port}/3?ssl_cert_reqs=none");
        let shown = run(bare.path(), &["flush", "--database", &unchecked, "--dry-run"]);
        is_refused(&shown, 4, "not supported");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_pattern_removes_what_keys_shows() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let server = TestRedis::start().await;
        let names = [
            "App\\Models\\User",
            "AppModelsUser",
            "a*b",
            "aXb",
            "x41",
            "A",
            "caf\u{e9}",
            "{user}",
            "a b",
            "[a]",
            "-",
            "a\\",
        ];
        let url = format!("{}/0", server.url().trim_end_matches('/'));
        for pattern in [
            "App\\\\Models\\\\User",
            "App\\Models\\User",
            "a\\*b",
            "a*b",
            "\\x41",
            "caf?",
            "caf??",
            "{user}",
            "a b",
            "\\[a\\]",
            "[a]",
            "[^a]",
            "*\\",
            "caf\u{e9}",
        ] {
            server.command(&["FLUSHALL"]).await;
            for name in names {
                server.command(&["SET", name, "1"]).await;
            }
            let keys = server.command(&["KEYS", pattern]).await;
            let mut wanted: Vec<String> = keys.array().iter().map(|name| name.text()).collect();
            let mut before: Vec<String> = names.map(str::to_owned).to_vec();
            let options = ["--pattern", pattern, "--yes-really", "index 0"];
            let done = run(folder.path(), &[&["flush", "--database", &url], &options[..]].concat());
            assert_eq!(done.code, 0, "{pattern}: {done:?}");
            let left = server.command(&["KEYS", "*"]).await;
            before.retain(|name| !left.array().iter().any(|one| one.text() == *name));
            wanted.sort();
            before.sort();
            assert_eq!(before, wanted, "{pattern}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_journal_is_taken_back_on_the_server_that_it_names() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let server = filled().await;
        let url = format!("redis://127.0.0.1:{}", server.port());
        let words = ["migrate", "--backend", &url, "--from", "0", "--to", "1", "--journal", "j"];
        assert_eq!(run(path, &words).code, 0);
        // No server listens at that address, although it belongs to this machine.
        let text = std::fs::read_to_string(path.join("j")).unwrap();
        std::fs::write(path.join("j"), text.replace("127.0.0.1", "127.0.0.2")).unwrap();
        let back = run(path, &["migrate", "--undo", "j", "--backend", &url]);
        assert_ne!(back.code, 0, "{back:?}");
        assert_eq!((keys_of(&server, 0).await, keys_of(&server, 1).await), (0, KEYS));
    });
}
