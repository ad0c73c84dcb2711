//! `compartment cache` and `compartment warm` on a server filled by `ingest`, and the setting that turns caching off.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{Run, command, json, paper, run};

/// A folder of papers, and a server with their results.
struct Filled {
    folder: tempfile::TempDir,
    server: TestRedis,
    url: String,
}

impl Filled {
    async fn new(papers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), papers);
        let server = TestRedis::start().await;
        let filled = Self { folder, url: server.url(), server };
        assert_eq!(filled.run(&["ingest", "papers", "--json"]).code, 0);
        filled
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let all: Vec<&str> = arguments.iter().copied().chain(["--backend", &self.url]).collect();
        run(self.folder.path(), &all)
    }

    async fn keys(&self, index: u32) -> i64 {
        self.server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
    }
}

fn write(folder: &Path, papers: usize) {
    std::fs::create_dir_all(folder.join("papers")).unwrap();
    for number in 0..papers {
        std::fs::write(folder.join(format!("papers/{number:04}.txt")), paper(number)).unwrap();
    }
}

/// The output without parts that differ between runs.
fn lasting(text: &str) -> String {
    let mut lasting = String::new();
    for line in text.lines().map(str::trim_end) {
        let line = match line.rsplit_once("  ") {
            // The time of a load depends on the machine.
            Some((before, time)) if [" ms", " µs", " s"].iter().any(|end| time.ends_with(end)) => {
                before
            }
            _ => line,
        };
        let line = match line.split_once(" keys, ") {
            Some((before, _)) => before,
            None => line,
        };
        lasting += line.trim_end();
        lasting.push('\n');
    }
    lasting
}

