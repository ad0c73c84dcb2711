//! Analyzes an overloaded database, plans its separation, and flushes it.

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, json, run};

/// A database 0 shared by Celery, Django and another application.
const SEED: &str = r#"
local function uuid(n) return string.format('%08x-98ab-4c5d-8e6f-%012x', n, n * 7919) end
local body = '{"body": "W10=", "headers": {"lang": "py"}, "properties": {}}'
redis.call('SADD', '_kombu.binding.celery', 'celery\6\22\6\22celery')
redis.call('SADD', '_kombu.binding.mail', 'mail\6\22\6\22mail')
for n = 1, 40 do
  redis.call('LPUSH', 'celery', body)
  redis.call('SET', 'celery-task-meta-' .. uuid(n), body, 'EX', 86000)
end
redis.call('HSET', 'unacked', 'tag', body)
redis.call('ZADD', 'unacked_index', 1763725800, 'tag')
for n = 1, 300 do redis.call('SET', ':1:product:' .. n, string.rep('p', 200), 'EX', 250) end
for n = 1, 20 do
  redis.call('SET', ':1:django.contrib.sessions.cache' .. uuid(n), 'session', 'EX', 1209600)
  redis.call('SET', 'doc:' .. uuid(n) .. ':text', string.rep('t', 1000 + n))
end
return redis.call('DBSIZE')"#;

async fn overloaded() -> TestRedis {
    let server = TestRedis::start().await;
    assert_eq!(server.command(&["EVAL", SEED, "0"]).await.integer(), Some(385));
    server
}

/// Runs a command on a server, in a folder.
fn at(server: &TestRedis, folder: &tempfile::TempDir, words: &[&str]) -> Run {
    let url = server.url();
    run(folder.path(), &[words, &["--backend", &url]].concat())
}

/// The text without parts that differ between runs or server versions: port, version, encodings, and digits of sizes.
fn stable(server: &TestRedis, text: &str) -> String {
    let text = text.replace(&server.port().to_string(), "PORT");
    let mut out = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("encodings ")) {
        let mut line = line.trim_end().to_owned();
        if let (Some(start), Some(end)) = (line.find(" (redis "), line.rfind(',')) {
            line.replace_range(start..end, " (redis VERSION");
        }
        for unit in [" KiB", " MiB", " B"] {
            let ends: Vec<usize> = line.match_indices(unit).map(|(at, _)| at).collect();
            for end in ends {
                let start = line[..end].rfind(' ').map_or(0, |at| at + 1);
                let masked = line[start..end].replace(|c: char| c.is_ascii_digit(), "#");
                line.replace_range(start..end, &masked);
            }
        }
        out.push(line);
    }
    out.join("\n")
}

