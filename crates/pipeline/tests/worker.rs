//! Pipelines and workers over batches and single tasks, on memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use compartment_cache::{Cache, CacheOptions};
use compartment_core::{
    Backend, Backoff, BatchProgress, BatchStatus, Clock, Database, DatabaseMap, Databases,
    KeyTemplate, Preset, RateLimit, SystemClock, TaskClass,
};
use compartment_memory::{MemoryBackend, MemoryConfig};
use compartment_pipeline::{
    BatchOptions, BatchRegistry, Ended, Engine, ExternalStage, Patience, Pipeline, Progress,
    Silent, Stage, StageError, StageOptions, Submission, TaskData, Worker, WorkerOptions,
    WorkerReport, submit_task, workers,
};
use futures_util::TryStreamExt;

type Work<I, O> = dyn Fn(&I) -> Result<O, StageError> + Send + Sync;

/// A stage made of a function, with its calls counted.
struct Made<I, O> {
    name: &'static str,
    work: Box<Work<I, O>>,
    calls: Arc<AtomicU32>,
}

fn made<I, O>(
    name: &'static str,
    work: impl Fn(&I) -> Result<O, StageError> + Send + Sync + 'static,
) -> (Made<I, O>, Arc<AtomicU32>) {
    let calls = Arc::<AtomicU32>::default();
    (Made { name, work: Box::new(work), calls: Arc::clone(&calls) }, calls)
}

impl<I, O> Stage for Made<I, O>
where
    I: Send + Sync + 'static,
    O: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    type Input = I;
    type Output = O;

    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> String {
        "1".into()
    }

    fn template(&self) -> KeyTemplate<O> {
        match self.name {
            "split" => KeyTemplate::new("t_split", "t:split:{subject}:{version}", "cache"),
            "length" => KeyTemplate::new("t_length", "t:length:{subject}:{version}", "cache"),
            "sum" => KeyTemplate::new("t_sum", "t:sum:{subject}:{version}", "results"),
            _ => KeyTemplate::new("t_other", "t:other:{subject}:{version}", "cache"),
        }
    }

    fn run(&self, input: &I) -> Result<O, StageError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.work)(input)
    }
}

async fn databases() -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new(MemoryConfig::default()));
    let backends = BTreeMap::from([("primary".to_owned(), backend)]);
    Databases::open(map, &backends).await.unwrap()
}

async fn engine(databases: &Databases, pipeline: &Pipeline) -> Engine {
    let options = CacheOptions::for_map(databases.map());
    let cache = Cache::open(databases.get("cache").unwrap(), options).await.unwrap();
    let progress = Progress::new(Arc::new(Silent));
    Engine::new(pipeline.clone(), databases, cache, progress, 2, Arc::new(SystemClock))
}

fn patience() -> Patience {
    Patience::new(Duration::from_secs(5), Arc::new(SystemClock), Arc::new(Silent))
}

async fn submit(batch: &Database, pipeline: &Pipeline, name: &str, entries: &[&str]) {
    let options = BatchOptions::default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let begun = Submission::begin(batch, name, pipeline, &options, &clock, patience()).await;
    let mut submission = begun.unwrap();
    for entry in entries {
        submission.push((*entry).to_owned()).await.unwrap();
    }
    assert_eq!(submission.seal().await.unwrap(), entries.len() as u64);
}

fn options() -> WorkerOptions {
    let mut options = WorkerOptions::default();
    options.concurrency = 2;
    options
}

/// Works until the batch needs nothing any more.
async fn work(databases: &Databases, pipeline: &Pipeline, batch: &str) -> WorkerReport {
    let mut options = options();
    options.batches = Some(vec![batch.to_owned()]);
    options.until_finished = true;
    let engines = vec![engine(databases, pipeline).await];
    let store = databases.get("batch").unwrap();
    let worker = Worker::new(store, engines, options, Arc::new(SystemClock), patience());
    let done = worker.run(std::future::pending());
    tokio::time::timeout(Duration::from_secs(30), done).await.expect("it hangs").unwrap()
}

async fn progress(databases: &Databases, batch: &str) -> BatchProgress {
    databases.get("batch").unwrap().batch().progress(batch).await.unwrap().unwrap()
}

async fn failures(databases: &Databases, batch: &str) -> Vec<(usize, u32, String)> {
    let failures = databases.get("batch").unwrap().batch().failures(batch);
    let mut all: Vec<_> = failures
        .map_ok(|failure| (failure.stage, failure.ordinal, failure.error))
        .try_collect()
        .await
        .unwrap();
    all.sort();
    all
}

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

    // What is kept in `results` is there; what was in the cache is made again where it is needed.
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
    let stage_options =
        StageOptions::default().max_attempts(1).time_out(Duration::from_millis(100));
    let mut builder = Pipeline::builder("words");
    builder.stage(stage, stage_options, (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "b", &["a", "hangs", "b", "c"]).await;
    assert_eq!(work(&databases, &pipeline, "b").await.ended, Ended::Finished);
    let progress = progress(&databases, "b").await;
    assert_eq!((progress.done, progress.dead), (3, 1));
    assert!(
        failures(&databases, "b").await[0].2.starts_with("timed_out: stage split was not done")
    );
    drop(release);
}