#[test]
fn help() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("help_cache", run(folder.path(), &["cache", "--help"]).out);
    insta::assert_snapshot!("help_warm", run(folder.path(), &["warm", "--help"]).out);
    let refused = run(folder.path(), &["cache", "invalidate"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
}

#[test]
#[ignore = "needs redis-server"]
fn the_figures_of_several_processes_are_shown_together() {
    run_test(async {
        let filled = Filled::new(4).await;
        let again = json(&filled.run(&["ingest", "papers", "--json"]));
        assert_eq!(again["answered_from_cache"], 1.0);
        assert_eq!(again["cache"]["second_tier_hits"], 16, "{:#}", again["cache"]);
        let stats = filled.run(&["cache"]);
        assert_eq!(stats.code, 0, "{}", stats.err);
        assert!(stats.out.lines().all(|line| line.chars().count() <= 80), "{}", stats.out);
        insta::assert_snapshot!("cache", lasting(&stats.out));
        let all = json(&filled.run(&["cache", "stats", "--json", "--window", "1h"]));
        let relations = &all["templates"]["doc_relationships"];
        assert_eq!((&relations["loads"], &relations["second_tier_hits"]), (&4.into(), &4.into()));
        assert!(all["hit_rate"].as_f64().unwrap() > 0.3, "{all:#}");
        let text = filled.run(&["cache", "stats", "--prometheus"]).out;
        let line = "compartment_cache_loads_total{database=\"cache\",template=\"doc_chunks\"} 4";
        assert!(text.contains(line), "{text}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_lost_is_warmed_newest_first_and_from_its_files() {
    run_test(async {
        let filled = Filled::new(6).await;
        let warm = |arguments: &[&str]| {
            let all: Vec<&str> = ["warm", "--json"].iter().chain(arguments).copied().collect();
            json(&filled.run(&all))
        };
        let whole = warm(&[]);
        assert_eq!((&whole["documents"], &whole["found"]), (&6.into(), &6.into()), "{whole:#}");
        assert!(whole["first_tier_entries"].as_u64().unwrap() >= 36, "{whole:#}");
        filled.server.command_in(2, &["FLUSHDB"]).await;
        let read = warm(&["--no-load", "--limit", "4"]);
        assert_eq!((&read["documents"], &read["missing"]), (&4.into(), &4.into()), "{read:#}");
        // One paper has changed, so its former results cannot be computed.
        std::fs::write(filled.folder.path().join("papers/0002.txt"), "Another paper.").unwrap();
        let made = warm(&[]);
        assert_eq!((&made["made"], &made["missing"]), (&5.into(), &1.into()), "{made:#}");
        let again = json(&filled.run(&["ingest", "papers", "--json"]));
        assert_eq!(again["stages"]["extract"]["computed"], 1, "the new paper: {again:#}");
        assert_eq!(warm(&["--hours", "0"])["documents"], 0);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn documents_are_invalidated_and_marked_by_their_files() {
    run_test(async {
        let filled = Filled::new(3).await;
        let dry =
            filled.run(&["cache", "invalidate", "--document", "papers/0001.txt", "--dry-run"]);
        assert!(
            dry.out.starts_with("would be invalidated: document papers/0001.txt ("),
            "{}",
            dry.out
        );
        let computed = || {
            let report = json(&filled.run(&["ingest", "papers", "--json"]));
            report["stages"]["extract"]["computed"].as_u64().unwrap()
        };
        assert_eq!(computed(), 0);
        let done = filled.run(&["cache", "invalidate", "--document", "papers/0001.txt"]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(computed(), 1);
        let counted = filled.run(&["cache", "invalidate", "--pattern", "doc:chunks:*"]);
        assert_eq!(counted.out, "\"doc:chunks:*\" matches 3 keys; add --yes to remove\n");
        let before = filled.keys(2).await;
        filled.run(&["cache", "invalidate", "--pattern", "doc:chunks:*", "--yes"]);
        assert_eq!(filled.keys(2).await, before - 3);
        // Results of a marked document are not cached until the mark is removed.
        let marked = json(&filled.run(&["cache", "mark", "papers/0000.txt", "--json"]));
        assert_eq!(marked["marked"].as_array().unwrap().len(), 1);
        assert_eq!((computed(), computed()), (1, 1));
        let stats = filled.run(&["cache"]).out;
        assert!(stats.contains("not cached (marked): "), "{stats}");
        let report = json(&filled.run(&["cache", "stats", "--json"]));
        assert!(report["templates"]["doc_ocr_result"]["refused_no_cache"].as_u64() >= Some(2));
        filled.run(&["cache", "mark", "--remove", "papers/0000.txt"]);
        assert_eq!((computed(), computed()), (1, 0));
        filled.run(&["cache", "invalidate", "--all"]);
        assert_eq!(computed(), 3);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn caching_is_switched_off_by_flag_file_and_environment_with_the_same_result() {
    run_test(async {
        let filled = Filled::new(3).await;
        let keys = filled.keys(2).await;
        let cached = json(&filled.run(&["ingest", "papers", "--json"]));
        assert_eq!(cached["stages"]["entities"]["cached"], 3);
        let off = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"{}\"\n[cache]\nenabled = false\n",
            filled.url
        );
        std::fs::write(filled.folder.path().join("off.toml"), off).unwrap();
        let by_environment = command(
            filled.folder.path(),
            &["ingest", "papers", "--json", "--backend", &filled.url],
        )
        .env("CACHE_ENABLED", "false")
        .output()
        .unwrap();
        let by_environment = serde_json::from_slice(&by_environment.stdout).unwrap();
        let reports = [
            json(&filled.run(&["ingest", "papers", "--json", "--no-cache"])),
            json(&run(
                filled.folder.path(),
                &["ingest", "papers", "--json", "--config", "off.toml"],
            )),
            by_environment,
        ];
        for report in reports {
            assert_eq!(report["stages"]["entities"]["computed"], 3);
            assert_eq!(report["cache"]["sets"], 0);
            for what in ["entities", "relationships", "foremost"] {
                assert_eq!(report[what], cached[what], "{what}");
            }
        }
        assert_eq!(filled.keys(2).await, keys);
    });
}
