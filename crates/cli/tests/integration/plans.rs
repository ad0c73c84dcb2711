//! Plans in use: keys protected from a flush, the text of their tables, commands to paste.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};
use tempfile::TempDir;

use crate::program::{Run, command, json, run};

const DATABASES: &str = "[databases]\nresults = { index = 1, kind = \"durable\" }\n\
    cache = { index = 2, kind = \"cache\", default_ttl = \"1h\" }\n\
    broker = { index = 4, kind = \"durable\" }\nmetrics = { index = 5, kind = \"durable\" }\n\
    batch = { index = 6, kind = \"durable\" }\nlocks = { index = 7, kind = \"coordination\" }\n";

fn configure(folder: &Path, url: &str) {
    let text = format!("[instances.primary]\nurl = \"{url}\"\n{DATABASES}");
    std::fs::write(folder.join("compartment.toml"), text).unwrap();
}

/// A server, and a folder with a configuration for it.
async fn there() -> (TestRedis, TempDir) {
    let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &server.url());
    (server, folder)
}

async fn tell(connection: &mut RespConnection, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let reply = connection.send(&words).await.unwrap();
    assert!(!reply.is_error(), "{line}: {reply:?}");
}

/// Results and a queue of Celery, pages of Django, and the application's own keys.
async fn fill(server: &TestRedis) {
    let mut connection = server.connect().await;
    for n in 0..20 {
        tell(
            &mut connection,
            &format!("SET celery-task-meta-{n:08}-98ab-4c5d-8e6f-{n:012} r EX 900"),
        )
        .await;
        tell(&mut connection, &format!("SET :1:views.decorators.cache.{n} page EX 600")).await;
        tell(&mut connection, &format!("SET order:{n}:state open")).await;
        tell(&mut connection, &format!("HSET batch:progress:{n} done 1")).await;
        tell(&mut connection, &format!("INCR metrics:{n}:seen")).await;
        tell(&mut connection, &format!("SET lock:order:{n} me EX 30")).await;
    }
    for name in ["settings", "motto", "owner", "licence", "colour"] {
        tell(&mut connection, &format!("SET {name} x")).await;
    }
    tell(&mut connection, "SADD _kombu.binding.celery celery\u{6}\u{16}\u{6}\u{16}celery").await;
    tell(&mut connection, "LPUSH celery {}").await;
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

fn has_no_trailing_blanks(run: &Run) {
    for line in run.out.lines().chain(run.err.lines()) {
        assert!(!line.ends_with([' ', '\t']), "{line:?} in {}{}", run.out, run.err);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_flush_keeps_what_stays_by_a_plan() {
    run_test(async {
        let (server, folder) = there().await;
        fill(&server).await;
        assert_eq!(run(folder.path(), &["plan", "-o", "move.toml"]).code, 0);
        assert_eq!(run(folder.path(), &["migrate", "--plan", "move.toml"]).code, 0);
        let before = size(&server, 0).await;
        let all = ["flush", "--database", "0", "--yes-really", "index 0"];
        let url = format!("{}/0", server.url().replace("127.0.0.1", "localhost"));
        let aliased = ["flush", "--database", &url, "--yes-really", "index 0"];
        for refused in [run(folder.path(), &all), run(folder.path(), &aliased)] {
            assert_eq!((refused.code, size(&server, 0).await), (12, before), "{refused:?}");
            assert!(
                refused.err.contains("stay there according to move.toml, such as"),
                "{refused:?}"
            );
            assert!(refused.err.contains("order:{int}:state (20)"), "{refused:?}");
            assert!(refused.err.contains("celery-broker (2, not moved yet)"), "{refused:?}");
        }
        // From another folder the plan is found beside the configuration, or named.
        let elsewhere = tempfile::tempdir().unwrap();
        let config = folder.path().join("compartment.toml");
        let config = ["--config", config.to_str().unwrap()];
        assert_eq!(run(elsewhere.path(), &[&all[..], &config].concat()).code, 12);
        let backend = server.url();
        let backend = ["--backend", backend.as_str()];
        let plan = folder.path().join("move.toml");
        let plan = ["--plan", plan.to_str().unwrap()];
        assert_eq!(run(elsewhere.path(), &[&all[..], &backend, &plan].concat()).code, 12);
        // Also refused in the preview; keys of moved groups may be removed, others not.
        let shown = run(folder.path(), &["flush", "--database", "0"]);
        assert!(shown.code == 12 && shown.out.contains("refused:"), "{shown:?}");
        let part = |pattern| [&all[..], &["--pattern", pattern]].concat();
        assert_eq!(run(folder.path(), &part("order:1:*")).code, 12);
        server.command(&["SET", ":1:views.decorators.cache.left", "x"]).await;
        let moved = run(folder.path(), &part(":[0-9]*:*"));
        assert_eq!((moved.code, size(&server, 0).await), (0, before), "{moved:?}");
        // The plan does not apply to another index.
        assert_eq!(run(folder.path(), &["flush", "--database", "cache", "--yes"]).code, 0);
        // A damaged plan does not say which keys to leave in place.
        let text = std::fs::read_to_string(folder.path().join("move.toml")).unwrap();
        std::fs::write(folder.path().join("move.toml"), text.replace("[source]", "[sauce]"))
            .unwrap();
        let broken = run(folder.path(), &all);
        assert_eq!((broken.code, size(&server, 0).await), (9, before), "{broken:?}");
        let told = broken.err.lines().filter(|line| !line.starts_with("configuration: "));
        assert!(broken.err.contains("move.toml: line ") && told.count() == 1, "{broken:?}");
        std::fs::remove_file(folder.path().join("move.toml")).unwrap();
        let gone = run(folder.path(), &all);
        assert_eq!((gone.code, size(&server, 0).await), (0, 0), "{gone:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_proposes_what_names_suggest_and_says_how_the_rest_gets_a_place() {
    run_test(async {
        let (server, folder) = there().await;
        fill(&server).await;
        let planned = run(folder.path(), &["plan"]);
        has_no_trailing_blanks(&planned);
        let goes = |name: &str| {
            let line = planned.out.lines().find(|line| line.contains(name));
            let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
            words[words.len() - 2..].join(" ")
        };
        assert_eq!(goes("batch:progress:{int}"), "drain batch");
        assert_eq!(goes("metrics:{int}:seen"), "drain metrics");
        assert_eq!(goes("lock:order:{int}"), "drain locks");
        assert!(planned.out.contains("5 groups of one key"), "{}", planned.out);
        let told = "    [keys.NAME]\n    template = \"order:{int}:state\"\n";
        assert!(planned.out.contains(told), "{}", planned.out);
        // With the suggested rule, the keys move.
        let path = folder.path().join("compartment.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let rule = "orders = { index = 8, kind = \"durable\" }\n[keys.orders]\n\
                    template = \"order:{int}:state\"\ndatabase = \"orders\"\n";
        std::fs::write(&path, text + rule).unwrap();
        assert_eq!(run(folder.path(), &["plan", "--force"]).code, 0);
        let drained = ["migrate", "--plan", "plan.toml", "--drained", "metrics:{int}:seen"];
        let moved = run(folder.path(), &drained);
        assert_eq!(moved.code, 0, "{moved:?}");
        has_no_trailing_blanks(&moved);
        assert_eq!((size(&server, 8).await, size(&server, 5).await), (20, 20), "{moved:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn everything_else_is_called_so_and_moves_only_by_its_name() {
    run_test(async {
        let (server, folder) = there().await;
        let mut connection = server.connect().await;
        for n in 0..30_u64 {
            let token = format!("aB3{n:02}xY7{n:02}Qz9{n:02}Kp1{n:02}");
            tell(&mut connection, &format!("SET {token} x EX 900")).await;
        }
        assert_eq!(run(folder.path(), &["plan"]).code, 0);
        let path = folder.path().join("plan.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("name = \"everything-else\"") && !text.contains("{token}"), "{text}");
        let stays = "\nverdict = \"stay\"";
        let edited = text.replace(stays, "\nverdict = \"move\"\ndatabase = \"cache\"");
        std::fs::write(&path, edited).unwrap();
        let moved = run(folder.path(), &["migrate", "--plan", "plan.toml"]);
        assert_eq!((moved.code, size(&server, 0).await), (0, 30), "{moved:?}");
        assert!(moved.err.contains("use --group \"everything-else\""), "{moved:?}");
        let moved = ["migrate", "--plan", "plan.toml", "--group", "everything-else"];
        let moved = run(folder.path(), &moved);
        assert_eq!((moved.code, size(&server, 2).await), (0, 30), "{moved:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_queue_is_kept_by_its_own_workers_and_by_no_others() {
    run_test(async {
        let (server, folder) = there().await;
        fill(&server).await;
        assert_eq!(run(folder.path(), &["plan"]).code, 0);
        let mut worker = server.connect().await;
        let waiting = tokio::spawn(async move { worker.send(&["BRPOP", "idle", "0"]).await });
        eventually("a blocked client", async || {
            server.command(&["INFO", "clients"]).await.text().contains("blocked_clients:1")
        })
        .await;
        let drained = ["migrate", "--plan", "plan.toml", "--drained", "celery-broker"];
        let drained = [&drained[..], &["--group", "celery-broker"]].concat();
        let refused = run(folder.path(), &drained);
        assert_eq!(refused.code, 12, "{refused:?}");
        assert!(refused.err.contains("--drained-anyway"), "{refused:?}");
        assert_eq!(size(&server, 4).await, 0);
        let anyway = run(folder.path(), &[&drained[..], &["--drained-anyway"]].concat());
        assert_eq!((anyway.code, size(&server, 4).await), (0, 2), "{anyway:?}");
        assert!(anyway.err.contains("celery-broker moves anyway"), "{anyway:?}");
        waiting.abort();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn printed_urls_can_be_pasted_and_say_whose_password_is_hidden() {
    run_test(async {
        let server = TestRedis::builder().password("s3cret").start().await;
        let folder = tempfile::tempdir().unwrap();
        server.command_in(3, &["SET", "a", "1"]).await;
        let host = format!("redis://:***@127.0.0.1:{}", server.port());
        configure(folder.path(), &server.url());
        let by_file = run(folder.path(), &["analyze"]);
        assert!(by_file.out.contains(&format!("index 3 of {host}/3")), "{by_file:?}");
        assert!(by_file.out.contains("which comes from compartment.toml"), "{by_file:?}");
        let url = server.url();
        let by_flag = run(folder.path(), &["analyze", "--backend", &url]);
        assert!(by_flag.out.contains("which comes from --backend"), "{by_flag:?}");
        let by_variable = command(folder.path(), &["flush", "--database", "3"])
            .env("COMPARTMENT_BACKEND", &url)
            .output()
            .unwrap();
        let text = String::from_utf8(by_variable.stdout).unwrap();
        assert!(text.contains("which comes from COMPARTMENT_BACKEND"), "{text}");
        let database = format!("{url}/3");
        let typed = run(folder.path(), &["analyze", "--database", &database]);
        assert!(typed.out.contains("the URL of the command line"), "{typed:?}");
        let planned = run(folder.path(), &["plan", "--from", "3"]);
        assert!(planned.out.contains("which comes from compartment.toml"), "{planned:?}");
        for run in [by_file, by_flag, typed, planned] {
            assert!(!run.out.contains("s3cret") && !run.err.contains("s3cret"));
            has_no_trailing_blanks(&run);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn reports_fit_the_screen_and_leave_out_who_has_nothing_to_do_with_the_keys() {
    run_test(async {
        let (server, folder) = there().await;
        let mut connection = server.connect().await;
        let long = "tenant:7f3a5c1e-98ab-4c5d-8e6f-0123456789ab:документ:состояние:命令";
        tell(&mut connection, &format!("SET {long} x")).await;
        for n in 0..20 {
            for m in 0..n {
                tell(&mut connection, &format!("SET kind{}:{m}:of x", char::from(b'a' + n))).await;
            }
        }
        tell(&mut connection, "CLIENT SETNAME application").await;
        let mut listener = server.connect().await;
        tell(&mut listener, "CLIENT SETNAME listener").await;
        tell(&mut listener, "SUBSCRIBE news").await;
        let mut elsewhere = server.connect().await;
        for line in ["CLIENT SETNAME elsewhere", "SELECT 5", "PING"] {
            tell(&mut elsewhere, line).await;
        }
        let at = |columns: &str, arguments: &[&str]| {
            let output =
                command(folder.path(), arguments).env("COLUMNS", columns).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let narrow = at("80", &["analyze"]);
        let wide = at("160", &["analyze"]);
        assert!(wide.contains(long) && !narrow.contains(long), "{narrow}{wide}");
        assert!(narrow.contains("tenant:7f3a") && narrow.contains('…'), "{narrow}");
        assert!(narrow.contains("application"), "{narrow}");
        assert!(!narrow.contains("listener") && !narrow.contains("elsewhere"), "{narrow}");
        let shown = run(folder.path(), &["flush", "--database", "0"]);
        assert!(shown.out.contains("and 29 more, of 9 other forms"), "{}", shown.out);
        let rows: Vec<&str> =
            shown.out.lines().filter(|line| line.trim_start().starts_with("kind")).collect();
        assert!(rows[0].contains("kindt") && rows.len() == 12, "{rows:?}");
        let preview = run(folder.path(), &["flush", "--database", "0", "--json"]);
        assert_eq!(json(&preview)["more_keys"].as_u64(), Some(29));
        has_no_trailing_blanks(&shown);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_is_found_by_any_name_for_any_address_and_keeps_what_came_after_it() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let server = TestRedis::builder().password("s3cret").start().await;
        let url = |host: &str| format!("redis://:s3cret@{host}:{}", server.port());
        configure(here, &url("127.0.0.1"));
        for number in 0..20 {
            server
                .command(&[
                    "SET",
                    &format!("celery-task-meta-{number:08}-98ab-4c5d-8e6f-{number:012}"),
                    "r",
                ])
                .await;
        }
        assert_eq!(run(here, &["plan", "-o", "plan.txt"]).code, 0);
        assert_eq!(run(here, &["migrate", "--plan", "plan.txt"]).code, 0);
        server.command(&["SET", "invoice:1", "new"]).await;
        std::fs::remove_file(here.join("compartment.toml")).unwrap();
        let at = format!("{}/0", url("localhost"));
        let all = ["flush", "--database", &at, "--yes-really", "index 0"];
        for words in [&all[..], &[&all[..], &["--plan", "plan.txt"]].concat()] {
            let refused = run(here, words);
            assert_eq!((refused.code, size(&server, 0).await), (12, 1), "{refused:?}");
            assert!(refused.err.contains("keys in no group (1)"), "{refused:?}");
            assert!(!refused.err.contains("s3cret"), "{refused:?}");
        }
        // A named plan has to be about this database.
        let other = TestRedis::start().await;
        let at = format!("{}/0", other.url());
        let wrong = ["flush", "--database", &at, "--yes-really", "index 0", "--plan", "plan.txt"];
        let wrong = run(here, &wrong);
        assert!(wrong.code == 4 || wrong.code == 12, "{wrong:?}");
        // Keys selected by a pattern are removed.
        let at = format!("{}/0", url("localhost"));
        let meant =
            ["flush", "--database", &at, "--yes-really", "index 0", "--pattern", "invoice:*"];
        let meant = run(here, &meant);
        assert_eq!((meant.code, size(&server, 0).await), (0, 0), "{meant:?}");
    });
}
