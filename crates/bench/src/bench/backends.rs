//! `bench backends`: contenders take turns in short slices, so that all see the same machine.

use std::sync::Arc;
use std::time::Duration;

use compartment_testkit::TestRedis;
use serde::Serialize;

use super::Failure;
use super::client::{Data, Operation, VALUE};
use super::clients::{Bb8, Deadpool, Fred, Moka, Ours, RedisRs};
use super::slice::Contender;
use super::statistics::median;
use super::table::table_of;

/// How many tasks ask at once.
const TASKS: [usize; 3] = [1, 64, 1_024];

/// Both comparisons.
#[derive(Debug, Serialize)]
pub(super) struct Backends {
    redis: Comparison,
    memory: Comparison,
}

/// Contenders on one kind of store.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) contenders: Vec<&'static str>,
    /// The one that the others are compared with.
    pub(super) reference: &'static str,
    pub(super) rows: Vec<Row>,
}

/// One operation with one number of tasks.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) tasks: usize,
    /// `µs` (less is better) for one task, `operations/s` (more is better) for several.
    unit: &'static str,
    rounds: usize,
    slice_ms: u128,
    pub(super) figures: Vec<Figure>,
}

/// One contender's part of a row.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    contender: &'static str,
    /// The median over the rounds.
    pub(super) median: f64,
    /// The median of the ratios to the reference within each round.
    pub(super) ratio: f64,
    /// What each round gave.
    samples: Vec<f64>,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    slice: Duration,
}

impl Plan {
    /// A lone client depends on which processor it shares with the server: many short slices see
    /// both cases. Many tasks need a moment to get going.
    fn of(tasks: usize, quick: bool) -> Self {
        match (tasks, quick) {
            (1, false) => Self { rounds: 60, slice: Duration::from_millis(30) },
            (1, true) => Self { rounds: 20, slice: Duration::from_millis(15) },
            (_, false) => Self { rounds: 9, slice: Duration::from_millis(250) },
            (_, true) => Self { rounds: 3, slice: Duration::from_millis(120) },
        }
    }
}

pub(super) async fn measure(quick: bool, only: &str) -> Result<Backends, Failure> {
    let data = Data::new()?;
    let redis = on_redis(&data, quick, only).await?;
    let memory = in_memory(&data, quick, only).await?;
    Ok(Backends { redis, memory })
}

async fn on_redis(data: &Arc<Data>, quick: bool, only: &str) -> Result<Comparison, Failure> {
    let server = TestRedis::start().await;
    let url = server.url();
    let ours = Ours::redis(&url).await?;
    ours.fill(&data.values, VALUE).await?;
    ours.fill(&data.documents, &data.document).await?;
    let contenders = [
        Contender::new("compartment", ours, data),
        Contender::new("redis-rs", RedisRs::connect(&url).await?, data),
        Contender::new("fred", Fred::connect(&url).await?, data),
        Contender::new("deadpool", Deadpool::new(&url)?, data),
        Contender::new("bb8", Bb8::connect(&url).await?, data),
    ];
    let operations: Vec<_> = picked(only).collect();
    compare(&contenders, &operations, quick).await
}

async fn in_memory(data: &Arc<Data>, quick: bool, only: &str) -> Result<Comparison, Failure> {
    let (ours, moka) = (Ours::memory().await?, Moka::new());
    ours.fill(&data.values, VALUE).await?;
    ours.fill(&data.documents, &data.document).await?;
    moka.fill(&data.values, VALUE);
    moka.fill(&data.documents, &data.document);
    let contenders =
        [Contender::new("compartment", ours, data), Contender::new("moka", moka, data)];
    let operations: Vec<_> =
        picked(only).filter(|operation| *operation != Operation::SetField).collect();
    compare(&contenders, &operations, quick).await
}

fn picked(only: &str) -> impl Iterator<Item = Operation> {
    Operation::ALL.into_iter().filter(move |operation| operation.name().contains(only))
}

/// The second contender is the reference.
const REFERENCE: usize = 1;

async fn compare(
    contenders: &[Contender],
    operations: &[Operation],
    quick: bool,
) -> Result<Comparison, Failure> {
    let mut rows = Vec::new();
    for tasks in TASKS {
        for operation in operations {
            rows.push(row(contenders, *operation, tasks, Plan::of(tasks, quick)).await?);
        }
    }
    Ok(Comparison {
        contenders: contenders.iter().map(|contender| contender.name).collect(),
        reference: contenders[REFERENCE].name,
        rows,
    })
}

async fn row(
    contenders: &[Contender],
    operation: Operation,
    tasks: usize,
    plan: Plan,
) -> Result<Row, Failure> {
    let mut samples = vec![Vec::with_capacity(plan.rounds); contenders.len()];
    for contender in contenders {
        contender.slice(operation, tasks, plan.slice / 2).await?;
    }
    for round in 0..plan.rounds {
        // Each is first as often as last.
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            samples[at].push(contenders[at].slice(operation, tasks, plan.slice).await?);
        }
    }
    let reference = samples[REFERENCE].clone();
    let figures = contenders.iter().zip(samples).map(|(contender, samples)| Figure {
        contender: contender.name,
        median: median(samples.clone()),
        ratio: median(samples.iter().zip(&reference).map(|(own, theirs)| own / theirs).collect()),
        samples,
    });
    Ok(Row {
        operation: operation.name(),
        tasks,
        unit: if tasks == 1 { "µs" } else { "operations/s" },
        rounds: plan.rounds,
        slice_ms: plan.slice.as_millis(),
        figures: figures.collect(),
    })
}

impl Backends {
    pub(super) fn tables(&self) -> String {
        let mut text = String::new();
        for (title, comparison) in [("Redis", &self.redis), ("Memory", &self.memory)] {
            for tasks in TASKS {
                text.push_str(&table_of(title, comparison, tasks));
                text.push('\n');
            }
        }
        text
    }
}
