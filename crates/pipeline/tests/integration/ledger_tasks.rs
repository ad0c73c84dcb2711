//! Rows of single tasks in the ledger.

use compartment_core::{TaskId, Timestamp};
use compartment_pipeline::ledger::{LedgerMirror, LedgerStatus, TaskFilter};
use compartment_pipeline::{SingleTaskRow, TaskOutbox, TaskStatus};
use compartment_testkit::run_test;

use crate::ledger_fixtures::batches::in_memory;
use crate::ledger_fixtures::in_a_file;

#[test]
fn single_tasks_arrive_and_a_stale_attempt_is_refused() {
    run_test(async {
        let (batch, _) = in_memory().await;
        let (ledger, _folder) = in_a_file();
        let outbox = TaskOutbox::new(batch.clone());
        let row = |task: u64, token: u64, status: TaskStatus| SingleTaskRow {
            queue: "legal.extract".into(),
            task: TaskId::from_number(task),
            token,
            document: format!("document {task}"),
            worker: "w".into(),
            attempt: 1,
            status,
            error: if status == TaskStatus::Done { String::new() } else { "broken".into() },
            started: Timestamp::from_millis(1_000),
            completed: Timestamp::from_millis(1_250),
        };
        for kept in [row(1, 10, TaskStatus::Done), row(2, 12, TaskStatus::Dead)] {
            outbox.keep(&kept).await.unwrap();
        }
        let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
        assert_eq!(mirror.mirror_all().await.unwrap().rows, 2);
        assert!(mirror.mirror_all().await.unwrap().is_nothing());
        // A late report of a worker that lost the task.
        outbox.keep(&row(2, 11, TaskStatus::Failed)).await.unwrap();
        mirror.mirror_all().await.unwrap();
        let tasks = ledger.tasks(&TaskFilter::of_batch("")).await.unwrap();
        let left: Vec<_> = tasks.iter().map(|task| (task.ordinal, task.status)).collect();
        assert_eq!(left.len(), 2);
        assert!(left.contains(&(1, LedgerStatus::Done)) && left.contains(&(2, LedgerStatus::Dead)));
        assert_eq!(tasks[0].took_ms(), Some(250));
        assert!(outbox.rows().await.unwrap().0.is_empty());
    });
}
