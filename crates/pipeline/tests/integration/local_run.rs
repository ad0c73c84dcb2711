//! Documents taken through all stages in one process, without a batch.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::stages::{databases, made};
use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::{Databases, RateLimit, Result};
use compartment_pipeline::{
    Document, DocumentOutcome, Engine, EngineOptions, LocalRun, Node, Pipeline, RunRecorder,
    StageError, StageFigures, StageOptions, StageOutcome, StageStatus,
};
use futures_util::{StreamExt, TryStreamExt};

type Sum = Node<usize>;

/// `split`; from its words `side`, which no stage needs, and `sum`, which fails above ten words.
fn pipeline() -> (Pipeline, Sum) {
    let (words, _) =
        made("split", |text: &String| Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    let (side, _) = made("side", |words: &Vec<String>| match words[0].as_str() {
        "broken" => Err(StageError::new("broken", "the first word is broken")),
        first => Ok(first.to_owned()),
    });
    let (sum, _) = made("sum", |words: &Vec<String>| match words.len() {
        0..=10 => Ok(words.len()),
        _ => Err(StageError::new("too_long", "more than ten words").transient()),
    });
    let mut builder = Pipeline::builder("test");
    let run = StageOptions::default;
    let words = builder.stage(words, run(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.stage(side, run(), words, |_, words| Ok(words));
    let sum = builder.stage(sum, run(), words, |_, words| Ok(words));
    (builder.build().unwrap(), sum)
}

async fn local(databases: &Databases) -> LocalRun<Sum> {
    let (pipeline, sum) = pipeline();
    let options = compartment_cache::CacheOptions::for_map(databases.map());
    let cache = compartment_cache::Cache::open(databases.get("cache").unwrap(), options).await;
    let options = EngineOptions::default().concurrency(2);
    LocalRun::new(Engine::new(pipeline, databases, cache.unwrap(), options), sum)
}

async fn run(
    run: &LocalRun<Sum>,
    texts: &[&'static str],
) -> BTreeMap<String, DocumentOutcome<Arc<usize>>> {
    run.expect(texts.len() as u64);
    let entries = texts.iter().map(|text| Bytes::from_static(text.as_bytes()));
    let entries = futures_util::stream::iter(entries.collect::<Vec<_>>());
    let outcomes =
        run.outcomes(entries).map_ok(|outcome| (outcome.document.name().to_owned(), outcome));
    outcomes.try_collect().await.unwrap()
}

fn figures(run: &LocalRun<Sum>, stage: &str) -> StageFigures {
    run.engine().progress().figures()[stage]
}

fn stages_of<V>(outcome: &DocumentOutcome<V>) -> Vec<(&'static str, bool)> {
    let is_done = |stage: &StageOutcome| matches!(stage.status, StageStatus::Done { .. });
    outcome.stages.iter().map(|stage| (stage.stage, is_done(stage))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_runs_and_the_wanted_results_are_given() {
    let databases = databases().await;
    let local = local(&databases).await;
    let outcomes = run(&local, &["to be", "or not to be"]).await;
    let sums: Vec<usize> =
        outcomes.values().map(|outcome| **outcome.results.as_ref().unwrap()).collect();
    assert_eq!(sums, [4, 2]);
    for outcome in outcomes.values() {
        assert_eq!(stages_of(outcome), [("split", true), ("side", true), ("sum", true)]);
    }
    for stage in ["split", "side", "sum"] {
        assert_eq!((figures(&local, stage).total, figures(&local, stage).computed), (2, 2));
    }
    assert_eq!(local.engine().progress().documents().finished, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_reads_the_wanted_results_and_nothing_else() {
    let databases = databases().await;
    run(&local(&databases).await, &["to be", "or not to be"]).await;
    let again = local(&databases).await;
    let reads = |name: &str| databases.get(name).unwrap().traffic().snapshot();
    let (cache, results) = (reads("cache"), reads("results"));
    run(&again, &["to be", "or not to be"]).await;
    assert_eq!(reads("results").hits - results.hits, 2, "one read a document");
    assert_eq!(reads("results").misses, results.misses);
    assert_eq!((reads("cache").hits, reads("cache").misses), (cache.hits, cache.misses));
    for stage in ["split", "side", "sum"] {
        let figures = figures(&again, stage);
        assert_eq!((figures.computed, figures.cached, figures.total), (0, 2, 2), "{stage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_nothing_needs_runs_where_what_it_needs_was_read() {
    let databases = databases().await;
    let first = local(&databases).await;
    run(&first, &["tobe"]).await;
    let sums = databases.get("results").unwrap().key_value();
    assert_eq!(sums.delete(&["t:sum:tobe:1".to_owned()]).await.unwrap(), 1);
    let again = local(&databases).await;
    run(&again, &["tobe"]).await;
    assert_eq!(figures(&again, "sum").computed, 1);
    assert_eq!(figures(&again, "split").cached, 1);
    assert_eq!(figures(&again, "side").cached, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_the_documents_and_says_where_it_was() {
    let databases = databases().await;
    let local = local(&databases).await;
    let long = "a b c d e f g h i j k";
    let outcomes = run(&local, &[long, "broken", "fine"]).await;
    let error = outcomes[long].results.as_ref().unwrap_err();
    assert_eq!(error.code, "too_long");
    assert_eq!(stages_of(&outcomes[long]), [("split", true), ("side", true), ("sum", false)]);
    assert!(outcomes[long].stages[2].may_succeed_later);
    // A failure of `side` stops the document, although the result does not need it.
    assert_eq!(stages_of(&outcomes["broken"]), [("split", true), ("side", false)]);
    assert!(!outcomes["broken"].stages[1].may_succeed_later);
    assert_eq!(**outcomes["fine"].results.as_ref().unwrap(), 1);
    assert_eq!((figures(&local, "side").computed, figures(&local, "side").failed), (2, 1));
    assert_eq!((figures(&local, "sum").computed, figures(&local, "sum").failed), (1, 1));
    // The document does not count for the stage that the failure prevented.
    assert_eq!((figures(&local, "sum").total, figures(&local, "sum").finished()), (2, 2));
    let state = outcomes[long].state();
    assert!(
        matches!(&state.stages()["sum"], StageStatus::Failed { code, .. } if code == "too_long")
    );
}

/// Records the number of stages of each document.
#[derive(Debug, Default)]
struct Kept(Mutex<BTreeMap<String, usize>>);

#[async_trait]
impl RunRecorder for Kept {
    async fn record(&self, document: &Document, stages: &[StageOutcome]) -> Result<()> {
        self.0.lock().unwrap().insert(document.name().to_owned(), stages.len());
        Ok(())
    }

    async fn finish(&self, _: bool) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_is_told_of_every_document() {
    let databases = databases().await;
    let kept = Arc::new(Kept::default());
    let local = local(&databases).await.recorder(kept.clone());
    let refused = Document::new(
        "",
        9,
        Bytes::new(),
        compartment_pipeline::Identity::new("nothing", "unreadable"),
    );
    let error = StageError::new("unreadable", "it cannot be read");
    assert!(local.refuse(refused, error).await.unwrap().results.is_err());
    run(&local, &["to be", "broken"]).await;
    let expected = [("broken", 2), ("to be", 3), ("unreadable", 1)];
    let expected = expected.map(|(name, stages)| (name.to_owned(), stages));
    assert_eq!(*kept.0.lock().unwrap(), BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_names_no_document_is_a_document_that_failed() {
    let databases = databases().await;
    let (words, calls) = made("split", |text: &String| Ok(text.len()));
    let mut builder = Pipeline::builder("test");
    builder.identify(|_| Err(StageError::new("malformed", "it is no entry")));
    let words = builder
        .stage(words, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let engine = Engine::open(pipeline, &databases).await.unwrap();
    let local = LocalRun::new(engine, words);
    let mut outcomes = local.outcomes(futures_util::stream::iter([Bytes::from_static(b"x")]));
    let outcome = outcomes.next().await.unwrap().unwrap();
    assert_eq!(outcome.results.unwrap_err().code, "malformed");
    assert_eq!((outcome.document.name(), calls.load(Ordering::Relaxed)), ("x", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_beside_the_way_that_failed_fails_again() {
    let databases = databases().await;
    for _ in 0..2 {
        let outcomes = run(&local(&databases).await, &["broken"]).await;
        assert_eq!(outcomes["broken"].results.as_ref().unwrap_err().code, "broken");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_needed_has_its_own_time_and_no_permit_is_the_documents_failure() {
    let databases = databases().await;
    let (slow, _) = made("split", |text: &String| {
        std::thread::sleep(Duration::from_millis(150));
        Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    });
    let (sum, _) = made("sum", |words: &Vec<String>| Ok(words.len()));
    let mut builder = Pipeline::builder("test");
    let once = RateLimit::new(1, Duration::from_secs(3_600));
    let long =
        StageOptions::default().rate_limit("rate:split", once).timeout(Duration::from_secs(1));
    let words = builder.stage(slow, long, (), |document, ()| Ok(document.text()?.to_owned()));
    let short = StageOptions::default().timeout(Duration::from_millis(50));
    let sum = builder.stage(sum, short, words, |_, words| Ok(words));
    let engine = Engine::open(builder.build().unwrap(), &databases).await.unwrap();
    let local = LocalRun::new(engine, sum);
    let outcomes = run(&local, &["to be"]).await;
    assert_eq!(**outcomes["to be"].results.as_ref().unwrap(), 2);
    let outcomes = run(&local, &["or not"]).await;
    let error = outcomes["or not"].results.as_ref().unwrap_err();
    assert_eq!((error.code, error.is_transient), ("denied", true), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_stage_that_another_needs_holds_the_lock_of_its_document() {
    let databases = databases().await;
    let (fence, calls) = made("fence", |fence: &u64| Ok(*fence));
    let (sum, _) = made("sum", |fence: &u64| Ok(usize::from(*fence > 0)));
    let mut builder = Pipeline::builder("locking");
    let fence = builder.stage(fence, StageOptions::default().exclusive(), (), |document, ()| {
        Ok(document.fence().map_or(0, |fence| fence.number()))
    });
    let sum = builder.stage(sum, StageOptions::default(), fence, |_, fence| Ok(fence));
    let engine = Engine::open(builder.build().unwrap(), &databases).await.unwrap();
    let local = LocalRun::new(engine, sum);
    // Both entries name one document: whoever comes second finds the result.
    let outcomes = run(&local, &["one", "one"]).await;
    assert_eq!(**outcomes["one"].results.as_ref().unwrap(), 1, "no lock was held");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let lock = format!("compartment:lock:document:{}", outcomes["one"].document.subject());
    let locks = databases.get("rate_limit").unwrap().lock();
    assert!(locks.holder(&lock).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_holds_a_documents_lock_waits_for_no_load_that_waits_for_the_lock() {
    let databases = databases().await;
    let pipeline = || {
        let (first, _) = made("split", |fence: &u64| Ok(*fence));
        let (middle, _) = made("length", |fence: &u64| Ok(*fence));
        let (last, _) = made("sum", |fence: &u64| Ok(*fence));
        let exclusive = || StageOptions::default().exclusive();
        let mut builder = Pipeline::builder("locking");
        let first = builder.stage(first, exclusive(), (), |document, ()| {
            Ok(document.fence().map_or(0, |fence| fence.number()))
        });
        let middle = builder.stage(middle, StageOptions::default(), first, |_, fence| Ok(fence));
        let last = builder.stage(last, exclusive(), middle, |_, fence| Ok(fence));
        (builder.build().unwrap(), middle, last)
    };
    let cache = compartment_cache::Cache::open(
        databases.get("cache").unwrap(),
        compartment_cache::CacheOptions::for_map(databases.map()),
    );
    let cache = cache.await.unwrap();
    let engine = |pipeline| {
        Engine::new(pipeline, &databases, cache.clone(), EngineOptions::default().concurrency(8))
    };
    let (one, middle, _) = pipeline();
    let (other, _, last) = pipeline();
    let (one, other) = (engine(one), engine(other));
    let works = (0..50).map(|number| {
        let entry = Bytes::from(format!("paper {number}"));
        let at = |engine: &Engine| engine.document("", number, entry.clone()).unwrap();
        let (to_middle, to_last) = (at(&one), at(&other));
        let (one, other) = (one.clone(), other.clone());
        async move {
            let both = tokio::join!(one.value(middle, &to_middle), other.value(last, &to_last));
            assert!(*both.0.unwrap() > 0 && *both.1.unwrap() > 0, "a stage ran without its lock");
        }
    });
    let all = futures_util::future::join_all(works);
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, all).await.expect("a load and a lock wait for each other");
}

/// The stages behind `split` may take an hour each. If `split` had their time as well, this test would not end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_has_its_own_time_and_not_that_of_the_stages_behind_it() {
    let databases = databases().await;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (words, _) = made("split", move |_: &String| {
        // Until the test ends.
        let _ = held.lock().unwrap().recv();
        Ok(Vec::<String>::new())
    });
    let (sum, _) = made("sum", |words: &Vec<String>| Ok(words.len()));
    let mut builder = Pipeline::builder("test");
    let short = StageOptions::default().timeout(Duration::from_millis(20));
    let long = StageOptions::default().timeout(Duration::from_secs(3_600));
    let words = builder.stage(words, short, (), |document, ()| Ok(document.text()?.to_owned()));
    let sum = builder.stage(sum, long, words, |_, words| Ok(words));
    let engine = crate::stages::engine(&databases, &builder.build().unwrap()).await;
    let local = LocalRun::new(engine, (words, sum));
    let entries = futures_util::stream::iter([Bytes::from_static(b"to be")]);
    let outcomes: Vec<_> = local.outcomes(entries).try_collect().await.unwrap();
    let error = outcomes[0].results.as_ref().unwrap_err();
    assert_eq!(error.code, "timed_out");
    drop(hold);
}