#[test]
fn help_says_what_each_does() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["analyze", "plan", "flush"] {
        let help = run(folder.path(), &[command, "--help"]).out;
        insta::assert_snapshot!(format!("help_{command}"), help);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn an_analysis_reads_well_and_its_json_has_all() {
    run_test(async {
        let (server, folder) = (overloaded().await, tempfile::tempdir().unwrap());
        let shown = at(&server, &folder, &["analyze", "--top", "3"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.out.lines().all(|line| line.chars().count() <= 80), "{}", shown.out);
        insta::assert_snapshot!("analyze", stable(&server, &shown.out));
        let listed = json(&at(&server, &folder, &["analyze", "--database", "0", "--json"]));
        let database = &listed["databases"][0];
        assert_eq!(database["keys"], 385);
        assert_eq!(database["groups"].as_array().unwrap().len(), 5);
        let exact = json(&at(&server, &folder, &["analyze", "--exact", "--json"]));
        assert_eq!(exact["databases"][0]["memory"]["plus_minus"], 0);
        server.command(&["SAVE"]).await;
        let dump = server.folder().join("dump.rdb");
        let dump = dump.to_str().unwrap();
        let shown = run(folder.path(), &["analyze", "--rdb", dump]);
        assert!(shown.code == 0 && shown.out.contains("django-cache"), "{shown:?}");
        let empty = TestRedis::start().await;
        assert_eq!(at(&empty, &folder, &["analyze"]).out, "no keys\n");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_is_written_once_and_executed_as_it_says() {
    run_test(async {
        let (server, folder) = (overloaded().await, tempfile::tempdir().unwrap());
        server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
        let planned = at(&server, &folder, &["plan"]);
        assert_eq!(planned.code, 0, "{planned:?}");
        assert!(planned.out.lines().all(|line| line.chars().count() <= 80), "{}", planned.out);
        insta::assert_snapshot!("plan", stable(&server, &planned.out));
        let file = std::fs::read_to_string(folder.path().join("plan.toml")).unwrap();
        let is_stable = |line: &&str| !line.starts_with("made = ") && !line.starts_with("bytes = ");
        let lines: Vec<&str> = file.lines().filter(is_stable).collect();
        insta::assert_snapshot!("plan_file", stable(&server, &lines.join("\n")));
        assert_eq!(at(&server, &folder, &["plan"]).code, 9);
        let moved = at(&server, &folder, &["migrate", "--plan", "plan.toml"]);
        assert_eq!(moved.code, 0, "{moved:?}");
        let size = async |index| server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
        assert_eq!((size(0).await, size(1).await, size(2).await), (45, 40, 300));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_is_executed_group_by_group_while_the_programs_change_over() {
    run_test(async {
        let (server, folder) = (overloaded().await, tempfile::tempdir().unwrap());
        let file = format!(
            "[instances.primary]\nurl = \"{}\"\n[databases]\n\
             results = {{ index = 1, kind = \"durable\" }}\n\
             broker = {{ index = 4, kind = \"durable\" }}\n",
            server.url()
        );
        std::fs::write(folder.path().join("compartment.toml"), file).unwrap();
        assert_eq!(run(folder.path(), &["plan"]).code, 0);
        // A program writes to the target before its keys move, so that a key exists there.
        let mut connection = server.connect().await;
        connection.send(&["SELECT", "1"]).await.unwrap();
        let name = "celery-task-meta-00000001-98ab-4c5d-8e6f-000000001eef";
        connection.send(&["SET", name, "newer"]).await.unwrap();
        drop(connection);
        let moved = run(folder.path(), &["migrate", "--plan", "plan.toml"]);
        assert_eq!(moved.code, 11, "{moved:?}");
        assert!(moved.out.contains("result_backend") && !moved.out.contains("broker_url"));
        let drained = ["migrate", "--plan", "plan.toml", "--group", "celery-broker", "--drained"];
        let moved = run(folder.path(), &[&drained[..], &["celery-broker"]].concat());
        assert_eq!(moved.code, 0, "{moved:?}");
        assert!(moved.out.contains("broker_url") && moved.out.contains("plan-2.journal"));
        let size = async |index| server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
        assert_eq!((size(1).await, size(4).await), (40, 5));
        // Both can be undone, the last one first.
        for (journal, code) in [("plan-2.journal", 0), ("plan.journal", 0)] {
            let back = run(folder.path(), &["migrate", "--undo", journal]);
            assert_eq!(back.code, code, "{back:?}");
        }
        assert_eq!((size(0).await, size(1).await, size(4).await), (385, 1, 0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_flush_shows_then_does_and_refuses_with_its_code() {
    run_test(async {
        let (server, folder) = (overloaded().await, tempfile::tempdir().unwrap());
        let script = "for n = 1, 50 do redis.call('SET', 'page:' .. n, n) end";
        let mut connection = server.connect().await;
        connection.send(&["SELECT", "2"]).await.unwrap();
        connection.send(&["EVAL", script, "0"]).await.unwrap();
        drop(connection);
        let size = async |index| server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
        let shown = at(&server, &folder, &["flush", "--database", "cache"]);
        assert_eq!((shown.code, size(2).await), (0, 50), "{shown:?}");
        assert!(shown.out.contains("page:{int}"), "{}", shown.out);
        let flush = ["flush", "--database", "cache", "--pattern", "page:1*", "--yes"];
        let some = at(&server, &folder, &flush);
        assert_eq!((some.code, size(2).await), (0, 39), "{some:?}");
        let all = at(&server, &folder, &["flush", "--database", "cache", "--yes", "--json"]);
        assert_eq!((json(&all)["removed"].as_u64(), size(2).await), (Some(39), 0));
        let refused = at(&server, &folder, &["flush", "--database", "broker", "--yes"]);
        assert_eq!((refused.code, size(0).await), (12, 385), "{refused:?}");
        assert!(refused.err.contains("--yes-really \"broker\""), "{}", refused.err);
        let meant = ["flush", "--database", "broker", "--yes-really", "broker", "--dry-run"];
        assert_eq!((at(&server, &folder, &meant).code, size(0).await), (0, 385));
        assert_eq!((at(&server, &folder, &meant[..5]).code, size(0).await), (0, 0));
    });
}
