//! Entries of a batch that lead elsewhere, and links in the folders that are given.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use compartment::pipeline::{BatchOptions, Patience, Submission, TaskData};
use compartment::queue::QueueStoreExt;
use compartment::{DatabaseMap, Preset};
use compartment_documents::IngestOptions;
use compartment_documents::batch::{DocumentEntry, pipeline};
use compartment_documents::files::Found;
use compartment_testkit::{TestRedis, run_test};

use crate::RunningWorker;
use crate::program::{Run, json, paper, run};

/// `in` with papers and links that lead out, and `out` with a secret.
fn folders(here: &Path) {
    for name in ["in/sub", "in-too", "out"] {
        std::fs::create_dir_all(here.join(name)).unwrap();
    }
    std::fs::write(here.join("in/good.txt"), paper(1)).unwrap();
    std::fs::write(here.join("in/sub/inner.txt"), paper(2)).unwrap();
    std::fs::write(here.join("in-too/near.txt"), paper(3)).unwrap();
    std::fs::write(here.join("out/secret.txt"), paper(4)).unwrap();
    symlink("../out/secret.txt", here.join("in/link.txt")).unwrap();
    symlink("../out", here.join("in/folder")).unwrap();
    symlink("sub/inner.txt", here.join("in/kept.txt")).unwrap();
}

/// The entry of a file under another path, as whoever writes to the batch database can make it.
fn forged(file: &Path, path: &Path) -> String {
    let entry = DocumentEntry::of(&Found::at(file.to_owned())).unwrap();
    serde_json::json!([entry.hash, "name.txt", path]).to_string()
}

/// Entries with whether a worker of the folder `in` may read them.
fn entries(here: &Path) -> Vec<(String, bool)> {
    let at = |name: &str| here.join(name);
    let alone = |name: &str| at(name).to_str().unwrap().to_owned();
    let (good, secret) = (at("in/good.txt"), at("out/secret.txt"));
    vec![
        (forged(&good, &good), true),
        (forged(&at("in/sub/inner.txt"), &at("in/kept.txt")), true),
        (alone("in/sub/inner.txt"), true),
        (forged(&secret, &secret), false),
        (forged(&secret, &at("in/link.txt")), false),
        (forged(&secret, &at("in/folder/secret.txt")), false),
        (forged(&secret, &at("in/../out/secret.txt")), false),
        (forged(&at("in-too/near.txt"), &at("in-too/near.txt")), false),
        (alone("out/secret.txt"), false),
        (alone("in/link.txt"), false),
        (alone("in/../out/secret.txt"), false),
        ("/etc/passwd".to_owned(), false),
        ("/proc/self/environ".to_owned(), false),
    ]
}

async fn submit(url: &str, name: &str, entries: &[String]) {
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, url).unwrap()).await;
    let databases = databases.unwrap();
    let pipeline = pipeline(&databases, &IngestOptions::default()).unwrap();
    let batch = databases.get("batch").unwrap();
    let patience = Patience::waiting(Duration::from_secs(10));
    let options = BatchOptions::default();
    let begun = Submission::begin(batch, name, &pipeline, &options, patience).await;
    let mut submission = begun.unwrap();
    for entry in entries {
        submission.push(entry.clone()).await.unwrap();
    }
    submission.seal().await.unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_reads_only_below_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    folders(&here);
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        let at = |arguments: &[&str]| -> Run {
            run(&here, &[arguments, &["--backend", &url, "--json"]].concat())
        };
        let all = entries(&here);
        let texts: Vec<String> = all.iter().map(|(entry, _)| entry.clone()).collect();
        submit(&url, "b", &texts).await;
        let worked = at(&["worker", "--documents", "in", "--batch", "b", "--until-finished"]);
        assert_eq!(worked.code, 3, "{worked:?}");
        assert!(worked.err.contains("reads documents below"), "{worked:?}");
        let batch = json(&at(&["batch", "show", "b"]));
        let good = all.iter().filter(|(_, is_read)| *is_read).count();
        let dead = all.len() - good;
        assert_eq!((&batch["done"], &batch["dead"]), (&good.into(), &dead.into()), "{batch:#}");
        let failures = batch["failures"].as_array().unwrap();
        assert!(failures.iter().all(|group| group["code"] == "outside"), "{batch:#}");

        // Without folders an entry needs the hash of the content, which a path alone lacks.
        submit(&url, "c", &texts).await;
        let worked = at(&["worker", "--batch", "c", "--until-finished"]);
        assert_eq!(worked.code, 3, "{worked:?}");
        let batch = json(&at(&["batch", "show", "c"]));
        let alone = texts.iter().filter(|entry| entry.starts_with('/')).count();
        assert_eq!(batch["dead"], alone, "{batch:#}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_single_task_and_the_configuration_are_bound_to_the_folders_too() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    folders(&here);
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"{url}\"\n\
             [worker]\nmax_attempts = 1\ndocuments = [\"{}\"]\n",
            here.join("in").display()
        );
        std::fs::write(here.join("named.toml"), text).unwrap();
        let map = DatabaseMap::preset(Preset::Pipeline, &url).unwrap();
        let databases = compartment::open(map).await.unwrap();
        let pipeline = pipeline(&databases, &IngestOptions::default()).unwrap();
        let secret = here.join("out/secret.txt");
        for entry in [secret.to_str().unwrap().to_owned(), forged(&secret, &secret)] {
            let (queue, task) = pipeline.task(&TaskData::new("extract", entry)).unwrap();
            let store = databases.get("batch").unwrap();
            store.queue().submit_one(&queue, task).await.unwrap();
        }
        let worker = RunningWorker::start(&here, &["worker", "--config", "named.toml"]);
        let listed = || {
            let list = ["tasks", "list", "--dead-letters", "--config", "named.toml", "--json"];
            json(&run(&here, &list))["dead_letters"].as_array().cloned().unwrap_or_default()
        };
        compartment_testkit::eventually("both tasks are dead", || async { listed().len() == 2 })
            .await;
        for letter in listed() {
            assert!(letter.to_string().contains("outside"), "{letter:#}");
        }
        assert_eq!(worker.stop(), 130);
    });
}

#[test]
fn links_that_lead_out_of_the_given_paths_are_failures() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    folders(&here);
    let done = run(&here, &["ingest", "in", "--json"]);
    assert_eq!(done.code, 3, "{done:?}");
    let report = json(&done);
    let failures = report["failures"].as_array().unwrap();
    let failed: Vec<_> = failures
        .iter()
        .map(|one| (one["document"].as_str().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    assert_eq!(failed, [("folder", "outside"), ("link.txt", "outside")]);
    assert_eq!(report["documents"]["done"], 2, "{report:#}");
    let followed = run(&here, &["ingest", "in", "--follow-links", "--json"]);
    assert_eq!((followed.code, &json(&followed)["documents"]["done"]), (0, &3.into()));
    // A link that is given by its name is what the user means.
    let given = run(&here, &["ingest", "in/link.txt", "--json"]);
    assert_eq!((given.code, &json(&given)["documents"]["done"]), (0, &1.into()), "{given:?}");
}
