//! More than two hundred hostile calls: nothing is changed, nothing ends, and no password is shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use compartment_testkit::{TestRedis, run_test};
use serde_json::{Value, json};

use super::{Client, PASSWORD, acting, everything, fill, server, write};

/// A call of each tool that changes, as its dry run takes it.
fn changing() -> Vec<(&'static str, Value)> {
    vec![
        ("cleanup_old_cache", json!({"older_than_hours": 0.001})),
        ("set_memory_limit", json!({"max_memory_mb": 100, "policy": "noeviction"})),
        ("migrate_keys", json!({"from": "7", "to": "cache", "pattern": "other:*"})),
        ("backup_database", json!({"database": "cache", "file": "cache.rdb"})),
        ("flush_database", json!({"database": "cache", "pattern": "page:*"})),
        ("retry_failed", json!({"batch": "smith"})),
    ]
}

/// Things that are no id of a plan of this session.
fn forged() -> Vec<Value> {
    let long = "plan_".to_owned() + &"f".repeat(100_000);
    let texts = [
        "",
        "plan_",
        "plan_00000000000000000000000000000000",
        "plan_ffffffffffffffffffffffffffffffff",
        "PLAN_0123456789abcdef0123456789abcdef",
        "plan_0123456789abcdef0123456789abcdef\n",
        "plan_*",
        "' OR 1=1 --",
        "\u{202e}plan_\u{0}",
        "../plan_1",
        &long,
    ];
    let others = [json!(0), json!(true), json!([]), json!({}), json!(["plan_1"]), json!(1e300)];
    texts.iter().map(|text| json!(text)).chain(others).collect()
}

/// Every answer is an error, or a plan that was not acted on.
fn assert_unchanged(answer: &Value) {
    let result = &answer["result"];
    let is_refused = answer["error"].is_object() || result["isError"] == true;
    let fields = &result["structuredContent"];
    let is_plan = fields["dry_run"] == true && fields["done"].is_null();
    assert!(is_refused || is_plan, "{answer}");
}

const ALL: [&str; 3] = ["--allow-changes", "--backup-folder", "backups"];

fn client(folder: &Path, server: &TestRedis) -> Client {
    std::fs::create_dir_all(folder.join("backups")).unwrap();
    Client::start(folder, &server.url(), &ALL)
}

#[test]
#[ignore = "needs redis-server"]
fn no_hostile_call_changes_anything() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        fill(&server).await;
        let before = everything(&server).await;
        let mut client = client(folder.path(), &server);
        let mut calls = 0;
        let mut hostile = |client: &mut Client, tool: &str, arguments: Value| {
            calls += 1;
            assert_unchanged(&client.call(tool, arguments));
        };
        for (tool, arguments) in changing() {
            for id in forged() {
                let mut arguments = acting(&arguments, "");
                arguments["plan_id"] = id;
                hostile(&mut client, tool, arguments);
            }
            for dry_run in [json!("false"), json!(0), json!(null), json!([false]), json!(false)] {
                let mut arguments = arguments.clone();
                arguments["dry_run"] = dry_run;
                hostile(&mut client, tool, arguments);
            }
            for (name, value) in [("force_now", json!(true)), ("confirm", json!("yes"))] {
                let mut arguments = acting(&arguments, "");
                arguments[name] = value;
                hostile(&mut client, tool, arguments);
            }
        }
        for arguments in odd_values() {
            let (tool, arguments) = arguments;
            hostile(&mut client, tool, arguments.clone());
            hostile(&mut client, tool, acting(&arguments, "plan_0"));
        }
        assert!(calls >= 200, "{calls}");
        assert_eq!(everything(&server).await, before);
        assert!(std::fs::read_dir(folder.path().join("backups")).unwrap().next().is_none());
        let answers = client.answers.clone();
        let log = client.end();
        assert!(!answers.contains(PASSWORD) && !log.contains(PASSWORD));
    });
}

/// Values that are too large, of the wrong type, or try to name something else.
fn odd_values() -> Vec<(&'static str, Value)> {
    let long = "x".repeat(100_000);
    let mut calls = Vec::new();
    for hours in [json!(-1), json!(0), json!(1e308), json!("1"), json!(null), json!([1])] {
        calls.push(("cleanup_old_cache", json!({"older_than_hours": hours})));
    }
    for mb in [json!(u64::MAX), json!(1_u64 << 53), json!(-5), json!(1.5), json!("512"), json!(0)] {
        calls.push(("set_memory_limit", json!({"max_memory_mb": mb, "policy": "noeviction"})));
    }
    for policy in ["allkeys-lru", "lru", "", "noeviction\r\nFLUSHALL\r\n"] {
        calls.push(("set_memory_limit", json!({"max_memory_mb": 100, "policy": policy})));
    }
    for database in
        ["redis://127.0.0.1:1", "broker", "../cache", "", "CACHE", "c\u{430}che", "99", "-1", &long]
    {
        calls.push(("flush_database", json!({"database": database})));
        calls.push(("migrate_keys", json!({"from": database, "to": "cache"})));
    }
    for pattern in ["\\", "[", "[^", "*\\", "\\x00*", "{", "\u{202e}*", "**********", &long] {
        calls.push(("flush_database", json!({"database": "cache", "pattern": pattern})));
    }
    for file in ["../../etc/passwd", "/etc/passwd", "a/b", "..", ".ssh", "-", "a\u{0}b", &long] {
        calls.push(("backup_database", json!({"database": "cache", "file": file})));
    }
    for yes in [json!(true), json!("yes"), json!("cache"), json!(["broker"])] {
        calls.push(("flush_database", json!({"database": "broker", "yes_really": yes})));
    }
    calls
}

