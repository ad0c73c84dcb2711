//! Figures of the server, and contenders that take turns on it.

use std::time::Instant;

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Instance};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use crate::measure::Failure;
use crate::measure::statistics::{median, short};
use crate::measure::table::{align, plain};

/// Processor time used by the server, in seconds.
pub(crate) async fn cpu(server: &TestRedis) -> f64 {
    let info = server.command(&["INFO", "cpu"]).await.text();
    ["used_cpu_sys:", "used_cpu_user:"].iter().map(|name| figure(&info, name)).sum()
}

/// Bytes that the server has allocated.
pub(crate) async fn memory(server: &TestRedis) -> f64 {
    figure(&server.command(&["INFO", "memory"]).await.text(), "used_memory:")
}

fn figure(info: &str, name: &str) -> f64 {
    let value = info.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
}

/// The database of batches and queues, over the server at this URL.
pub(crate) async fn open(url: &str) -> Result<Database, Failure> {
    let config = RedisConfig::for_instance(&Instance::new(url)?, 1);
    let backend = RedisBackend::connect(config, &[1]).await?;
    Ok(backend.open(Contract::new("batch", DatabaseKind::Durable).with_index(1)).await?)
}

/// Submits documents and processes them; returns the time for processing and the server's processor
/// time.
pub(super) type Turn<'a> = Box<dyn FnMut(usize) -> LocalBoxFuture<'a, Result<Spent, Failure>> + 'a>;

/// The time that processing some documents took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) seconds: f64,
    pub(super) cpu: f64,
}

/// Measures `work` by the clock and by the server's processor time.
pub(super) async fn spent(
    server: &TestRedis,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<Spent, Failure> {
    let (before, began) = (cpu(server).await, Instant::now());
    work.await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Spent { seconds, cpu: cpu(server).await - before })
}

/// The figures of one contender, each the median over the rounds.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    contender: &'static str,
    documents: usize,
    per_second: f64,
    /// The median of the ratios to the reference within each round.
    ratio: f64,
    server_micros: f64,
    samples: Vec<(f64, f64)>,
}

/// Lets contenders take turns; ratios are relative to the one at index `reference`.
pub(super) async fn take_turns(
    rounds: usize,
    reference: usize,
    mut contenders: Vec<(&'static str, usize, Turn<'_>)>,
) -> Result<Vec<Line>, Failure> {
    let count = contenders.len();
    let mut samples = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let at = (round + turn) % count;
            let (name, documents, work) = &mut contenders[at];
            let spent = work(*documents).await.map_err(|error| format!("{name}: {error}"))?;
            let each = 1.0 / *documents as f64;
            samples[at].push((1.0 / (spent.seconds * each), spent.cpu * each * 1e6));
        }
    }
    let theirs = samples[reference].clone();
    let line = |((contender, documents, _), samples): (_, Vec<(f64, f64)>)| {
        let of = |part: fn(&(f64, f64)) -> f64| median(samples.iter().map(part).collect());
        let ratios = samples.iter().zip(&theirs).map(|(own, theirs)| own.0 / theirs.0);
        Line {
            contender,
            documents,
            per_second: of(|sample| sample.0),
            ratio: median(ratios.collect()),
            server_micros: of(|sample| sample.1),
            samples,
        }
    };
    Ok(contenders
        .into_iter()
        .map(|(name, documents, _)| (name, documents, ()))
        .zip(samples)
        .map(line)
        .collect())
}

/// A table with one line per contender.
pub(super) fn table(title: &str, lines: &[Line]) -> String {
    let mut table = plain(["", "documents", "documents/s", "×", "server µs"]);
    for line in lines {
        table.add_row([
            line.contender.to_owned(),
            short(line.documents as f64),
            short(line.per_second),
            format!("{:.2}", line.ratio),
            format!("{:.2}", line.server_micros),
        ]);
    }
    align(&mut table);
    format!("{title}\n{table}\n")
}
