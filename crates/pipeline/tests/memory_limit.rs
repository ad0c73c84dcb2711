//! A worker with excessive memory ends and reports the document. Alone in a program, whose memory is measured.

#[expect(dead_code, reason = "it uses a part of them")]
#[path = "integration/stages/mod.rs"]
mod stages;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compartment_pipeline::{Ended, Pipeline, StageOptions, Worker};

use stages::{databases, engine, failures, made, options, patience, progress, submit, work};

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_allocates_without_end_ends_the_worker_and_is_told() {
    let databases = databases().await;
    let is_over = Arc::<AtomicBool>::default();
    let over = Arc::clone(&is_over);
    let (stage, _) = made("other", move |text: &String| {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        // Limited, so that a worker that does not stop it fails the test but not the machine.
        while text == "hoards" && hoard.len() < 64 && !over.load(Ordering::Relaxed) {
            hoard.push(vec![1; 16 * MIB]);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(hoard.len() as u64)
    });
    let mut builder = Pipeline::builder("hoarding");
    builder.stage(stage, StageOptions::default().max_attempts(1), (), |document, ()| {
        Ok(document.text()?.to_owned())
    });
    let pipeline = builder.build().expect("the pipeline can be built");
    let store = databases.get("batch").expect("there is a batch database");
    submit(store, &pipeline, "b", &["a", "hoards", "b", "c", "d"]).await;

    let mut limited = options();
    limited.memory_limit = Some(250 * MIB as u64);
    let engines = vec![engine(&databases, &pipeline).await];
    let worker = Worker::new(store, engines, limited, patience());
    let report = worker.run(std::future::pending()).await.expect("the store is there");
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(report.ended, Ended::Memory);
    let failed = failures(&databases, "b").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].1, 1);
    assert!(failed[0].2.starts_with("out_of_memory: the worker's memory passed"), "{failed:?}");
    assert_eq!(progress(&databases, "b").await.stages[0].claimed, 0, "the rest is handed back");

    // The next worker does the rest.
    work(&databases, &pipeline, "b").await;
    let progress = progress(&databases, "b").await;
    assert_eq!((progress.done, progress.dead), (4, 1));
}
