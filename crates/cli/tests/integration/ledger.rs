//! The outcome of every document on the command line: tasks, audits, rebuilding a lost database.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};

use crate::program::{self, json, paper, run};

/// A server, a folder with papers, and the arguments that every command gets.
struct Place {
    redis: TestRedis,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new(papers: usize) -> Self {
        let (redis, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("papers")).unwrap();
        for number in 0..papers {
            let file = folder.path().join(format!("papers/{number}.txt"));
            std::fs::write(file, paper(number)).unwrap();
        }
        Self { redis, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> program::Run {
        let url = self.redis.url();
        let mut all = arguments.to_vec();
        all.extend(["--backend", &url]);
        run(self.path(), &all)
    }

    fn done(&self, arguments: &[&str]) -> program::Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}{}", run.out, run.err);
        run
    }

    async fn on_server(&self, command: &[&str]) {
        let mut connection = RespConnection::open(self.redis.port()).await.unwrap();
        connection.send(&["SELECT", "4"]).await.unwrap();
        connection.send(command).await.unwrap();
    }

    /// Submits the papers and processes them to the end.
    fn worked_on(&self) {
        self.done(&["batch", "submit", "papers", "papers"]);
        self.done(&["worker", "--batch", "papers", "--until-finished"]);
    }
}

/// Checks that every line fits 80 columns.
fn fits(run: &program::Run) {
    for line in run.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn every_stage_of_every_document_has_its_row() {
    run_test(async {
        let place = Place::new(6).await;
        place.worked_on();
        assert!(place.path().join("compartment-ledger.sqlite3").exists());
        let stages = json(&place.done(&["batch", "show", "papers", "--json"]));
        let done: u64 = stages["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| stage["done"].as_u64().unwrap())
            .sum();
        let run = place.done(&["tasks", "list", "--batch", "papers", "--json"]);
        let tasks = json(&run)["tasks"].as_array().unwrap().clone();
        assert_eq!(tasks.len() as u64, done);
        for task in &tasks {
            assert_eq!(task["status"], "done", "{task}");
            assert!(task["claim_token"].as_u64().unwrap() > 0);
            assert!(task["completed_ms"].as_u64() >= task["started_ms"].as_u64());
            assert_ne!(task["worker"], "");
        }
        let list = place.done(&["tasks", "list", "--batch", "papers", "--stage", "extract"]);
        assert_eq!(list.out.lines().filter(|line| line.contains("extract")).count(), 6);
        fits(&list);
        let show = place.done(&["tasks", "show", "papers", "3"]);
        assert!(show.out.contains("papers 3 ") && show.out.contains(".txt"), "{}", show.out);
        fits(&show);
        let shown = json(&place.done(&["tasks", "show", "papers", "3", "--json"]));
        assert_eq!(shown["tasks"].as_array().unwrap().len() as u64, done / 6);
        let none = place.run(&["tasks", "show", "papers", "99"]);
        assert_eq!(none.code, 4, "{}", none.err);
        assert!(none.err.contains("number 99"), "{}", none.err);
        let show = place.done(&["batch", "show", "papers"]);
        assert!(show.out.contains("slowest"), "{}", show.out);
        fits(&show);
        let show = json(&place.done(&["batch", "show", "papers", "--json"]));
        assert!(show["slowest"][0]["took_ms"].as_u64() >= show["slowest"][1]["took_ms"].as_u64());
        let none = place.run(&["tasks", "list", "--batch", "nowhere"]);
        assert_eq!(none.code, 4, "{}", none.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_audit_finds_what_was_lost_and_repairs_it() {
    run_test(async {
        let place = Place::new(4).await;
        place.worked_on();
        let run = place.done(&["batch", "audit"]);
        assert!(run.out.contains("agree"), "{}", run.out);
        // The first stage of the second document.
        let stages = json(&place.done(&["batch", "show", "papers", "--json"]));
        let stages = stages["stages"].as_array().unwrap().len();
        place.on_server(&["SETBIT", "{batch:papers}:done", &stages.to_string(), "0"]).await;
        let run = place.run(&["batch", "audit", "papers"]);
        assert_eq!(run.code, 10, "{}{}", run.out, run.err);
        assert!(run.out.contains("a row says done, the batch does not"), "{}", run.out);
        fits(&run);
        let report = json(&place.run(&["batch", "audit", "papers", "--json"]));
        assert_eq!(report[0]["is_clean"], false);
        assert_eq!(report[0]["ledger"][0]["ordinals"], "1");
        let run = place.done(&["batch", "audit", "papers", "--repair"]);
        assert!(run.out.contains("repaired"), "{}", run.out);
        place.done(&["batch", "audit", "papers"]);
        // Without a ledger the batch is compared with itself.
        let run = place.done(&["batch", "audit", "papers", "--ledger", "none"]);
        assert!(run.out.contains("no ledger"), "{}", run.out);
        let report = json(&place.done(&["batch", "audit", "--ledger", "none", "--json"]));
        assert_eq!(report[0]["is_clean"], true);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_flushed_database_is_made_anew() {
    run_test(async {
        let place = Place::new(5).await;
        place.worked_on();
        let before = json(&place.done(&["batch", "show", "papers", "--json"]));
        let run = place.run(&["batch", "rebuild", "papers"]);
        assert_eq!(run.code, 12, "{}", run.err);
        assert!(run.err.contains("exists and was"), "{}", run.err);
        place.on_server(&["FLUSHDB"]).await;
        let run = place.done(&["batch", "rebuild", "--all", "--dry-run"]);
        assert!(run.out.contains("would be rebuilt"), "{}", run.out);
        let run = place.done(&["batch", "rebuild", "--all"]);
        assert!(run.out.contains("batch papers is rebuilt: 5 documents"), "{}", run.out);
        let after = json(&place.done(&["batch", "show", "papers", "--json"]));
        for field in ["status", "total", "done", "dead", "created_ms"] {
            assert_eq!(before[field], after[field], "{field}");
        }
        let outcomes = json(&place.done(&["batch", "rebuild", "--all", "--json"]));
        assert_eq!(outcomes[0]["outcome"], "is_there");
        place.done(&["batch", "audit"]);
        let run = place.run(&["batch", "rebuild", "papers", "--ledger", "none"]);
        assert_eq!(run.code, 4, "{}", run.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_removes_finished_batches_that_are_old() {
    run_test(async {
        let place = Place::new(2).await;
        place.worked_on();
        // Ended long ago, according to the batch.
        place.on_server(&["HSET", "{batch:papers}", "ended", "1000"]).await;
        // The first worker has swept just before.
        place.on_server(&["DEL", "compartment:batches:sweeper"]).await;
        place.done(&["batch", "submit", "more", "papers"]);
        let url = place.redis.url();
        let keep = ["worker", "--backend", &url, "--keep-finished", "1h"];
        let worker = program::start(place.path(), &keep);
        let is_gone = || place.run(&["batch", "show", "papers"]).code != 0;
        until(Duration::from_secs(30), is_gone).await;
        let told = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status();
        assert!(told.unwrap().success());
        program::finish(worker);
        place.done(&["batch", "show", "more"]);
        let outcomes = json(&place.done(&["batch", "rebuild", "--all", "--json"]));
        let papers = outcomes.as_array().unwrap().iter().find(|one| one["batch"] == "papers");
        assert_eq!(papers.unwrap()["outcome"], "was_removed");
    });
}

/// Waits for periodic work of a worker.
async fn until(max: Duration, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + max;
    while !condition() {
        assert!(Instant::now() < give_up, "it did not come about in {max:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
#[ignore = "needs redis-server"]
fn what_was_removed_on_purpose_does_not_come_back() {
    run_test(async {
        let place = Place::new(2).await;
        place.worked_on();
        place.done(&["batch", "remove", "papers"]);
        let outcomes = json(&place.done(&["batch", "rebuild", "--all", "--json"]));
        assert_eq!(outcomes[0]["outcome"], "was_removed");
        place.done(&["batch", "rebuild", "papers"]);
        place.done(&["batch", "show", "papers"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_ledger_that_is_not_there_is_not_made_by_looking() {
    run_test(async {
        let place = Place::new(1).await;
        place.worked_on();
        let elsewhere = ["--ledger", "elsewhere.db"];
        for command in [
            &["batch", "audit"][..],
            &["batch", "rebuild", "papers"],
            &["batch", "remove", "papers"],
        ] {
            let run = place.run(&[command, &elsewhere].concat());
            assert_eq!(run.code, 4, "{}", run.err);
            assert!(run.err.contains("no ledger found at elsewhere.db"), "{}", run.err);
        }
        for command in [&["tasks", "list"][..], &["batch", "show", "papers"]] {
            let run = place.done(&[command, &elsewhere].concat());
            assert!(run.err.contains("no ledger found at elsewhere.db"), "{}", run.err);
        }
        assert!(!place.path().join("elsewhere.db").exists());
        place.done(&["batch", "remove", "papers", "--ledger", "none"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_configuration_says_where_the_ledger_is() {
    run_test(async {
        let place = Place::new(1).await;
        let configuration = |ledger: &str| {
            let text = format!(
                "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[ledger]\n{ledger}\n"
            );
            std::fs::write(place.path().join("compartment.toml"), text).unwrap();
        };
        configuration("url = \"own.db\"");
        place.worked_on();
        assert!(place.path().join("own.db").exists());
        assert!(!place.path().join("compartment-ledger.sqlite3").exists());
        let tasks = json(&place.done(&["tasks", "list", "--json"]));
        assert_eq!(tasks["tasks"][0]["batch"], "papers");
        let shown = place.done(&["config", "show"]);
        assert!(shown.out.contains("[ledger]\nurl = \"sqlite://own.db\""), "{}", shown.out);
        configuration("enabled = false");
        let run = place.done(&["batch", "audit"]);
        assert!(run.out.contains("no ledger"), "{}", run.out);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_single_task_has_its_row_too() {
    run_test(async {
        let place = Place::new(1).await;
        let submit = ["submit", "--stage", "extract", "--file", "papers/0.txt", "--json"];
        let submitted = json(&place.done(&submit));
        let id = submitted["task"].as_u64().unwrap().to_string();
        let url = place.redis.url();
        let worker = program::start(place.path(), &["worker", "--backend", &url]);
        let show = ["tasks", "show", "extract", &id, "--json"];
        eventually("the row is there", async || place.run(&show).code == 0).await;
        let told = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status();
        assert!(told.unwrap().success());
        assert_eq!(program::finish(worker).code, 130);
        let shown = json(&place.done(&show));
        assert_eq!(shown["tasks"][0]["status"], "done", "{shown}");
        assert_eq!(shown["tasks"][0]["task_type"], submitted["queue"]);
        let run = place.done(&["tasks", "list", "--batch", "", "--status", "done"]);
        assert!(run.out.contains(&id), "{}", run.out);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn dead_letters_are_listed_replayed_and_purged() {
    run_test(async {
        let place = Place::new(1).await;
        let none = place.done(&["tasks", "list", "--dead-letters"]);
        assert!(none.out.contains("no matching tasks"), "{}", none.out);
        let databases = {
            let map =
                compartment::DatabaseMap::preset(compartment::Preset::Pipeline, &place.redis.url());
            compartment::open(map.unwrap()).await.unwrap()
        };
        let store = databases.get("batch").unwrap().queue();
        let names = json(&place.done(&[
            "submit",
            "--stage",
            "extract",
            "--file",
            "papers/0.txt",
            "--json",
        ]));
        let queue = names["queue"].as_str().unwrap().to_owned();
        for error in ["malformed: not JSON", "timed_out: 30 s"] {
            let claimed = store
                .claim(
                    &queue,
                    compartment::queue::ClaimOptions::new(1, std::time::Duration::from_secs(9)),
                )
                .await
                .unwrap();
            let claim = claimed[0].claim;
            store.fail(&queue, claim, error, compartment::queue::AfterFailure::Bury).await.unwrap();
            place.done(&["submit", "--stage", "extract", "--file", "papers/0.txt"]);
        }
        let list = place.done(&["tasks", "list", "--dead-letters"]);
        assert!(list.out.contains("timed_out: 30 s") && list.out.contains("malformed"));
        fits(&list);
        let letters = json(&place.done(&["tasks", "list", "--json"]))["dead_letters"].clone();
        let id = letters[0]["task"].as_u64().unwrap().to_string();
        let show = place.done(&["tasks", "show", "extract", &id]);
        assert!(show.out.contains(letters[0]["error"].as_str().unwrap()), "{}", show.out);
        let wrong = place.run(&["tasks", "replay", "--stage", "nothing", "--all"]);
        assert_eq!(wrong.code, 4, "{}", wrong.err);
        let run = place.done(&["tasks", "replay", "--stage", "extract", &id, "--json"]);
        assert_eq!(json(&run)["replayed"], 1);
        let again = place.run(&["tasks", "replay", "--stage", "extract", &id]);
        assert_eq!(again.code, 4, "{}", again.err);
        let run = place.done(&["tasks", "purge", "--error", "timed_out"]);
        assert!(run.out.contains("nothing was changed"), "{}", run.out);
        let run = place.done(&["tasks", "purge", "--error", "timed_out", "--yes"]);
        assert!(
            run.out.contains("1 dead letter were removed") || run.out.contains("1 dead letter")
        );
        let purge = ["tasks", "purge", "--stage", "extract", "--all", "--everything", "--yes"];
        let run = place.done(&[&purge[..], &["--json"]].concat());
        assert_eq!(json(&run)["purged"], 2);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_run_in_one_process_has_rows_where_a_ledger_is_configured() {
    run_test(async {
        let place = Place::new(3).await;
        std::fs::write(place.path().join("papers/bad.pdf"), "%PDF-1.7 nothing else").unwrap();
        assert_eq!(place.run(&["ingest", "papers"]).code, 3);
        let file = place.path().join("compartment-ledger.sqlite3");
        assert!(!file.exists(), "nobody asked for one");
        let url = "sqlite://kept.sqlite3";
        let ingest = ["ingest", "papers", "--ledger", url, "--project", "smith"];
        let run = place.run(&ingest);
        assert_eq!(run.code, 3, "{}", run.err);
        let list = |status: &str| {
            let of = ["--batch", "ingest:smith", "--status", status, "--json"];
            let run = place.done(&[&["tasks", "list", "--ledger", url][..], &of].concat());
            json(&run)["tasks"].as_array().unwrap().clone()
        };
        let (done, dead) = (list("done"), list("dead"));
        assert_eq!(done.len(), 3 * 5, "five stages of three papers: {done:?}");
        assert_eq!((dead.len(), &dead[0]["task_type"]), (1, &"extract".into()), "{dead:?}");
        // A direct run is not a batch that could be rebuilt.
        let rebuilt = place.done(&["batch", "rebuild", "--all", "--ledger", url, "--json"]);
        assert_eq!(json(&rebuilt), serde_json::json!([]));
        let named = place.run(&["batch", "rebuild", "ingest:smith", "--ledger", url]);
        assert_ne!(named.code, 0, "{}", named.out);
        assert!(named.err.contains("start the run again"), "{}", named.err);
    });
}
