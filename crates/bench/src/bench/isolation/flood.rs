//! The flood: many small writes, pipelines, scans over everything, and sometimes a big value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::AsyncCommands;
use tokio::task::JoinHandle;

use crate::bench::clients::RedisRs;
use crate::measure::Failure;

/// Tasks that write values of 1 to 4 KB, one after the other.
const WRITERS: usize = 64;
/// Tasks that send pipelines.
const PIPELINES: usize = 4;
/// Commands per pipeline.
const PIPELINE: usize = 200;
/// Keys that a scan inspects per step.
const PAGE: usize = 1_000;
/// Size of the big values, which are written and read back, in bytes.
const BIG: usize = 8 << 20;

/// A flood on one connection, and so on one numbered database.
pub(crate) struct Flood(RedisRs);

/// A running flood.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Result<usize, Failure>>>,
}

/// Writes small keys for the scans.
pub(crate) async fn fill(client: &RedisRs, keys: usize) -> Result<(), Failure> {
    let mut connection = client.0.clone();
    for from in (0..keys).step_by(5_000) {
        let mut pipeline = redis::pipe();
        for number in from..(from + 5_000).min(keys) {
            pipeline.set(format!("batch:item:{number}"), number).ignore();
        }
        pipeline.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}

impl Flood {
    pub(crate) fn new(client: RedisRs) -> Self {
        Self(client)
    }

    pub(crate) fn begin(&self, big_values: bool) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for number in 0..WRITERS {
            tasks.push(tokio::spawn(write(self.0.clone(), number, Arc::clone(&stop))));
        }
        for number in 0..PIPELINES {
            tasks.push(tokio::spawn(send_pipelines(self.0.clone(), number, Arc::clone(&stop))));
        }
        tasks.push(tokio::spawn(scan(self.0.clone(), Arc::clone(&stop))));
        if big_values {
            tasks.push(tokio::spawn(move_big_values(self.0.clone(), Arc::clone(&stop))));
        }
        Running { stop, tasks }
    }
}

impl Running {
    /// Stops the flood; returns its number of commands.
    pub(crate) async fn end(self) -> Result<usize, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut done = 0;
        for task in self.tasks {
            done += task.await??;
        }
        Ok(done)
    }
}

fn goes_on(stop: &AtomicBool) -> bool {
    !stop.load(Ordering::Relaxed)
}

async fn write(client: RedisRs, number: usize, stop: Arc<AtomicBool>) -> Result<usize, Failure> {
    let mut connection = client.0.clone();
    let value = vec![b'b'; 1_024 * (1 + number % 4)];
    let mut done = 0;
    while goes_on(&stop) {
        let at = done % 1_000;
        if done % 2 == 0 {
            let field = format!("field:{}", at % 50);
            let key = format!("batch:state:{number}:{}", at / 50);
            connection.hset::<_, _, _, ()>(key, field, &value[..]).await?;
        } else {
            connection.set::<_, _, ()>(format!("batch:text:{number}:{at}"), &value[..]).await?;
        }
        done += 1;
    }
    Ok(done)
}

async fn send_pipelines(
    client: RedisRs,
    number: usize,
    stop: Arc<AtomicBool>,
) -> Result<usize, Failure> {
    let mut connection = client.0.clone();
    let value = vec![b'p'; 1_024];
    let mut done = 0;
    while goes_on(&stop) {
        let mut pipeline = redis::pipe();
        for at in 0..PIPELINE {
            pipeline.set(format!("batch:chunk:{number}:{at}"), &value[..]).ignore();
        }
        pipeline.query_async::<()>(&mut connection).await?;
        done += PIPELINE;
    }
    Ok(done)
}

async fn scan(client: RedisRs, stop: Arc<AtomicBool>) -> Result<usize, Failure> {
    let mut connection = client.0.clone();
    let (mut cursor, mut done) = (0_u64, 0);
    while goes_on(&stop) {
        let mut page = redis::cmd("SCAN");
        page.arg(cursor).arg("MATCH").arg("*:none:*").arg("COUNT").arg(PAGE);
        let (next, _): (u64, Vec<String>) = page.query_async(&mut connection).await?;
        cursor = next;
        done += 1;
    }
    Ok(done)
}

async fn move_big_values(client: RedisRs, stop: Arc<AtomicBool>) -> Result<usize, Failure> {
    let mut connection = client.0.clone();
    let value = vec![b'B'; BIG];
    let mut done = 0;
    while goes_on(&stop) {
        let key = format!("batch:big:{}", done % 3);
        connection.set::<_, _, ()>(&key, &value[..]).await?;
        let back: Vec<u8> = connection.get(&key).await?;
        if back.len() != BIG {
            return Err("a big value came back short".into());
        }
        done += 2;
    }
    Ok(done)
}
