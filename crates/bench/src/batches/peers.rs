//! Other queues for Rust over Redis, each used as documented, with the sizes that suit it best.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{TaskSink, WorkerBuilder};
use apalis_redis::RedisStorage;
use bullmq::options::RedisConnectionOptions;
use bullmq::queue::BulkJob;
use bullmq::worker::{CancellationToken, ProcessorFn};
use bullmq::{Job, Queue, QueueOptions, Worker, WorkerOptions};
use compartment_testkit::TestRedis;

use super::ours::id;
use super::server::{Spent, spent};
use crate::measure::Failure;

/// Concurrent jobs of one worker.
const AT_A_TIME: usize = 64;
/// Tasks that apalis fetches at once.
const FETCHED: usize = 100;
/// A contender that takes longer counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

fn ids(documents: usize) -> Result<Vec<String>, Failure> {
    Ok((0..u32::try_from(documents)?).map(id).collect())
}

/// Waits until `documents` were processed.
async fn until(done: &AtomicUsize, documents: usize) -> Result<(), Failure> {
    let all = async {
        while done.load(Ordering::Relaxed) < documents {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    in_time.map_err(|_| {
        format!("{} of {documents} after {PATIENCE:?}", done.load(Ordering::Relaxed)).into()
    })
}

pub(super) async fn apalis(
    server: &TestRedis,
    url: &str,
    documents: usize,
) -> Result<Spent, Failure> {
    server.command(&["FLUSHALL"]).await;
    let connection = apalis_redis::connect(url).await?;
    let config = apalis_redis::Config::default().queue("papers").batch_size(FETCHED);
    let mut storage: RedisStorage<String, _> = RedisStorage::new(connection).with_config(config);
    for page in ids(documents)?.chunks(500) {
        storage.push_bulk(page.to_vec()).await.map_err(|error| error.to_string())?;
    }
    let done = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&done);
    let work = move |_: String| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<(), apalis::prelude::BoxDynError>(())
        }
    };
    let worker = WorkerBuilder::new("bench").backend(storage).concurrency(AT_A_TIME).build(work);
    spent(server, async {
        let running = tokio::spawn(worker.run());
        let finished = until(&done, documents).await;
        running.abort();
        finished
    })
    .await
}

pub(super) async fn bullmq(
    server: &TestRedis,
    url: &str,
    documents: usize,
) -> Result<Spent, Failure> {
    server.command(&["FLUSHALL"]).await;
    let connection = RedisConnectionOptions::new().url(url);
    let queue =
        Queue::with_options("papers", QueueOptions::new().connection(connection.clone())).await?;
    for page in ids(documents)?.chunks(500) {
        let jobs = page.iter().map(|id| BulkJob::new("paper", serde_json::json!({ "id": id })));
        queue.add_bulk(jobs.collect()).await?;
    }
    let done = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&done);
    let work: ProcessorFn = Arc::new(move |_: Job, _: CancellationToken| {
        let counted = Arc::clone(&counted);
        Box::pin(async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(serde_json::Value::Null)
        })
    });
    let mut options = WorkerOptions::new().connection(connection).concurrency(AT_A_TIME);
    options.drain_delay = 1;
    let mut worker = None;
    let spent = spent(server, async {
        worker = Some(Worker::with_options("papers", work, options).await?);
        until(&done, documents).await
    })
    .await;
    // The worker waits for another job, which is not part of the measurement.
    if let Some(worker) = worker {
        worker.close(5_000).await?;
    }
    spent
}
