//! Contenders take turns in short slices within one run, so that all run under equal conditions.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::Failure;
use super::statistics::median;

/// Measures one contender for one slice.
pub(crate) type Slice<'a> = Box<dyn FnMut(Duration) -> BoxFuture<'a, Result<f64, Failure>> + 'a>;

/// One operation that every contender performs.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) tasks: usize,
    unit: &'static str,
    rounds: usize,
    slice_ms: u128,
    pub(crate) figures: Vec<Figure>,
}

/// The figures of one contender in a row.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    contender: &'static str,
    /// The median over the rounds.
    pub(crate) median: f64,
    /// The median of the ratios to the reference within each round.
    pub(crate) ratio: f64,
    /// The figures of the rounds.
    samples: Vec<f64>,
}

/// Length and number of slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
}

impl Plan {
    /// A single client's latency depends on whether it shares a processor with the server; many
    /// short slices see both cases. Many tasks need some time to start.
    pub(crate) fn of(tasks: usize, quick: bool) -> Self {
        match (tasks, quick) {
            (1, false) => Self { rounds: 60, slice: Duration::from_millis(30) },
            (1, true) => Self { rounds: 20, slice: Duration::from_millis(15) },
            (_, false) => Self { rounds: 9, slice: Duration::from_millis(250) },
            (_, true) => Self { rounds: 3, slice: Duration::from_millis(120) },
        }
    }
}

/// Measures a row; ratios are relative to the contender at index `reference`.
pub(crate) async fn take_turns(
    what: impl Into<String>,
    tasks: usize,
    unit: &'static str,
    plan: Plan,
    reference: usize,
    mut contenders: Vec<(&'static str, Slice<'_>)>,
) -> Result<Row, Failure> {
    let what = what.into();
    let count = contenders.len();
    let mut samples = vec![Vec::with_capacity(plan.rounds); count];
    let failed = |name: &str, error: Failure| -> Failure {
        format!("{name} failed at {what} of {tasks} tasks: {error}").into()
    };
    for (name, slice) in &mut contenders {
        slice(plan.slice / 2).await.map_err(|error| failed(name, error))?;
    }
    for round in 0..plan.rounds {
        // Each contender is first as often as last.
        for turn in 0..count {
            let at = (round + turn) % count;
            let (name, slice) = &mut contenders[at];
            samples[at].push(slice(plan.slice).await.map_err(|error| failed(name, error))?);
        }
    }
    let theirs = samples[reference].clone();
    let figures = contenders.iter().zip(samples).map(|((contender, _), samples)| Figure {
        contender,
        median: median(samples.clone()),
        ratio: median(samples.iter().zip(&theirs).map(|(own, theirs)| own / theirs).collect()),
        samples,
    });
    let figures = figures.collect();
    let slice_ms = plan.slice.as_millis();
    Ok(Row { what, tasks, unit, rounds: plan.rounds, slice_ms, figures })
}
