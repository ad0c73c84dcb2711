//! Cleaning up: old keys are removed and TTLs shortened, within the contracts.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, eventually, run_test};
use serde_json::Value;

use crate::program::{Run, finish, json, run, start};

const HOUR: u64 = 3_600_000;

/// A folder with a map for the server. Texts of documents live for three days.
fn folder(url: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "preset = \"pipeline\"\n[instances.primary]\nurl = {url:?}\n\
         [keys.text]\ntemplate = \"doc:text:{{id}}\"\ndatabase = \"cache\"\nttl = \"3d\"\n"
    );
    std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
    folder
}

fn index_of(folder: &Path, name: &str) -> u32 {
    let shown = json(&run(folder, &["databases", name, "--json"]));
    let index = shown["databases"][0]["index"].as_u64();
    u32::try_from(index.unwrap()).unwrap()
}

/// A text that was written `age` milliseconds ago.
async fn text(server: &TestRedis, index: u32, name: &str, age: u64) {
    let left = (72 * HOUR - age).to_string();
    server.command_in(index, &["SET", name, "text", "PX", &left]).await;
}

/// A key that nobody has used for `idle` seconds.
async fn unused(server: &TestRedis, index: u32, name: &str, idle: u64, ttl: &str) {
    const RESTORE: &str = "redis.call('SET', KEYS[1], 'page')
        local payload = redis.call('DUMP', KEYS[1])
        redis.call('DEL', KEYS[1])
        return redis.call('RESTORE', KEYS[1], ARGV[1], payload, 'IDLETIME', ARGV[2])";
    let made =
        server.command_in(index, &["EVAL", RESTORE, "1", name, ttl, &idle.to_string()]).await;
    assert!(!made.is_error(), "{made:?}");
}

async fn names(server: &TestRedis, index: u32) -> Vec<String> {
    let mut names = Vec::new();
    for name in ["doc:text:new", "doc:text:old", "page:new", "page:old", "compartment:x"] {
        if server.command_in(index, &["EXISTS", name]).await.text() == "1" {
            names.push(name.to_owned());
        }
    }
    names
}

fn report(run: &Run) -> Value {
    json(run)[0].clone()
}