#[test]
#[ignore = "needs redis-server"]
fn plans_of_others_and_plans_that_are_used_or_for_something_else_are_refused() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        fill(&server).await;
        let (mut client, mut other) =
            (client(folder.path(), &server), client(folder.path(), &server));
        let before = everything(&server).await;
        let flush = json!({"database": "cache", "pattern": "page:*"});
        for _ in 0..5 {
            let id = other.plan("flush_database", &flush);
            assert_unchanged(&client.call("flush_database", acting(&flush, &id)));
        }
        let id = client.plan("flush_database", &flush);
        for others in [
            json!({"database": "cache"}),
            json!({"database": "cache", "pattern": "*"}),
            json!({"database": "cache", "pattern": "page:* "}),
            json!({"database": "broker", "pattern": "page:*", "yes_really": "broker"}),
        ] {
            assert_unchanged(&client.call("flush_database", acting(&others, &id)));
        }
        let cleanup = json!({"older_than_hours": 1});
        assert_unchanged(&client.call("cleanup_old_cache", acting(&cleanup, &id)));
        let with_both = json!({"database": "cache", "pattern": "page:*", "plan_id": id});
        assert_unchanged(&client.call("flush_database", with_both));
        assert_eq!(everything(&server).await, before);
        // The plan is still good for what it was made for, once.
        let done = client.fields("flush_database", acting(&flush, &id));
        assert_eq!(done["done"]["count"], 20);
        let before = everything(&server).await;
        for key in 0..20 {
            write(&server, 2, &format!("page:{key}")).await;
        }
        for _ in 0..5 {
            assert_unchanged(&client.call("flush_database", acting(&flush, &id)));
        }
        assert_eq!(everything(&server).await.len(), before.len() + 20);
        client.end();
        other.end();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_is_written_between_plan_and_act_is_never_removed() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        fill(&server).await;
        let mut client = client(folder.path(), &server);
        let flush = json!({"database": "cache", "pattern": "race:*"});
        let port = server.plain_port();
        for round in 0..10 {
            write(&server, 2, &format!("race:{round}:old")).await;
            let id = client.plan("flush_database", &flush);
            let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::default());
            let writer =
                tokio::spawn(writing(port, round, Arc::clone(&stop), Arc::clone(&written)));
            let answer =
                tokio::task::block_in_place(|| client.call("flush_database", acting(&flush, &id)));
            stop.store(true, SeqCst);
            writer.await.unwrap();
            let names = written.lock().unwrap().clone();
            for name in &names {
                let there = server.command_in(2, &["EXISTS", name]).await;
                assert_eq!(there.integer(), Some(1), "{name} {answer}");
            }
            server.command_in(2, &["DEL", &format!("race:{round}:old")]).await;
            for name in names {
                server.command_in(2, &["DEL", &name]).await;
            }
        }
        client.end();
    });
}

/// Writes keys that fit the plan until it is told to stop, and notes their names once they are there.
async fn writing(
    port: u16,
    round: u32,
    stop: Arc<AtomicBool>,
    written: Arc<std::sync::Mutex<Vec<String>>>,
) {
    let mut connection = compartment_testkit::RespConnection::open(port).await.unwrap();
    connection.send(&["AUTH", PASSWORD]).await.unwrap();
    connection.send(&["SELECT", "2"]).await.unwrap();
    for at in 0..2_000 {
        let name = format!("race:{round}:{at}");
        connection.send(&["SET", &name, "new"]).await.unwrap();
        written.lock().unwrap().push(name);
        if stop.load(SeqCst) {
            break;
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn messages_that_are_none_end_nothing() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        fill(&server).await;
        let before = everything(&server).await;
        let mut client = client(folder.path(), &server);
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(2 << 20));
        let lines: [&[u8]; 9] = [
            b"",
            b"nonsense",
            b"\xff\xfe\x00",
            b"[]",
            br#"{"jsonrpc":"1.0"}"#,
            br#"{"jsonrpc":"2.0","id":null,"method":"tools/call"}"#,
            br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"flush_database"}}"#,
            deep.as_bytes(),
            long.as_bytes(),
        ];
        for line in lines {
            client.send(line);
            assert!(client.ask("ping", json!({}))["result"].is_object());
        }
        for method in ["tools/nothing", "resources/subscribe", "", "initialize"] {
            client.ask_oddly(method, json!({"protocolVersion": 5}));
        }
        for params in [json!({}), json!({"name": 5}), json!({"name": "no_such_tool"}), json!([])] {
            assert!(client.ask_oddly("tools/call", params)["error"].is_object());
        }
        for uri in [
            "file:///etc/passwd",
            "compartment://docs/../../etc/passwd",
            "compartment://reports/",
            "compartment://configuration/",
            "",
        ] {
            let answer = client.ask("resources/read", json!({"uri": uri}));
            assert!(answer["error"].is_object(), "{uri} {answer}");
        }
        let answer = client.ask(
            "prompts/get",
            json!({"name": "batch_is_stuck", "arguments": {"batch": "x".repeat(1_000)}}),
        );
        assert!(answer["error"].is_object(), "{answer}");
        assert_eq!(everything(&server).await, before);
        client.end();
    });
}
