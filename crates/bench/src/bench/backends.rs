//! `bench backends`: our two backends beside moka and other Redis clients.

use std::sync::Arc;

use compartment_testkit::TestRedis;
use serde::Serialize;

use super::client::{Data, Operation, VALUE};
use super::clients::{Bb8, Deadpool, Fred, Moka, Ours, RedisRs};
use super::contender::Contender;
use crate::measure::Failure;
use crate::measure::rounds::{Plan, Row, Slice, take_turns};
use crate::measure::slice::unit;
use crate::measure::table::side_by_side;

/// Numbers of concurrent tasks.
const TASKS: [usize; 3] = [1, 64, 1_024];

/// What to compare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) redis: bool,
    pub(super) memory: bool,
    /// A part of the names of the operations.
    pub(super) operations: &'a str,
    pub(super) quick: bool,
}

/// Both comparisons.
#[derive(Debug, Serialize)]
pub(super) struct Backends {
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Comparison>,
}

/// Contenders on one kind of store.
#[derive(Debug, Serialize)]
struct Comparison {
    contenders: Vec<&'static str>,
    /// The one that the others are compared with.
    reference: &'static str,
    rows: Vec<Row>,
}

pub(super) async fn measure(wanted: &Wanted<'_>) -> Result<Backends, Failure> {
    let (data, quick, only) = (Data::new()?, wanted.quick, wanted.operations);
    let mut measured = Backends { redis: None, memory: None };
    if wanted.redis {
        measured.redis = Some(on_redis(&data, quick, only).await?);
    }
    if wanted.memory {
        measured.memory = Some(in_memory(&data, quick, only).await?);
    }
    Ok(measured)
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
            let slices = contenders.iter().map(|contender| {
                let slice: Slice<'_> =
                    Box::new(move |duration| contender.slice(*operation, tasks, duration));
                (contender.name, slice)
            });
            let (plan, unit, slices) = (Plan::of(tasks, quick), unit(tasks), slices.collect());
            rows.push(take_turns(operation.name(), tasks, unit, plan, REFERENCE, slices).await?);
        }
    }
    Ok(Comparison {
        contenders: contenders.iter().map(|contender| contender.name).collect(),
        reference: contenders[REFERENCE].name,
        rows,
    })
}

impl Backends {
    pub(super) fn tables(&self) -> String {
        let mut text = String::new();
        for (title, comparison) in [("Redis", &self.redis), ("Memory", &self.memory)] {
            let Some(comparison) = comparison else { continue };
            for tasks in TASKS {
                text.push_str(&table_of(title, comparison, tasks));
                text.push('\n');
            }
        }
        text
    }
}

/// The rows of a comparison for `tasks` tasks.
fn table_of(title: &str, comparison: &Comparison, tasks: usize) -> String {
    let reference = comparison.reference;
    let heading = if tasks == 1 {
        format!("{title}, 1 task: median latency in µs, × that of {reference} (less is better)")
    } else {
        format!("{title}, {tasks} tasks: operations/s, × those of {reference} (more is better)")
    };
    let rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.tasks == tasks).collect();
    format!("{heading}\n{}\n", side_by_side(&comparison.contenders, &rows))
}
