//! Measures one contender and one operation for a slice of time, from one task or many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Failure;
use super::statistics::percentile;

/// An operation that is repeated.
pub(crate) trait Work: Clone + Send + Sync + 'static {
    /// Answers without waiting for anything: its tasks have to make room for each other.
    const IN_PROCESS: bool = false;

    /// Performs it once, for the `turn`-th time.
    fn perform(&self, turn: usize) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// In-process operations take nanoseconds, so they are timed in bursts of this many, after which
/// tasks yield.
const BURST: usize = 64;
/// Coprime to the number of keys, so that all keys are used.
const STRIDE: usize = 7_919;
/// Distance between the start positions of tasks.
const APART: usize = 10_000;

/// One task: the median latency in microseconds. Several: operations per second.
pub(crate) async fn slice<W: Work>(
    work: W,
    tasks: usize,
    duration: Duration,
) -> Result<f64, Failure> {
    if tasks == 1 {
        // Spawned, so that it runs on a worker thread of the runtime.
        tokio::spawn(latency(work, duration)).await?
    } else {
        throughput(work, tasks, duration).await
    }
}

/// The unit of [`slice()`] for this many tasks.
pub(crate) fn unit(tasks: usize) -> &'static str {
    if tasks == 1 { "µs" } else { "operations/s" }
}

async fn latency<W: Work>(work: W, duration: Duration) -> Result<f64, Failure> {
    let burst = if W::IN_PROCESS { BURST } else { 1 };
    let mut micros = Vec::with_capacity(1 << 16);
    let start = Instant::now();
    let mut turn = 0;
    while start.elapsed() < duration {
        let before = Instant::now();
        for _ in 0..burst {
            work.perform(turn).await?;
            turn = turn.wrapping_add(STRIDE);
        }
        micros.push(before.elapsed().as_secs_f64() * 1e6 / burst as f64);
    }
    micros.sort_by(f64::total_cmp);
    Ok(percentile(&micros, 0.5))
}

async fn throughput<W: Work>(work: W, tasks: usize, duration: Duration) -> Result<f64, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (work, stop) = (work.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut turn = task * APART / tasks;
                let mut done = 0_usize;
                while !stop.load(Ordering::Relaxed) {
                    work.perform(turn).await?;
                    turn = turn.wrapping_add(STRIDE);
                    done += 1;
                    if W::IN_PROCESS && done.is_multiple_of(BURST) {
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
