//! A target within the source, by a prefix in the same index: no key is moved twice.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, run};

const KEYS: i64 = 3_000;

async fn filled(folder: &std::path::Path) -> TestRedis {
    let server = TestRedis::start().await;
    const FILL: &str = "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'page:' .. i, i) end";
    server.command(&["EVAL", FILL, "0", &KEYS.to_string()]).await;
    let text = format!(
        "[instances.primary]\nurl = \"{}\"\n[databases]\n\
         app = {{ index = 0, prefix = \"app:\", kind = \"durable\" }}\n",
        server.url()
    );
    std::fs::write(folder.join("compartment.toml"), text).unwrap();
    server
}

async fn named(server: &TestRedis, pattern: &str) -> usize {
    server.command(&["KEYS", pattern]).await.array().len()
}

fn succeeds(folder: &std::path::Path, words: &[&str]) -> Run {
    let run = run(folder, words);
    assert_eq!(run.code, 0, "{words:?}: {run:?}");
    run
}

#[test]
#[ignore = "needs redis-server"]
fn keys_go_behind_a_prefix_of_their_own_index_once() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let server = filled(here).await;
        let moving = ["migrate", "--from", "0", "--to", "app", "--journal", "j"];
        succeeds(here, &moving);
        assert_eq!((named(&server, "app:page:*").await, named(&server, "*").await), (3_000, 3_000));
        // A second run has nothing to do.
        let again = ["migrate", "--from", "0", "--to", "app", "--journal", "k"];
        succeeds(here, &again);
        assert_eq!(named(&server, "app:page:*").await, 3_000);
        succeeds(here, &["verify", "--from", "0", "--to", "app"]);
        succeeds(here, &["migrate", "--undo", "j"]);
        assert_eq!((named(&server, "page:*").await, named(&server, "*").await), (3_000, 3_000));
        succeeds(here, &["migrate", "--from", "0", "--to", "app", "--keep", "--journal", "l"]);
        succeeds(here, &["verify", "--from", "0", "--to", "app"]);
        assert_eq!(named(&server, "*").await, 6_000);
    });
}
