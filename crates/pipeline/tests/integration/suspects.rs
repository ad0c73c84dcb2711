//! Real workers that are ended by one document of a claim: only that document is dead.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    BatchProgress, ClaimOptions, DatabaseMap, Databases, Preset, QueueStoreExt,
};
use compartment_pipeline::{Pipeline, StageOptions, TaskData, Worker};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;

use crate::stages::{engine, failures, made, options, patience, progress, submit};

const SERVER: &str = "COMPARTMENT_TEST_SUSPECTS";
const LEASE: Duration = Duration::from_millis(300);
const DOCUMENTS: usize = 200;
/// In the middle of what is claimed, and more than one.
const POISON: [usize; 2] = [7, 151];

async fn databases(url: &str) -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, url).unwrap();
    let config = RedisConfig::for_instance(&map.instances()["primary"], 8);
    let indexes: Vec<u32> = map.databases().iter().map(|one| one.placement.index()).collect();
    let backend: Arc<dyn Backend> =
        Arc::new(RedisBackend::connect(config, &indexes).await.unwrap());
    Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await.unwrap()
}

/// A stage whose poison ends the process at once, as a stack overflow does.
fn pipeline() -> Pipeline {
    let (stage, _) = made("split", |text: &String| {
        if text.starts_with("poison") {
            std::process::abort();
        }
        Ok(text.len() as u64)
    });
    let mut builder = Pipeline::builder("words");
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.build().unwrap()
}

fn name_of(number: usize) -> String {
    let kind = if POISON.contains(&number) { "poison" } else { "paper" };
    format!("{kind} {number}")
}

/// The worker of the tests below, in a process of its own. Without a server it is nobody's worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_process() {
    let Ok(url) = std::env::var(SERVER) else { return };
    let databases = databases(&url).await;
    let mut options = options();
    (options.concurrency, options.lease) = (3, LEASE);
    let pipeline = pipeline();
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(databases.get("batch").unwrap(), engines, options, patience());
    worker.run(std::future::pending()).await.unwrap();
}

/// A worker that is started again whenever it dies.
struct Supervised {
    url: String,
    child: Child,
    deaths: u32,
}

impl Supervised {
    fn start(url: &str) -> Self {
        Self { url: url.to_owned(), child: spawn(url), deaths: 0 }
    }

    fn look_after(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            self.deaths += 1;
            self.child = spawn(&self.url);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "suspects::in_another_process"])
        .env(SERVER, url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Claims as a worker that dies with all that it has claimed.
async fn claim_all_and_die(databases: &Databases) {
    let store = databases.get("batch").unwrap().batch();
    let request = compartment_core::ClaimRequest::new(0, DOCUMENTS, Duration::from_millis(1));
    assert_eq!(store.claim("b", request).await.unwrap().unwrap().documents.len(), DOCUMENTS);
}

async fn outcome(databases: &Databases, workers: &mut [Supervised]) -> BatchProgress {
    loop {
        workers.iter_mut().for_each(Supervised::look_after);
        let progress = progress(databases, "b").await;
        if progress.done + progress.dead == DOCUMENTS as u64 {
            return progress;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn of_a_claim_only_what_ends_its_workers_is_dead() {
    for count in [1, 2] {
        let redis = TestRedis::start().await;
        let databases = databases(&redis.url()).await;
        let names: Vec<String> = (0..DOCUMENTS).map(name_of).collect();
        let entries: Vec<&str> = names.iter().map(String::as_str).collect();
        submit(databases.get("batch").unwrap(), &pipeline(), "b", &entries).await;
        claim_all_and_die(&databases).await;
        let mut workers: Vec<_> = (0..count).map(|_| Supervised::start(&redis.url())).collect();
        let ended = outcome(&databases, &mut workers).await;
        assert_eq!((ended.done, ended.dead), (198, 2));
        let dead: Vec<usize> =
            failures(&databases, "b").await.iter().map(|(_, at, _)| *at as usize).collect();
        assert_eq!(dead, POISON, "{count} workers");
        assert!(workers.iter().map(|worker| worker.deaths).sum::<u32>() >= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn of_claimed_tasks_only_what_ends_its_workers_is_dead() {
    let redis = TestRedis::start().await;
    let databases = databases(&redis.url()).await;
    let (pipeline, store) = (pipeline(), databases.get("batch").unwrap());
    let mut queue = String::new();
    for number in 0..40 {
        let (name, task) = pipeline.task(&TaskData::new("split", name_of(number))).unwrap();
        store.queue().submit_one(&name, task).await.unwrap();
        queue = name;
    }
    let all = ClaimOptions::new(40, Duration::from_millis(1));
    assert_eq!(store.queue().claim(&queue, all).await.unwrap().len(), 40);
    let mut worker = Supervised::start(&redis.url());
    loop {
        worker.look_after();
        let counts = store.queue().counts(&queue).await.unwrap();
        if counts.waiting + counts.claimed + counts.delayed == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let dead = store.queue().dead(&queue, 0, 10).await.unwrap();
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(String::from_utf8_lossy(&dead[0].payload).contains(&name_of(POISON[0])));
}
