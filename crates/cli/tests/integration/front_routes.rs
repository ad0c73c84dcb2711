//! `compartment front --explain`, and the routes that `compartment plan --front` writes.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_testkit::{TestRedis, run_test};

use crate::program::{json, run};

const FILE: &str = r#"
[instances.primary]
url = "redis://127.0.0.1:6379"
[databases]
main = { index = 0, kind = "durable" }
pages = { index = 1, kind = "cache", default_ttl = "1d" }
queues = { index = 2, kind = "durable" }
[front]
default = "main"
[[front.route]]
to = "queues"
programs = ["celery-broker"]
together = ["bull:{*}*"]
[[front.route]]
to = "pages"
keys = ["page:*"]
users = ["web*"]
[[front.route]]
name = "second"
to = "pages"
select = [1]
keys = ["x:*"]
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
    folder
}

#[test]
fn a_key_is_explained_without_a_server() {
    let folder = folder(FILE);
    let explain = |words: &[&str]| run(folder.path(), &[&["front", "--explain"], words].concat());
    let page = explain(&["page:1", "--user", "web1"]);
    assert_eq!(page.code, 0, "{page:?}");
    assert!(
        page.out.starts_with("page:1 lives in pages: index 1 of primary, cache, default TTL 1 d\n"),
        "{page:?}"
    );
    assert!(page.out.contains("for a program logged in as web1"), "{page:?}");
    let bytes = json(&explain(&["celery\\x06\\x163", "--json"]));
    assert_eq!((&bytes["key"], &bytes["by"]), (&"celery\\x06\\x163".into(), &"program".into()));
    assert_eq!(
        (&bytes["route"], &bytes["place"]["database"]),
        (&"queues".into(), &"queues".into())
    );
    let refused = explain(&["page:1", "--select", "1"]);
    assert_eq!(refused.code, 10, "{refused:?}");
    assert!(refused.out.contains("page:1 is refused"), "{refused:?}");
    let elsewhere = explain(&["page:1", "--select", "2"]);
    assert!(
        elsewhere.code == 10 && elsewhere.out.contains("may not select index 2"),
        "{elsewhere:?}"
    );
}

#[test]
fn a_program_that_is_not_known_names_those_that_are() {
    let folder = folder(&FILE.replace("celery-broker", "celry"));
    let run = run(folder.path(), &["front", "--explain", "a"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.err.contains("no program \"celry\" is known"), "{run:?}");
    assert!(run.err.contains("celery, celery-broker, celery-results"), "{run:?}");
}

#[test]
fn the_page_of_the_front_has_every_known_program() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/front.md"));
    let page = page.unwrap();
    for name in compartment_admin::program_names() {
        assert!(page.contains(&format!("`{name}`")), "docs/front.md lacks {name}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_writes_a_configuration_that_explains_its_keys() {
    run_test(async {
        let server = TestRedis::start().await;
        for n in 1..=40 {
            let page = format!(":1:views.decorators.cache.cache_page.{n}");
            server.command(&["SET", &page, "x", "EX", "500"]).await;
            server.command(&["HSET", &format!("bull:mail:{n}"), "name", "send"]).await;
        }
        server.command(&["HSET", "bull:mail:meta", "opts.maxLenEvents", "1"]).await;
        server.command(&["RPUSH", "bull:mail:wait", "1"]).await;
        let databases = "[databases]\nbroker = { index = 1, kind = \"durable\" }\n\
                         cache = { index = 2, kind = \"cache\", default_ttl = \"1d\" }\n";
        let url = server.url();
        let folder = folder(&format!("[instances.primary]\nurl = {url:?}\n{databases}"));
        let at = |words: &[&str]| run(folder.path(), words);
        let plan = at(&["plan", "--front", "front.toml"]);
        assert_eq!(plan.code, 0, "{plan:?}");
        assert!(
            plan.out.contains("compartment front --config front.toml --explain KEY"),
            "{plan:?}"
        );
        assert!(plan.out.contains("FLUSHDB empties cache and nothing else"), "{plan:?}");
        let database = |key: &str| {
            let run = at(&["front", "--config", "front.toml", "--explain", key, "--json"]);
            json(&run)["place"].clone()
        };
        assert_eq!(database("bull:other:meta")["database"], "broker");
        assert_eq!(database("bull:other:meta")["previous_index"], 0);
        assert_eq!(database(":1:x")["database"], "cache");
        assert_eq!(
            (&database("own")["database"], &database("own")["index"]),
            (&"main".into(), &0.into())
        );
        let again = at(&["plan", "-o", "other.toml", "--front", "front.toml"]);
        assert_eq!(again.code, 9, "{again:?}");
        assert!(again.err.contains("--force replaces it, --front names another file"), "{again:?}");
        assert!(!folder.path().join("other.toml").exists());
        let same = at(&["plan", "-o", "one.toml", "--front", "one.toml"]);
        assert_eq!(same.code, 2, "{same:?}");
    });
}
