//! Workers for batches and single tasks, in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compartment_core::{Backoff, QueueStoreExt, TaskClass};
use compartment_pipeline::{
    BatchOptions, BatchRegistry, Ended, Pipeline, StageOptions, Submission, TaskData, TaskOutbox,
    TaskStatus, Worker, workers,
};

use crate::stages::{databases, engine, made, options, patience, progress, submit, work};

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
    let mut old = TaskData::new("split", "of another version");
    old.version = Some("0".into());
    for data in [TaskData::new("split", "hello"), old] {
        let (queue, task) = pipeline.task(&data).unwrap();
        store.queue().submit_one(&queue, task.class(TaskClass::High)).await.unwrap();
    }
    let unknown = TaskData::new("splice", "hello");
    assert!(pipeline.task(&unknown).unwrap_err().to_string().contains("it has split"));
    let malformed = compartment_core::NewTask::new("{\"stage\":");
    store.queue().submit("words.split", vec![malformed]).await.unwrap();

    let engines = vec![engine(&databases, &pipeline).await];
    let mut options = options();
    options.keep_task_rows = true;
    let worker = Worker::new(store, engines, options, patience());
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
    // Each attempt has its row, including one that is retried.
    let (rows, unreadable) = TaskOutbox::new(store.clone()).rows().await.unwrap();
    let mut left: Vec<(TaskStatus, u32)> =
        rows.iter().map(|row| (row.status, row.attempt)).collect();
    left.sort_by_key(|(status, attempt)| (status.name(), *attempt));
    let wanted = [
        (TaskStatus::Dead, 1),
        (TaskStatus::Dead, 2),
        (TaskStatus::Done, 1),
        (TaskStatus::Failed, 1),
    ];
    assert_eq!(left, wanted);
    assert!(unreadable.is_empty());
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
    let worker = Worker::new(store, engines, options(), patience());
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
async fn documents_of_a_short_stage_overlap_and_are_computed_within_the_places() {
    let databases = databases().await;
    let [waiting, most_waiting, computing, most_computing] = <[Arc<AtomicU32>; 4]>::default();
    let (ready, running, most) =
        (Arc::clone(&waiting), Arc::clone(&computing), Arc::clone(&most_computing));
    let (stage, calls) = made("split", move |text: &String| {
        ready.fetch_sub(1, Ordering::SeqCst);
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(100));
        running.fetch_sub(1, Ordering::SeqCst);
        if text.ends_with("13") {
            panic!("13")
        }
        Ok(text.len() as u64)
    });
    let mut builder = Pipeline::builder("words");
    let most = Arc::clone(&most_waiting);
    let options = StageOptions::default().max_attempts(1);
    builder.stage(stage, options, (), move |document, ()| {
        most.fetch_max(waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Ok(document.text()?.to_owned())
    });
    let pipeline = builder.build().unwrap();
    // Each document twice: the second one waits for the first, in the same claim or in another.
    let entries: Vec<String> = (0..600).map(|n| (n / 2).to_string()).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    submit(databases.get("batch").unwrap(), &pipeline, "b", &entries).await;
    work(&databases, &pipeline, "b").await;
    let progress = progress(&databases, "b").await;
    assert_eq!((progress.done, progress.dead), (594, 6), "{progress:?}");
    assert!(most_computing.load(Ordering::SeqCst) <= 2, "two places");
    assert!(most_waiting.load(Ordering::SeqCst) > 4, "documents overlap");
    let calls = calls.load(Ordering::SeqCst);
    assert!((300..=303).contains(&calls), "{calls}: a result is made once, a failure may be again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_stage_has_a_token_and_one_owner() {
    let databases = databases().await;
    let inside = Arc::<AtomicU32>::default();
    let at_once = Arc::<AtomicU32>::default();
    let (now, max) = (Arc::clone(&inside), Arc::clone(&at_once));
    let (stage, _) = made("other", move |fence: &u64| {
        max.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(*fence)
    });
    let mut builder = Pipeline::builder("locking");
    // Its results are not kept, so each batch processes the document.
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
    let kept = BatchOptions::default();
    let begin = |pipeline| Submission::begin(store, "b", pipeline, &kept, patience());
    let mut first = begin(&pipeline).await.unwrap();
    first.push("one").await.unwrap();
    first.flush().await.unwrap();
    let error = begin(&other).await.unwrap_err();
    assert!(error.to_string().contains("already exists in pipeline \"words\""), "{error}");
    let mut second = begin(&pipeline).await.unwrap();
    assert_eq!(second.submitted(), 1);
    second.push("two").await.unwrap();
    assert_eq!(second.seal().await.unwrap(), 2);
    assert!(begin(&pipeline).await.unwrap_err().to_string().contains("accepts no more documents"));
    assert_eq!(BatchRegistry::new(store.clone()).list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_can_be_spawned() {
    let databases = databases().await;
    let store = databases.get("batch").unwrap().clone();
    let worker = Worker::new(&store, Vec::new(), options(), patience());
    let running = tokio::spawn(async move { worker.run(std::future::ready(())).await });
    assert_eq!(running.await.unwrap().unwrap().ended, Ended::Stopped);
}

/// Records written by newer code, or damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_keeps_nobody_from_working() {
    use compartment_core::HashStoreExt;

    let databases = databases().await;
    let (stage, _) = made("split", |_: &String| Ok(1_u32));
    let mut builder = Pipeline::builder("words");
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build().unwrap();
    let store = databases.get("batch").unwrap();
    store.hash().set_field("compartment:batches", "strange", "{\"form\": 2}").await.unwrap();
    store.hash().set_field("compartment:workers", "strange", "?").await.unwrap();
    submit(store, &pipeline, "b", &["a", "b"]).await;
    assert_eq!(work(&databases, &pipeline, "b").await.ended, Ended::Finished);
    assert!(workers(store).await.unwrap().is_empty());
    assert_eq!(BatchRegistry::new(store.clone()).list().await.unwrap().len(), 1);
}
