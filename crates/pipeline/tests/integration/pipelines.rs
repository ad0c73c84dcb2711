//! Pipelines with batches in memory: results of stages, failures, external calls.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Backoff, BatchStatus, KeyTemplate, RateLimit};
use compartment_pipeline::{Ended, ExternalStage, Pipeline, StageError, StageOptions, Worker};
use futures_util::TryStreamExt;

use crate::stages::{databases, engine, failures, made, options, patience, progress, submit, work};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_hand_on_what_they_make_and_parts_come_together() {
    let databases = databases().await;
    let (split, splits) =
        made("split", |text: &String| Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    let (length, lengths) = made("length", |word: &String| match word.as_str() {
        "bad" => Err(StageError::new("bad_word", "a word is bad")),
        word => Ok(word.len() as u64),
    });
    let (sum, _) = made("sum", |lengths: &Vec<u64>| Ok(lengths.iter().sum::<u64>()));
    let total = Arc::<Mutex<Vec<(String, u64)>>>::default();

    let mut builder = Pipeline::builder("words");
    let words = builder
        .stage(split, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let each = builder.each(length, StageOptions::default(), words, |_, _, word| Ok(word.clone()));
    let all = builder.stage(sum, StageOptions::default(), (words, each), |_, (words, lengths)| {
        assert_eq!(words.len(), lengths.len());
        Ok(lengths.iter().map(|length| **length).collect::<Vec<u64>>())
    });
    let results = Arc::clone(&total);
    builder.at_completion(move |batch| {
        let results = Arc::clone(&results);
        async move {
            let dead = batch.dead().await?;
            let mut documents = batch.documents();
            while let Some(document) = documents.try_next().await? {
                if !dead.contains(&document.ordinal()) {
                    let sum = batch.value(all, &document).await?;
                    results.lock().unwrap().push((document.name().to_owned(), *sum));
                }
            }
            Ok(())
        }
    });
    let pipeline = builder.build().unwrap();

    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "b", &["one two", "three", "one bad thing", "four five six"]).await;
    let report = work(&databases, &pipeline, "b").await;
    assert_eq!(report.ended, Ended::Finished);
    assert_eq!(report.failed, 1);
    let progress = progress(&databases, "b").await;
    assert_eq!(progress.status, BatchStatus::Completed);
    assert_eq!((progress.total, progress.done, progress.dead), (4, 3, 1));
    let failed = failures(&databases, "b").await;
    assert_eq!(failed, [(1, 2, "bad_word: a word is bad".to_owned())]);
    let mut sums = total.lock().unwrap().clone();
    sums.sort();
    let expected = [("four five six", 11), ("one two", 6), ("three", 5)];
    assert_eq!(sums, expected.map(|(name, sum)| (name.to_owned(), sum)));
    // Each text was split once, each word measured once.
    assert_eq!((splits.load(Ordering::Relaxed), lengths.load(Ordering::Relaxed)), (4, 9));

    // Results in `results` are kept; cached ones are computed again if needed.
    let kept = databases.get("results").unwrap().key_value();
    assert!(kept.get("t:sum:three:1").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_may_pass_is_tried_again_and_one_that_lasts_is_not() {
    let databases = databases().await;
    let tried = Arc::<AtomicU32>::default();
    let seen = Arc::clone(&tried);
    let (stage, _) = made("split", move |text: &String| match text.as_str() {
        "later" if seen.fetch_add(1, Ordering::Relaxed) < 2 => {
            Err(StageError::new("away", "the service is away").transient())
        }
        "never" => Err(StageError::new("away", "the service is away").transient()),
        "broken" => Err(StageError::new("broken", "it cannot be read")),
        "panics" => panic!("a bug"),
        "large" => Ok(vec!["x".repeat(200_000)]),
        text => Ok(vec![text.to_owned()]),
    });
    let short = Backoff::new(Duration::from_millis(2), Duration::from_millis(5));
    let stage_options =
        StageOptions::default().max_attempts(3).backoff(short).max_result_bytes(100_000);
    let mut builder = Pipeline::builder("words");
    builder.stage(stage, stage_options, (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    let entries = ["good", "later", "never", "broken", "panics", "large"];
    submit(store, &pipeline, "b", &entries).await;
    work(&databases, &pipeline, "b").await;
    let progress = progress(&databases, "b").await;
    assert_eq!((progress.done, progress.dead), (2, 4));
    let failed = failures(&databases, "b").await;
    let reasons: Vec<(u32, &str)> = failed
        .iter()
        .map(|(_, ordinal, error)| (*ordinal, error.split(':').next().unwrap()))
        .collect();
    assert_eq!(reasons, [(2, "away"), (3, "broken"), (4, "panicked"), (5, "result_too_large")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_hangs_is_given_up_and_the_worker_started_anew() {
    let databases = databases().await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (stage, _) = made("split", move |text: &String| {
        if text == "hangs" {
            let _ = released.lock().unwrap().recv();
        }
        Ok(1_u32)
    });
    let stage_options = StageOptions::default().max_attempts(1).timeout(Duration::from_millis(100));
    let mut builder = Pipeline::builder("words");
    builder.stage(stage, stage_options, (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "b", &["a", "hangs", "b", "c"]).await;
    assert_eq!(work(&databases, &pipeline, "b").await.ended, Ended::Finished);
    let progress = progress(&databases, "b").await;
    assert_eq!((progress.done, progress.dead), (3, 1));
    assert!(
        failures(&databases, "b").await[0].2.starts_with("timed_out: stage split did not finish")
    );
    drop(release);
}

/// Calls a service that counts.
struct Ask(Arc<AtomicU64>);

#[async_trait]
impl ExternalStage for Ask {
    type Input = String;
    type Output = String;

    fn name(&self) -> &'static str {
        "ask"
    }

    fn version(&self) -> String {
        "model-1".into()
    }

    fn template(&self) -> KeyTemplate<String> {
        KeyTemplate::new("t_answer", "t:answer:{subject}:{version}", "cache")
    }

    async fn call(&self, input: &String) -> Result<String, StageError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(format!("about {input}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_calls_keep_to_their_limit_and_a_repeated_run_makes_none() {
    let databases = databases().await;
    let calls = Arc::<AtomicU64>::default();
    let mut builder = Pipeline::builder("asking");
    let limit = RateLimit::new(4, Duration::from_millis(300));
    let stage_options = StageOptions::default().rate_limit("rate:openai:ask", limit);
    builder.external(Ask(Arc::clone(&calls)), stage_options, (), |document, ()| {
        Ok(document.text()?.to_owned())
    });
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    let entries = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    submit(store, &pipeline, "first", &entries).await;
    let started = std::time::Instant::now();
    work(&databases, &pipeline, "first").await;
    assert_eq!(calls.load(Ordering::Relaxed), 9);
    // Four in the first window, four in the second, one in the third.
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());

    submit(store, &pipeline, "again", &entries).await;
    work(&databases, &pipeline, "again").await;
    assert_eq!(calls.load(Ordering::Relaxed), 9, "what was answered is not asked again");
    assert_eq!(progress(&databases, "again").await.done, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_at_a_completion_that_breaks_down_is_done_again_and_holds_up_no_other() {
    let databases = databases().await;
    let (stage, _) = made("split", |_: &String| Ok(1_u32));
    let tries = Arc::<AtomicU32>::default();
    let tried = Arc::clone(&tries);
    let mut builder = Pipeline::builder("words");
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.at_completion(move |batch| {
        let tried = Arc::clone(&tried);
        async move {
            if batch.batch() == "bad" && tried.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("a bug at the completion");
            }
            Ok(())
        }
    });
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "bad", &["a"]).await;
    submit(store, &pipeline, "good", &["b"]).await;
    let mut options = options().until_finished("bad").until_finished("good");
    options.lease = Duration::from_millis(300);
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(store, engines, options, patience());
    let report = worker.run(std::future::pending()).await.unwrap();
    assert_eq!(report.ended, Ended::Finished);
    assert_eq!(tries.load(Ordering::Relaxed), 2);
}

/// Results of one version are not used by another: each version has its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_old_and_new_code_share_a_batch_and_mix_no_results() {
    let databases = databases().await;
    let build = |version: &'static str, has_last: bool| {
        let mut builder = Pipeline::builder("words");
        let (first, calls) = made("split", move |text: &String| Ok(format!("{text} by {version}")));
        let read =
            builder.stage(first.version(version), StageOptions::default(), (), |document, ()| {
                Ok(document.text()?.to_owned())
            });
        if has_last {
            let (last, _) = made("sum", |made: &String| Ok(made.clone()));
            let last = last.version(version);
            builder.stage(last, StageOptions::default(), read, |_, made| Ok(made));
        }
        (builder.build().unwrap(), calls)
    };
    let (new, made_new) = build("2", true);
    let (old, made_old) = build("1", false);
    let store = databases.get("batch").unwrap();
    submit(store, &new, "b", &["a", "b", "c"]).await;

    // A worker with old code does its stage, and leaves unknown stages to others.
    let engines = vec![engine(&databases, &old).await];
    let worker = Worker::new(store, engines, options(), patience());
    let is_done = async {
        while progress(&databases, "b").await.stages[0].done < 3 {
            tokio::task::yield_now().await;
        }
    };
    worker.run(is_done).await.unwrap();
    let halfway = progress(&databases, "b").await;
    assert_eq!((halfway.done, halfway.dead, halfway.stages[1].ready), (0, 0, 3));
    assert_eq!(made_old.load(Ordering::Relaxed), 3);

    work(&databases, &new, "b").await;
    assert_eq!(progress(&databases, "b").await.done, 3);
    assert_eq!(made_new.load(Ordering::Relaxed), 3, "made anew by the new code, on the way");
    let kept = databases.get("results").unwrap().key_value();
    let value = kept.get("t:sum:a:2").await.unwrap().unwrap();
    assert!(value.windows(6).any(|part| part == b"a by 2"), "{value:?}");
}
