//! Batches, tasks and dead letters.

use compartment::pipeline::BatchRegistry;
use compartment::pipeline::ledger::{LedgerStatus, LedgerTask};
use compartment_operations::work::{BatchView, DeadLetter, TaskQuery, batch_status, document_name};
use compartment_operations::{count, counted};

use super::Said;
use super::arguments::{BatchProgress, ListTasks};
use super::results::{
    BatchDetail, BatchLine, BatchReport, DeadLetterLine, FailureLine, RunningLine, StageLine,
    TaskLine, TaskReport,
};
use crate::answer::{Answer, Problem, first};
use crate::serving::Serving;

const MAX_BATCHES: usize = 50;
const MAX_ROWS: usize = 30;
const MAX_TASKS: u64 = 200;

pub(crate) async fn batches(server: &Serving, arguments: BatchProgress) -> Answer<Said> {
    let Some(name) = arguments.batch else { return list(server).await };
    let view = server.operations().batch(&name).await?;
    let detail = detail(&view);
    let sentence = format!(
        "Batch {name} is {}: {} of {} done, {} dead.",
        detail.status,
        count(detail.done),
        counted(detail.total, "document"),
        count(detail.dead)
    );
    let report = BatchReport { batches: Vec::new(), more_batches: 0, batch: Some(detail) };
    Said::new(sentence, &report)
}

async fn list(server: &Serving) -> Answer<Said> {
    let database = server.operations().batch_database().await?;
    let mut records = BatchRegistry::new(database.clone()).list().await?;
    records.sort_by_key(|record| std::cmp::Reverse(record.created_at));
    let (records, more_batches) = first(records, MAX_BATCHES);
    let mut batches = Vec::with_capacity(records.len());
    for record in &records {
        let Some(progress) = database.batch().progress(&record.name).await? else { continue };
        batches.push(BatchLine {
            name: record.name.clone(),
            status: batch_status(progress.status, progress.is_paused).to_owned(),
            total: progress.total,
            done: progress.done,
            dead: progress.dead,
        });
    }
    let all = batches.len() as u64 + more_batches;
    let report = BatchReport { batches, more_batches, batch: None };
    Said::new(format!("There are {}.", counted(all, "batch record")), &report)
}

fn detail(view: &BatchView) -> BatchDetail {
    let summary = &view.summary;
    let stages = summary.stages.iter().map(|stage| StageLine {
        stage: stage.stage.clone(),
        done: stage.done,
        dead: stage.dead,
        claimed: stage.claimed,
        ready: stage.ready,
        delayed: stage.delayed,
    });
    let failures = view.failures.iter().map(|group| FailureLine {
        stage: group.stage.clone(),
        code: group.code.clone(),
        example: group.example.clone(),
        documents: group.documents,
    });
    let running = view.running.iter().map(|one| RunningLine {
        worker: one.worker.clone(),
        document: one.document.clone(),
        stage: one.stage.clone(),
        for_seconds: one.for_ms / 1_000,
    });
    let (failures, more_failures) = first(failures.collect(), MAX_ROWS);
    let (running, more_running) = first(running.collect(), MAX_ROWS);
    BatchDetail {
        name: summary.name.clone(),
        status: summary.status.clone(),
        pipeline: summary.pipeline.clone(),
        total: summary.total,
        done: summary.done,
        dead: summary.dead,
        stages: stages.collect(),
        failures,
        more_failures,
        running,
        more_running,
        stuck: view.stuck.len() as u64,
        unserved_stages: summary.unserved.clone(),
    }
}

pub(crate) async fn tasks(server: &Serving, arguments: ListTasks) -> Answer<Said> {
    let mut query = TaskQuery::default();
    query.status = arguments.status.as_deref().map(status).transpose()?;
    query.limit = u64::from(arguments.limit).clamp(1, MAX_TASKS);
    query.offset = arguments.offset.min(i64::MAX as u64);
    (query.batch, query.stage, query.error) = (arguments.batch, arguments.stage, arguments.error);
    let found = server.operations().tasks(&query).await?;
    let is_full = |rows: usize| rows as u64 >= query.limit;
    let report = TaskReport {
        may_be_more: is_full(found.tasks.len()) || is_full(found.dead_letters.len()),
        tasks: found.tasks.iter().map(task_line).collect(),
        dead_letters: found.dead_letters.iter().map(letter_line).collect(),
        has_ledger: found.has_ledger,
    };
    let sentence = format!(
        "{} of the ledger and {}.",
        counted(report.tasks.len() as u64, "row"),
        counted(report.dead_letters.len() as u64, "dead letter")
    );
    Said::new(sentence, &report)
}

fn status(word: &str) -> Answer<LedgerStatus> {
    let known = LedgerStatus::ALL.into_iter().find(|status| status.name() == word);
    known.ok_or_else(|| {
        let names: Vec<&str> = LedgerStatus::ALL.into_iter().map(LedgerStatus::name).collect();
        Problem(format!("there is no status {word:?}; there are {}", names.join(", ")))
    })
}

fn task_line(task: &LedgerTask) -> TaskLine {
    TaskLine {
        batch: task.batch.clone(),
        stage: task.task_type.clone(),
        number: task.ordinal,
        document: document_name(task),
        status: task.status.name().to_owned(),
        worker: task.worker.clone(),
        retries: task.retry_count,
        error: task.error.clone(),
        took_ms: task.took_ms(),
    }
}

fn letter_line(letter: &DeadLetter) -> DeadLetterLine {
    DeadLetterLine {
        stage: letter.stage.clone(),
        queue: letter.queue.clone(),
        id: letter.id.number(),
        attempts: letter.attempts,
        died_ms: letter.died_ms,
        error: letter.error.clone(),
    }
}
