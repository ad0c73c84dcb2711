//! One contender doing one operation for a moment, from one task or many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::Failure;
use super::client::{Client, Data, KEYS, Operation};
use super::statistics::percentile;

/// A client whose type does not matter any more, by its name.
pub(super) struct Contender {
    pub(super) name: &'static str,
    driver: Arc<dyn Drive>,
}

impl Contender {
    pub(super) fn new<C: Client>(name: &'static str, client: C, data: &Arc<Data>) -> Self {
        Self { name, driver: Arc::new(Driver { client, data: Arc::clone(data) }) }
    }

    /// One task: the median latency in microseconds. Several: operations per second.
    pub(super) async fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> Result<f64, Failure> {
        self.driver.slice(operation, tasks, duration).await.map_err(|error| {
            format!("{} failed at {} of {tasks} tasks: {error}", self.name, operation.name()).into()
        })
    }
}

trait Drive: Send + Sync {
    fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> BoxFuture<'_, Result<f64, Failure>>;
}

struct Driver<C> {
    client: C,
    data: Arc<Data>,
}

/// What answers within nanoseconds is timed so many at a time, and its tasks make room as often.
const BURST: usize = 64;

impl<C: Client> Drive for Driver<C> {
    fn slice(
        &self,
        operation: Operation,
        tasks: usize,
        duration: Duration,
    ) -> BoxFuture<'_, Result<f64, Failure>> {
        let (client, data) = (self.client.clone(), Arc::clone(&self.data));
        Box::pin(async move {
            if tasks == 1 {
                let latency = latency(client, data, operation, duration);
                // Where tasks run, not where the program waits for them.
                tokio::spawn(latency).await?
            } else {
                throughput(client, data, operation, tasks, duration).await
            }
        })
    }
}

async fn latency<C: Client>(
    client: C,
    data: Arc<Data>,
    operation: Operation,
    duration: Duration,
) -> Result<f64, Failure> {
    let burst = if C::IN_PROCESS { BURST } else { 1 };
    let mut micros = Vec::with_capacity(1 << 16);
    let start = Instant::now();
    let mut turn = 0;
    while start.elapsed() < duration {
        let before = Instant::now();
        for _ in 0..burst {
            operation.perform(&client, &data, turn).await?;
            turn = turn.wrapping_add(STRIDE);
        }
        micros.push(before.elapsed().as_secs_f64() * 1e6 / burst as f64);
    }
    micros.sort_by(f64::total_cmp);
    Ok(percentile(&micros, 0.5))
}

/// Shares no factor with the number of keys, so that all of them get their turn.
const STRIDE: usize = 7_919;

async fn throughput<C: Client>(
    client: C,
    data: Arc<Data>,
    operation: Operation,
    tasks: usize,
    duration: Duration,
) -> Result<f64, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (client, data, stop) = (client.clone(), Arc::clone(&data), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut turn = task * KEYS / tasks;
                let mut done = 0_usize;
                while !stop.load(Ordering::Relaxed) {
                    operation.perform(&client, &data, turn).await?;
                    turn = turn.wrapping_add(STRIDE);
                    done += 1;
                    if C::IN_PROCESS && done.is_multiple_of(BURST) {
                        tokio::task::yield_now().await;
                    }
                }
                Ok::<usize, Failure>(done)
            })
        })
        .collect();
    tokio::time::sleep(duration).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for task in running {
        done += task.await??;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
