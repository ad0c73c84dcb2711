//! Pipelines of stages that are functions, with databases in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a failure here is a failed test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::Backend;
use compartment_core::{BatchProgress, Database, DatabaseMap, Databases, KeyTemplate, Preset};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_pipeline::{
    BatchOptions, Engine, EngineOptions, Patience, Pipeline, Stage, StageError, Submission, Worker,
    WorkerOptions, WorkerReport,
};
use futures_util::TryStreamExt;

pub(crate) type Work<I, O> = dyn Fn(&I) -> Result<O, StageError> + Send + Sync;

/// A stage made of a function, which counts its calls.
pub(crate) struct Made<I, O> {
    name: &'static str,
    version: &'static str,
    work: Box<Work<I, O>>,
    calls: Arc<AtomicU32>,
}

pub(crate) fn made<I, O>(
    name: &'static str,
    work: impl Fn(&I) -> Result<O, StageError> + Send + Sync + 'static,
) -> (Made<I, O>, Arc<AtomicU32>) {
    let calls = Arc::<AtomicU32>::default();
    (Made { name, version: "1", work: Box::new(work), calls: Arc::clone(&calls) }, calls)
}

impl<I, O> Made<I, O> {
    /// Sets the version, as newer code would.
    pub(crate) fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }
}

impl<I, O> Stage for Made<I, O>
where
    I: Send + Sync + 'static,
    O: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    type Input = I;
    type Output = O;

    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> String {
        self.version.into()
    }

    fn template(&self) -> KeyTemplate<O> {
        match self.name {
            "split" => KeyTemplate::new("t_split", "t:split:{subject}:{version}", "cache"),
            "length" => KeyTemplate::new("t_length", "t:length:{subject}:{version}", "cache"),
            "sum" => KeyTemplate::new("t_sum", "t:sum:{subject}:{version}", "results"),
            _ => KeyTemplate::new("t_other", "t:other:{subject}:{version}", "cache"),
        }
    }

    fn run(&self, input: &I) -> Result<O, StageError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.work)(input)
    }
}

pub(crate) async fn databases() -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new(MemoryConfig::default()));
    let backends = BTreeMap::from([("primary".to_owned(), backend)]);
    Databases::open(map, &backends).await.unwrap()
}

pub(crate) async fn engine(databases: &Databases, pipeline: &Pipeline) -> Engine {
    let options = CacheOptions::for_map(databases.map());
    let cache = Cache::open(databases.get("cache").unwrap(), options).await.unwrap();
    Engine::new(pipeline.clone(), databases, cache, EngineOptions::default().concurrency(2))
}

pub(crate) fn patience() -> Patience {
    Patience::waiting(Duration::from_secs(5))
}

pub(crate) async fn submit(batch: &Database, pipeline: &Pipeline, name: &str, entries: &[&str]) {
    let options = BatchOptions::default();
    let begun = Submission::begin(batch, name, pipeline, &options, patience()).await;
    let mut submission = begun.unwrap();
    for entry in entries {
        submission.push((*entry).to_owned()).await.unwrap();
    }
    assert_eq!(submission.seal().await.unwrap(), entries.len() as u64);
}

pub(crate) fn options() -> WorkerOptions {
    let mut options = WorkerOptions::default();
    options.concurrency = 2;
    options
}

/// Works until the batch is finished.
pub(crate) async fn work(databases: &Databases, pipeline: &Pipeline, batch: &str) -> WorkerReport {
    let mut options = options();
    options.batches = Some(vec![batch.to_owned()]);
    options.until_finished = true;
    let engines = vec![engine(databases, pipeline).await];
    let store = databases.get("batch").unwrap();
    let worker = Worker::new(store, engines, options, patience());
    let done = worker.run(std::future::pending());
    tokio::time::timeout(Duration::from_secs(30), done).await.expect("it hangs").unwrap()
}

pub(crate) async fn progress(databases: &Databases, batch: &str) -> BatchProgress {
    databases.get("batch").unwrap().batch().progress(batch).await.unwrap().unwrap()
}

pub(crate) async fn failures(databases: &Databases, batch: &str) -> Vec<(usize, u32, String)> {
    let failures = databases.get("batch").unwrap().batch().failures(batch);
    let mut all: Vec<_> = failures
        .map_ok(|failure| (failure.stage, failure.ordinal, failure.error))
        .try_collect()
        .await
        .unwrap();
    all.sort();
    all
}
