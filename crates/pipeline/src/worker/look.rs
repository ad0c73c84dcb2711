//! Reads which batches exist, and which of them need this worker.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{
    BatchPlan, BatchStatus, BatchStore, Error, ErrorKind, FencingToken, Result,
};

use super::shared::Shared;
use super::sources::BatchView;
use crate::{BatchRecord, BatchRegistry, Engine};

/// How often a finished batch is checked again.
const FINISHED_AGAIN: Duration = Duration::from_secs(10);

/// Updates the worker's sources from the list of batches; returns the completions that are due.
pub(super) async fn look(shared: &Shared) -> Result<Vec<Arc<BatchView>>> {
    let now = shared.clock.monotonic();
    let records = BatchRegistry::new(shared.batch.clone()).list().await?;
    let wanted = |record: &BatchRecord| {
        let wanted = shared.options.batches.as_ref();
        wanted.is_none_or(|wanted| wanted.contains(&record.name))
    };
    let records: Vec<BatchRecord> = records.into_iter().filter(wanted).collect();
    let there: HashSet<String> = records.iter().map(|record| record.name.clone()).collect();
    let mut completions = Vec::new();
    for record in records {
        let name = record.name.clone();
        if shared.sources().rests(&name, now) {
            continue;
        }
        let Some(engine) = shared.engines.get(&record.pipeline) else { continue };
        // A batch may be listed before it is created.
        let progress = match shared.batch.batch().progress(&name).await {
            Ok(Some(progress)) => progress,
            Ok(None) => continue,
            Err(error) if error.is_about_stored_data() => {
                leave_out(&name, &error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let known = shared.sources().known(&name);
        let view = match known {
            Some(view) if view.born == progress.born => view,
            _ => {
                let store = shared.batch.batch().born_as(progress.born);
                match store.plan(&name).await {
                    Ok(plan) => {
                        Arc::new(view_of(shared, record, engine, plan, progress.born, store))
                    }
                    // The batch has just been removed.
                    Err(error) if error.kind() == ErrorKind::Unknown => continue,
                    Err(error) if error.is_about_stored_data() => {
                        leave_out(&name, &error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match progress.status {
            BatchStatus::Open | BatchStatus::Sealed => {
                shared.sources().serve(name, view);
            }
            BatchStatus::Completed if progress.is_completing => {
                // Other batches are unaffected while the completion runs.
                shared.sources().forget(&name);
                completions.push(view);
            }
            _ => shared.sources().finish(&name, now.after(FINISHED_AGAIN)),
        }
    }
    let missing = missing(shared, &there).await?;
    shared.sources().keep_only(&there, missing);
    Ok(completions)
}

fn leave_out(name: &str, error: &Error) {
    tracing::warn!(batch = name, %error, "a batch is left out: its keys are not those of a batch");
}

/// The batches the worker must finish that are neither listed nor present in the store.
async fn missing(shared: &Shared, listed: &HashSet<String>) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let wanted = shared.options.batches.as_ref().filter(|_| shared.options.until_finished);
    for name in wanted.into_iter().flatten().filter(|name| !listed.contains(*name)) {
        let is_over = shared.sources().was_seen_to_the_end(name);
        if !is_over && shared.batch.batch().progress(name).await?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

fn view_of(
    shared: &Shared,
    record: BatchRecord,
    engine: &Engine,
    plan: BatchPlan,
    born: FencingToken,
    store: Arc<dyn BatchStore>,
) -> BatchView {
    let pipeline = engine.pipeline();
    let indexes = plan.stages.iter().enumerate().filter_map(|(at, stage)| {
        let is_served = shared.serves(&stage.name);
        Some((at, pipeline.index_of(&stage.name)?)).filter(|_| is_served)
    });
    // The last stages first, so that documents are finished before others are begun.
    let mut stages: Vec<(usize, usize)> = indexes.collect();
    stages.reverse();
    let seen = shared.clock.monotonic();
    BatchView { record, born, store, seen, engine: engine.clone(), plan: Arc::new(plan), stages }
}