#[test]
#[ignore = "needs redis-server"]
fn old_keys_go_by_their_templates_ttl_or_their_last_use() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = folder(&server.url());
        let (here, index) = (folder.path(), index_of(folder.path(), "cache"));
        text(&server, index, "doc:text:old", 25 * HOUR).await;
        text(&server, index, "doc:text:new", 23 * HOUR).await;
        unused(&server, index, "page:old", 90_000, "0").await;
        unused(&server, index, "page:new", 80_000, "900000000").await;
        unused(&server, index, "compartment:x", 900_000, "0").await;
        let counted = run(here, &["cleanup", "--older-than", "24h", "--json"]);
        assert_eq!(counted.code, 0, "{}", counted.err);
        let found = report(&counted);
        let figures = |name: &str| found[name].as_u64().unwrap();
        assert_eq!((figures("seen"), figures("own")), (4, 1), "{found:#}");
        assert_eq!((figures("old_by_ttl"), figures("old_by_idle")), (1, 1), "{found:#}");
        assert_eq!(names(&server, index).await.len(), 5, "a dry run removes nothing");

        let arguments = ["cleanup", "--database", "cache", "--older-than", "24h", "--apply"];
        let done = run(here, &[&arguments[..], &["--journal", "gone"]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains("2 keys of 4 removed"), "{}", done.out);
        assert_eq!(names(&server, index).await, ["doc:text:new", "page:new", "compartment:x"]);
        let journal = std::fs::read_to_string(here.join("gone")).unwrap();
        let mut lines: Vec<&str> = journal.lines().skip(1).collect();
        lines.sort_unstable();
        assert!(lines[0].starts_with("doc:text:old\tttl\t900"), "{journal}");
        assert!(lines[1].starts_with("page:old\tidle\t900"), "{journal}");
        // A journal is never written over.
        let again = run(here, &[&arguments[..], &["--journal", "gone"]].concat());
        assert_eq!(again.code, 9, "{}", again.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cleanup_keeps_to_the_contracts_and_to_its_own_keys() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = folder(&server.url());
        let here = folder.path();
        let old = ["--older-than", "1h"];
        for (database, says) in [
            ("batch", "is durable"),
            ("rate_limit", "has locks and limits"),
            ("9", "is not in the map"),
        ] {
            let index = database.parse().unwrap_or_else(|_| index_of(here, database));
            unused(&server, index, "page:old", 90_000, "0").await;
            let arguments = [&["cleanup", "--database", database][..], &old[..]].concat();
            let shown = run(here, &arguments);
            assert_eq!(shown.code, 12, "{database}: {}", shown.out);
            assert!(shown.out.contains(says), "{database}: {}", shown.out);
            let refused = run(here, &[&arguments[..], &["--apply"]].concat());
            assert_eq!(refused.code, 12, "{database}: {}", refused.err);
            assert_eq!(names(&server, index).await, ["page:old"], "{database}");
        }
        // Chosen names may go, but never parts of a batch.
        let batch = index_of(here, "batch");
        server.command_in(batch, &["SET", "{batch:b}:x", "1"]).await;
        let chosen = ["cleanup", "--database", "batch", "--pattern", "*", "--apply", "--json"];
        let done = run(here, &chosen);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(
            (report(&done)["removed"].as_u64(), report(&done)["own"].as_u64()),
            (Some(1), Some(1))
        );
        // A pattern or an age is needed, and a pattern needs a database.
        assert_eq!(run(here, &["cleanup", "--database", "cache"]).code, 2);
        assert_eq!(run(here, &["cleanup", "--pattern", "*"]).code, 2);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_stays_where_nothing_tells_its_age() {
    run_test(async {
        let server = TestRedis::builder().config("maxmemory-policy", "allkeys-lfu").start().await;
        let folder = folder(&server.url());
        let (here, index) = (folder.path(), index_of(folder.path(), "cache"));
        text(&server, index, "doc:text:old", 25 * HOUR).await;
        server.command_in(index, &["SET", "page:old", "1"]).await;
        let done = run(here, &["cleanup", "--older-than", "1h", "--apply", "--json"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let found = report(&done);
        assert_eq!((found["removed"].as_u64(), found["age_unknown"].as_u64()), (Some(1), Some(1)));
        assert_eq!(names(&server, index).await, ["page:old"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_was_used_since_it_was_looked_at_stays() {
    run_test(async {
        const SCRIPT: &str = include_str!("../../../admin/src/lua/remove_old.lua");
        let server = TestRedis::start().await;
        text(&server, 0, "doc:text:old", 25 * HOUR).await;
        unused(&server, 0, "page:old", 90_000, "0").await;
        let remove = async |ttl: &str, idle: &str| {
            let keys = ["doc:text:old", "page:old"];
            let command =
                [&["EVAL", SCRIPT, "2"][..], &keys[..], &["ttl", ttl, "idle", idle][..]].concat();
            let answer = server.command(&command).await;
            format!("{answer:?}")
        };
        // Both are younger than asked for.
        let (ttl, idle) = ((40 * HOUR).to_string(), "100000");
        remove(&ttl, idle).await;
        assert_eq!(names(&server, 0).await, ["doc:text:old", "page:old"]);
        let ttl = (48 * HOUR).to_string();
        remove(&ttl, "90000").await;
        assert!(names(&server, 0).await.is_empty());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn ttls_become_shorter_and_never_longer() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = folder(&server.url());
        let (here, index) = (folder.path(), index_of(folder.path(), "cache"));
        let left = async |name: &str| {
            server.command_in(index, &["PTTL", name]).await.text().parse::<i64>().unwrap()
        };
        let set = async |name: &str, ttl: &str| {
            server.command_in(index, &["SET", name, "x", "PX", ttl]).await;
        };
        set("doc:text:long", "200000000").await;
        set("doc:text:short", "60000").await;
        set("page:long", "200000000").await;
        server.command_in(index, &["SET", "doc:text:none", "x"]).await;
        let base = ["expire", "--template", "text", "--at-most", "1d"];
        let counted = json(&run(here, &[&base[..], &["--json"]].concat()));
        assert_eq!((counted["longer"].as_u64(), counted["without"].as_u64()), (Some(1), Some(1)));
        assert!(left("doc:text:long").await > 190_000_000, "a dry run changes nothing");
        let done = run(here, &[&base[..], &["--apply"]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains("2 TTLs changed to 1d"), "{}", done.out);
        for name in ["doc:text:long", "doc:text:none"] {
            assert!((86_000_000..=86_400_000).contains(&left(name).await), "{name}");
        }
        assert!(left("doc:text:short").await <= 60_000);
        assert!(left("page:long").await > 190_000_000, "another template's key stays as it is");
        // By contract keys of a durable database have no TTL.
        let arguments = ["expire", "--database", "batch", "--pattern", "*", "--at-most", "1d"];
        let refused = run(here, &[&arguments[..], &["--apply"]].concat());
        assert_eq!(refused.code, 12, "{}", refused.err);
        let unknown = run(here, &["expire", "--template", "texts", "--at-most", "1d"]);
        assert_eq!(unknown.code, 4, "{}", unknown.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn limits_are_set_where_the_kinds_allow_them_and_can_be_restored() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let map = |kind: &str| {
            let text = format!(
                "[instances.main]\nurl = {:?}\n[databases.page]\nkind = \"cache\"\nindex = 1\n\
                 instance = \"main\"\ndefault_ttl = \"1d\"\n[databases.other]\nkind = {kind:?}\nindex = 2\n\
                 instance = \"main\"\n",
                server.url()
            );
            std::fs::write(here.join("compartment.toml"), text).unwrap();
        };
        let setting =
            async |name: &str| server.command(&["CONFIG", "GET", name]).await.array()[1].text();
        map("durable");
        let all = ["limit", "--max-memory", "64mb", "--policy", "allkeys-lru"];
        let checked = run(here, &all);
        assert_eq!(checked.code, 12, "{}", checked.err);
        assert!(checked.out.contains("keys of other"), "{}", checked.out);
        let refused = run(here, &[&all[..], &["--apply"]].concat());
        assert_eq!(refused.code, 12, "{}", refused.err);
        assert_eq!(setting("maxmemory-policy").await, "noeviction");

        let volatile = ["limit", "--max-memory", "64mb", "--policy", "volatile-lru"];
        let checked = run(here, &volatile);
        assert_eq!(checked.code, 0, "{}", checked.out);
        assert!(
            checked.out.contains("was no limit, noeviction, would be 64.0 MiB, volatile-lru"),
            "{}",
            checked.out
        );
        assert_eq!(setting("maxmemory").await, "0", "a check changes nothing");
        let done = run(here, &[&volatile[..], &["--apply"]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(setting("maxmemory").await, "67108864");
        assert_eq!(setting("maxmemory-policy").await, "volatile-lru");
        // The printed command restores both.
        let back =
            done.err.lines().find_map(|line| line.split_once("back: compartment ")).unwrap().1;
        let back: Vec<&str> = back.split_whitespace().collect();
        assert_eq!(run(here, &back).code, 0);
        assert_eq!(setting("maxmemory").await, "0");
        assert_eq!(setting("maxmemory-policy").await, "noeviction");

        map("coordination");
        assert_eq!(run(here, &volatile).code, 12, "locks have TTLs");
        let low = ["limit", "--max-memory", "1kb", "--json"];
        let low = json(&run(here, &low));
        assert!(low["refusals"][0].as_str().unwrap().contains("--below-usage"), "{low:#}");
        assert_eq!(run(here, &["limit", "--policy", "lru"]).code, 4);
        assert_eq!(run(here, &["limit", "--instance", "none", "--policy", "noeviction"]).code, 4);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cache_that_other_programs_flood_is_held_below_its_budget() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = {:?}\n\
             [databases.cache]\nkind = \"cache\"\nindex = 2\ndefault_ttl = \"1d\"\nmemory_budget = \"8MiB\"\n",
            server.url()
        );
        std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
        server.command_in(4, &["SET", "of another database", "kept"]).await;
        let mut keeper = start(folder.path(), &["housekeeping"]);
        // Ten times the budget, from a program that knows nothing of it.
        const FLOOD: &str = "for i = 1, 2000 do
            redis.call('SET', 'flood:' .. ARGV[1] .. ':' .. i, string.rep('x', 2000), 'PX', 86400000)
        end";
        for part in 0..20 {
            let part = part.to_string();
            let written = server.command_in(2, &["EVAL", FLOOD, "0", &part]).await;
            assert!(!written.is_error(), "{written:?}");
        }
        // Each key takes a little more than its value.
        eventually("the cache is within its budget", || async {
            let keys = server.command_in(2, &["DBSIZE"]).await.integer().unwrap();
            keys <= (8 << 20) / 2_000
        })
        .await;
        let keys = server.command_in(2, &["DBSIZE"]).await.integer().unwrap();
        assert!(keys > 1_000, "only what is above the budget goes: {keys}");
        assert_eq!(server.command_in(4, &["GET", "of another database"]).await.text(), "kept");
        keeper.kill().unwrap();
        let _ = finish(keeper);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_round_of_housekeeping_removes_old_keys_of_caches() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = folder(&server.url());
        let (here, cache) = (folder.path(), index_of(folder.path(), "cache"));
        let batch = index_of(here, "batch");
        for index in [cache, batch] {
            unused(&server, index, "page:old", 90_000, "0").await;
        }
        let done = run(here, &["housekeeping", "--once", "--older-than", "1h"]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(done.out, "cache: 1 old key removed\n");
        assert!(names(&server, cache).await.is_empty());
        assert_eq!(names(&server, batch).await, ["page:old"]);
    });
}