/// Asks a service that counts.
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
    // Four at once, four in the next window, one in the third.
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());

    submit(store, &pipeline, "again", &entries).await;
    work(&databases, &pipeline, "again").await;
    assert_eq!(calls.load(Ordering::Relaxed), 9, "what was answered is not asked again");
    assert_eq!(progress(&databases, "again").await.done, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_tasks_are_done_or_dead_with_a_reason() {
    let databases = databases().await;
    let (stage, calls) = made("split", |text: &String| Ok(text.len() as u64));
    let short = Backoff::new(Duration::from_millis(2), Duration::from_millis(5));
    let mut builder = Pipeline::builder("words");
    let stage_options = StageOptions::default().max_attempts(2).backoff(short);
    builder.stage(stage, stage_options, (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    let now = Duration::ZERO;
    let mut old = TaskData::new("split", "of another version");
    old.version = Some("0".into());
    for data in [TaskData::new("split", "hello"), old] {
        submit_task(store, &pipeline, &data, TaskClass::High, now, None).await.unwrap();
    }
    let unknown = TaskData::new("splice", "hello");
    let refused = submit_task(store, &pipeline, &unknown, TaskClass::High, now, None).await;
    assert!(refused.unwrap_err().to_string().contains("it has split"));
    let malformed = compartment_core::NewTask::new("{\"stage\":");
    store.queue().submit("words.split", vec![malformed]).await.unwrap();

    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(store, engines, options(), Arc::new(SystemClock), patience());
    let all_told = async {
        loop {
            let counts = store.queue().counts("words.split").await.unwrap();
            if counts.waiting + counts.claimed + counts.delayed == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let report = worker.run(all_told).await.unwrap();
    assert_eq!((report.ended, report.done), (Ended::Stopped, 1));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let dead = store.queue().dead("words.split", 0, 10).await.unwrap();
    let mut reasons: Vec<&str> =
        dead.iter().map(|task| task.error.split(':').next().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["malformed", "other_version"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_end_finishes_what_it_began_and_hands_back_the_rest() {
    let databases = databases().await;
    let (begun, mut beginning) = tokio::sync::mpsc::unbounded_channel();
    let (stage, calls) = made("split", move |_: &String| {
        let _ = begun.send(());
        std::thread::sleep(Duration::from_millis(50));
        Ok(1_u32)
    });
    let mut builder = Pipeline::builder("words");
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    let entries: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    submit(store, &pipeline, "b", &entries).await;
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(store, engines, options(), Arc::new(SystemClock), patience());
    let stop = async {
        for _ in 0..6 {
            beginning.recv().await;
        }
        let listed = workers(store).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].serves, ["words/split 1"]);
    };
    let report = worker.run(stop).await.unwrap();
    assert_eq!(report.ended, Ended::Stopped);
    let progress = progress(&databases, "b").await;
    assert_eq!(progress.done, u64::from(calls.load(Ordering::Relaxed)), "what was begun was told");
    assert!(progress.done >= 6 && progress.done < 40, "{progress:?}");
    assert_eq!(progress.stages[0].claimed, 0, "nothing is left to a lease: {progress:?}");
    assert!(workers(store).await.unwrap().is_empty(), "it has signed off");
    work(&databases, &pipeline, "b").await;
    assert_eq!(calls.load(Ordering::Relaxed), 40, "nothing is done twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_stage_has_a_token_and_one_owner() {
    let databases = databases().await;
    let inside = Arc::<AtomicU32>::default();
    let at_once = Arc::<AtomicU32>::default();
    let (now, most) = (Arc::clone(&inside), Arc::clone(&at_once));
    let (stage, _) = made("other", move |fence: &u64| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(*fence)
    });
    let mut builder = Pipeline::builder("locking");
    // Its results are not kept, so that the same document is worked on in each batch.
    let stage_options = StageOptions::default().exclusive().inline();
    builder.stage(stage, stage_options, (), |document, ()| {
        Ok(document.fence().map_or(0, |fence| fence.number()))
    });
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "a", &["same"; 8]).await;
    work(&databases, &pipeline, "a").await;
    assert_eq!(progress(&databases, "a").await.done, 8);
    assert_eq!(at_once.load(Ordering::SeqCst), 1, "two had the document at once");
}

#[tokio::test]
async fn a_batch_name_is_taken_once_and_an_open_batch_goes_on() {
    let databases = databases().await;
    let (stage, _) = made("split", |_: &String| Ok(1_u32));
    let build = |name: &str, stage| {
        let mut builder = Pipeline::builder(name);
        builder.stage(stage, StageOptions::default(), (), |document, ()| {
            Ok(document.text()?.to_owned())
        });
        builder.build().unwrap()
    };
    let pipeline = build("words", stage);
    let other = build("others", made("split", |_: &String| Ok(1_u32)).0);
    let store = databases.get("batch").unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let kept = BatchOptions::default();
    let begin = |pipeline| Submission::begin(store, "b", pipeline, &kept, &clock, patience());
    let mut first = begin(&pipeline).await.unwrap();
    first.push("one").await.unwrap();
    first.flush().await.unwrap();
    let error = begin(&other).await.unwrap_err();
    assert!(error.to_string().contains("of the pipeline \"words\" already"), "{error}");
    let mut second = begin(&pipeline).await.unwrap();
    assert_eq!(second.submitted(), 1);
    second.push("two").await.unwrap();
    assert_eq!(second.seal().await.unwrap(), 2);
    assert!(begin(&pipeline).await.unwrap_err().to_string().contains("takes no more documents"));
    assert_eq!(BatchRegistry::new(store.clone()).list().await.unwrap().len(), 1);
}
