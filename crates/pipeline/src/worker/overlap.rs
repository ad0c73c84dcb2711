//! Documents of one claim that are in progress at the same time.
//!
//! A stage may take less time than the round trips around it, for the lookup and for the storing of its result. One
//! document after the other would wait for each of them. So several documents share them: only lookups and writes
//! overlap, since whatever is computed needs one of the engine's permits.

use std::time::Duration;

use crate::pipeline::{DeclaredStage, with_needs};
use crate::{Engine, StageOptions};

/// The time that the documents in progress in one claim may take together. A stage that takes longer has one document
/// at a time.
const TIME: Duration = Duration::from_millis(20);
/// The most documents that are in progress in a worker because they overlap, and in one claim.
const MOST: usize = 256;
const MOST_OF_A_CLAIM: usize = 64;
/// The shortest time limit that the wait for a permit does not matter to: it is a part of the attempt.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// How many documents of a claim are in progress, with claims of so many `lanes` beside it and a stage that takes
/// `micros` for a document.
pub(super) fn fitting(engine: &Engine, index: usize, lanes: usize, micros: f64) -> usize {
    if !may_overlap(engine, index) {
        return 1;
    }
    let fit = (TIME.as_micros() as f64 / micros.max(1.0)) as usize;
    fit.clamp(1, (MOST / lanes).clamp(1, MOST_OF_A_CLAIM))
}

/// Whether all that the stage at `index` may compute needs one of the engine's permits, and nothing else limits it.
fn may_overlap(engine: &Engine, index: usize) -> bool {
    let stages = engine.pipeline().all();
    let is_free = |stage: &DeclaredStage| {
        let StageOptions { concurrency, rate_limit, exclusive, timeout, .. } = &stage.options;
        let is_limited = concurrency.is_some() || rate_limit.is_some() || *exclusive;
        !is_limited && *timeout >= LONG_TIMEOUT && stage.producer.is_one_computation()
    };
    !engine.is_inline(index)
        && with_needs(stages, [index]).into_iter().all(|at| is_free(&stages[at]))
}
