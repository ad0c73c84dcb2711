//! Records that others forged in the batch database: a worker leaves them out and does its work.

use compartment_testkit::{TestRedis, run_test};

use crate::RunningWorker;
use crate::program::{json, paper, run};

/// The index of batches in the preset.
const BATCH: u32 = 4;

#[test]
#[ignore = "needs redis-server"]
fn forged_batches_and_tasks_keep_nobody_from_working() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("papers")).unwrap();
    for number in 0..3 {
        let name = format!("papers/{number}.txt");
        std::fs::write(folder.path().join(name), paper(number)).unwrap();
    }
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        let here = |arguments: &[&str]| {
            run(folder.path(), &[arguments, &["--backend", &url, "--json"]].concat())
        };
        assert_eq!(here(&["batch", "submit", "good", "papers"]).code, 0);
        let record = |name: &str| {
            serde_json::json!({
                "name": name, "pipeline": "legal", "versions": {}, "class": "high", "created_at": 1,
            })
            .to_string()
        };
        let long = "n".repeat(300);
        for (field, value) in [
            ("text", record("text")),
            ("plan", record("plan")),
            ("names", record("names")),
            ("other", record("good")),
            ("broken", "{".repeat(100_000)),
            (&long, record(&long)),
            ("a\u{1b}]0;title\u{7}", record("a\u{1b}]0;title\u{7}")),
        ] {
            server.command_in(BATCH, &["HSET", "compartment:batches", field, &value]).await;
        }
        // Another type, no plan, and a plan whose stage has no name of a stage.
        server.command_in(BATCH, &["SET", "{batch:text}", "x"]).await;
        let fields = ["status", "open", "born", "1", "total", "1", "plan"];
        let named = r#"{"stages":[{"name":"\u001b[2J","after":[]}],"max_attempts":3}"#;
        for (key, plan) in [("{batch:plan}", "{"), ("{batch:names}", named)] {
            let command = [&["HSET", key][..], &fields, &[plan]].concat();
            server.command_in(BATCH, &command).await;
        }
        // A batch like any other, but for the keys that are claimed from.
        assert_eq!(here(&["batch", "submit", "claims", "papers", "--class", "high"]).code, 0);
        let keys = server.command_in(BATCH, &["KEYS", "{batch:claims}:*"]).await;
        for key in keys.text().lines() {
            server.command_in(BATCH, &["DEL", key]).await;
            server.command_in(BATCH, &["SET", key, "x"]).await;
        }
        server.command_in(BATCH, &["SET", "{queue:legal.resolve}:meta", "x"]).await;
        let worked = here(&["worker", "--batch", "good", "--until-finished"]);
        assert_eq!(worked.code, 0, "{worked:?}");

        assert_eq!(here(&["batch", "submit", "second", "papers"]).code, 0);
        // A worker of all batches sees the forged ones too.
        let worker = RunningWorker::start(folder.path(), &["worker", "--backend", &url]);
        let is_done = || async {
            let shown = here(&["batch", "show", "second"]);
            shown.code == 0 && json(&shown)["done"] == 3
        };
        compartment_testkit::eventually("the second batch is done", is_done).await;
        assert_eq!(worker.stop(), 130);
        let listed = here(&["batch", "list"]);
        let names: Vec<String> = json(&listed)
            .as_array()
            .into_iter()
            .flatten()
            .map(|batch| batch["name"].as_str().unwrap().to_owned())
            .collect();
        for forged in ["other", "broken", long.as_str()] {
            assert!(!names.contains(&forged.to_owned()), "{names:?}");
        }
        assert!(names.contains(&"good".to_owned()), "{listed:?}");
    });
}
