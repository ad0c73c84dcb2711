//! Checks that `docs/keys.md` lists every key that the program writes.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;

use compartment::backend::glob_matches;
use compartment_testkit::{Reply, TestRedis, run_test};

use crate::program::{paper, run};

/// The databases of the preset, by index.
const DATABASES: [&str; 6] = ["broker", "results", "cache", "rate_limit", "batch", "metrics"];

/// The rows of the page: database and pattern.
fn listed() -> BTreeSet<(String, String)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/keys.md");
    let page = std::fs::read_to_string(page).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (database, key) = (cells.next()?, cells.next()?);
        Some((database.to_owned(), key.strip_prefix('`')?.strip_suffix('`')?.to_owned()))
    };
    page.lines().filter_map(row).collect()
}

#[test]
#[ignore = "needs redis-server"]
fn every_key_on_the_server_is_listed() {
    run_test(async {
        let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("papers")).unwrap();
        for number in 0..3 {
            let file = folder.path().join(format!("papers/{number}.txt"));
            std::fs::write(file, paper(number)).unwrap();
        }
        let url = server.url();
        for arguments in [
            &["ingest", "papers"][..],
            &["ingest", "papers"],
            &["batch", "submit", "papers", "papers"],
            &["submit", "--stage", "extract", "--file", "papers/0.txt"],
            &["worker", "--batch", "papers", "--until-finished"],
            &["batch", "audit"],
            &["warm"],
        ] {
            let run = run(folder.path(), &[arguments, &["--backend", &url]].concat());
            assert_eq!(run.code, 0, "{arguments:?}\n{}{}", run.out, run.err);
        }
        let listed = listed();
        let mut found = 0;
        for (index, database) in (0..).zip(DATABASES) {
            let keys = server.command_in(index, &["KEYS", "*"]).await;
            for key in keys.array().iter().map(Reply::text) {
                let is_listed = listed.iter().any(|(of, pattern)| {
                    of == database && glob_matches(pattern.as_bytes(), key.as_bytes())
                });
                assert!(is_listed, "{key:?} of database {database:?} is not in docs/keys.md");
                found += 1;
            }
        }
        assert!(found > 20, "only {found} keys");
    });
}
