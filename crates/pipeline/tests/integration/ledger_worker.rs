//! Every stage executed by a worker has its row, however it ended, without code in the stage.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use compartment_core::Backoff;
use compartment_pipeline::ledger::{LedgerMirror, LedgerStatus, TaskFilter};
use compartment_pipeline::{BatchOptions, Pipeline, StageError, StageOptions, Submission};

use crate::ledger_fixtures::in_a_file;
use crate::stages::{databases, made, patience, work};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_executed_stage_has_its_row() {
    let databases = databases().await;
    let shaky = Mutex::new(std::collections::BTreeMap::<String, u32>::new());
    let (split, splits) = made("split", move |text: &String| {
        let seen = {
            let mut shaky = shaky.lock().unwrap();
            let seen = shaky.entry(text.clone()).or_default();
            *seen += 1;
            *seen
        };
        match text.as_str() {
            text if text.starts_with("shaky") && seen < 3 => {
                Err(StageError::new("away", "a service is away").transient())
            }
            text if text.starts_with("broken") => Err(StageError::new("broken", "it is broken")),
            text if text.starts_with("panic") => panic!("a bug on this document"),
            text => Ok(text.len() as u64),
        }
    });
    let (sum, sums) = made("sum", |length: &u64| Ok(*length + 1));
    let mut builder = Pipeline::builder("words");
    let options = StageOptions::default()
        .max_attempts(4)
        .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(2)));
    let words =
        builder.stage(split, options.clone(), (), |document, ()| Ok(document.text()?.to_owned()));
    builder.stage(sum, options, words, |_, length| Ok(*length));
    let pipeline = builder.build().unwrap();

    let store = databases.get("batch").unwrap();
    let mut options = BatchOptions::default();
    options.outbox = true;
    let mut submission =
        Submission::begin(store, "b", &pipeline, &options, patience()).await.unwrap();
    let kinds = ["fine", "shaky", "broken", "panic"];
    for number in 0..40 {
        submission.push(format!("{} {number}", kinds[number % 4])).await.unwrap();
    }
    submission.seal().await.unwrap();
    work(&databases, &pipeline, "b").await;

    let (ledger, _folder) = in_a_file();
    let mirror = LedgerMirror::new(store.clone(), ledger.clone());
    mirror.mirror_once("b").await.unwrap();
    let rows = ledger.tasks(&TaskFilter::of_batch("b")).await.unwrap();
    let executed = splits.load(Ordering::Relaxed) + sums.load(Ordering::Relaxed);
    let attempts: u32 = rows.iter().map(|row| row.retry_count + 1).sum();
    assert_eq!(attempts, executed);
    assert_eq!(rows.iter().filter(|row| row.task_type == "split").count(), 40);
    assert_eq!(rows.iter().filter(|row| row.task_type == "sum").count(), 20);
    for row in &rows {
        let wanted = match (row.task_type.as_str(), row.ordinal % 4) {
            ("sum", _) | ("split", 0) => (LedgerStatus::Done, 0, None),
            (_, 1) => (LedgerStatus::Done, 2, None),
            (_, 2) => (LedgerStatus::Dead, 0, Some("broken: it is broken")),
            _ => (LedgerStatus::Dead, 0, Some("panicked")),
        };
        let error = row.error.as_deref();
        assert_eq!((row.status, row.retry_count), (wanted.0, wanted.1), "{row:?}");
        assert_eq!(error.is_some(), wanted.2.is_some(), "{row:?}");
        assert!(error.unwrap_or_default().contains(wanted.2.unwrap_or_default()), "{row:?}");
        assert!(row.claim_token > 0 && !row.worker.is_empty(), "{row:?}");
        assert!(row.started_ms.unwrap() > 1_700_000_000_000, "{row:?}");
        assert!(row.completed_ms >= row.started_ms, "{row:?}");
        let document = row.document.as_deref().unwrap();
        assert!(document.ends_with(&format!(" {}", row.ordinal)), "{row:?}");
    }
    assert!(mirror.audit("b").await.unwrap().is_clean());
}
