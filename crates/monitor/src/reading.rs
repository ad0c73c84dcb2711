//! Reads what the state asks for, one thing of each kind at a time, beside the loop.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment_operations::changes::{Actor, AuditEntry, Change, ChangeError, Changes};
use compartment_operations::work::{BatchView, DeadLetter, DeadLetterQuery, document_name};
use compartment_operations::{Operations, OperationsError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::answers::{
    Answered, BatchFigures, ChangeLine, FailureLine, Letter, RunningLine, SlowLine,
};
use crate::state::{Answer, Outcome, Plan, Request};

/// Dead letters that are shown at most.
const MAX_LETTERS: u64 = 1_000;
/// Entries of the audit log that are shown at most.
const MAX_CHANGES: usize = 500;
/// How long the end of the program waits for a change that has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Batch,
    Letters,
    Changes,
    Plan,
    Act,
}

/// Reads, plans and acts beside the loop.
#[derive(Debug)]
pub(crate) struct Asker {
    operations: Operations,
    changes: Changes,
    actor: Actor,
    answers: mpsc::Sender<Answer>,
    busy: BTreeMap<Kind, (JoinHandle<()>, Request)>,
}

impl Asker {
    pub(crate) fn new(
        operations: Operations,
        changes: Changes,
        actor: Actor,
        answers: mpsc::Sender<Answer>,
    ) -> Self {
        Self { operations, changes, actor, answers, busy: BTreeMap::new() }
    }

    /// Begins to read, unless it is being read already.
    pub(crate) fn ask(&mut self, request: Request) {
        let kind = match &request {
            Request::Batch(_) => Kind::Batch,
            Request::Letters => Kind::Letters,
            Request::Changes => Kind::Changes,
            Request::Plan(_) => Kind::Plan,
            Request::Act(_) => Kind::Act,
            Request::Look
            | Request::Examine
            | Request::Redraw
            | Request::Suspend
            | Request::Quit => return,
        };
        if let Some((task, before)) = self.busy.get(&kind)
            && !task.is_finished()
        {
            if *before == request || kind == Kind::Act {
                return;
            }
            task.abort();
        }
        let (operations, changes) = (self.operations.clone(), self.changes.clone());
        let (actor, answers, asked) = (self.actor.clone(), self.answers.clone(), request.clone());
        let task = tokio::spawn(async move {
            if let Some(answer) = answer(&operations, &changes, &actor, asked).await {
                // Nobody waits for it at the end of the program.
                let _ = answers.send(answer).await;
            }
        });
        self.busy.insert(kind, (task, request));
    }

    /// Waits for a change that has begun, so that it does not end half-way.
    pub(crate) async fn finish(mut self) {
        if let Some((task, _)) = self.busy.remove(&Kind::Act) {
            let _ = tokio::time::timeout(PATIENCE, task).await;
        }
    }
}

async fn answer(
    operations: &Operations,
    changes: &Changes,
    actor: &Actor,
    request: Request,
) -> Option<Answer> {
    Some(match request {
        Request::Batch(name) => {
            let found = operations.batch(&name).await;
            Answer::Batch(name, told(found.map(|view| figures(&view))))
        }
        Request::Letters => {
            let mut query = DeadLetterQuery::default();
            query.limit = MAX_LETTERS;
            let found = operations.dead_letters(&query).await;
            Answer::Letters(told(found.map(|all| all.into_iter().map(letter).collect())))
        }
        Request::Changes => {
            let found = told(operations.audit(None, MAX_CHANGES).await);
            let none =
                || "the map has no database `metrics` on a server, which holds it".to_owned();
            let found = found.and_then(|found| found.ok_or_else(none));
            Answer::Changes(found.map(lines))
        }
        Request::Plan(change) => Answer::Planned(plan(changes, actor, change).await),
        Request::Act(id) => Answer::Acted(match changes.act(&id, actor).await {
            Ok(done) => {
                let text = [done.summary].into_iter().chain(done.notes).collect::<Vec<_>>();
                Outcome { is_good: true, text: text.join(" ") }
            }
            Err(error) => Outcome { is_good: false, text: of_change(&error) },
        }),
        Request::Look | Request::Examine | Request::Redraw | Request::Suspend | Request::Quit => {
            return None;
        }
    })
}

async fn plan(changes: &Changes, actor: &Actor, change: Change) -> Answered<Plan> {
    let found = changes.plan(change, actor).await.map_err(|error| of_change(&error))?;
    Ok(Plan {
        id: found.id,
        summary: found.summary,
        touches: found.touches,
        refusals: found.refusals,
    })
}

fn told<T>(found: Result<T, OperationsError>) -> Answered<T> {
    found.map_err(|error| match error {
        OperationsError::Store(error) => format!("failed to {error}"),
        error => error.to_string(),
    })
}

fn of_change(error: &ChangeError) -> String {
    match error {
        ChangeError::Operations(OperationsError::Store(error)) => format!("failed to {error}"),
        error => error.to_string(),
    }
}

fn figures(view: &BatchView) -> BatchFigures {
    let failures = view.failures.iter().map(|group| FailureLine {
        stage: group.stage.clone(),
        documents: group.documents,
        example: group.example.clone(),
    });
    let running = view.running.iter().map(|one| RunningLine {
        document: one.document.clone(),
        stage: one.stage.clone(),
        worker: one.worker.clone(),
        for_ms: one.for_ms,
        is_stuck: view.stuck.contains(one),
    });
    let slowest = view.slowest.iter().filter_map(|task| {
        Some(SlowLine {
            document: document_name(task).unwrap_or_else(|| task.ordinal.to_string()),
            stage: task.task_type.clone(),
            took_ms: task.took_ms()?,
        })
    });
    BatchFigures {
        failures: failures.collect(),
        running: running.collect(),
        slowest: slowest.collect(),
    }
}

fn letter(found: DeadLetter) -> Letter {
    Letter {
        stage: found.stage,
        number: found.id.number(),
        class: format!("{:?}", found.class).to_lowercase(),
        attempts: found.attempts,
        lost: found.lost,
        submitted_ms: found.submitted_ms,
        died_ms: found.died_ms,
        error: found.error,
        data: found.data,
    }
}

/// The entries, the newest first.
fn lines(entries: Vec<AuditEntry>) -> Vec<ChangeLine> {
    let line = |entry: &AuditEntry| ChangeLine {
        at_ms: entry.at_ms,
        actor: entry.who.clone(),
        outcome: format!("{:?}", entry.outcome).to_lowercase(),
        summary: entry.summary.clone(),
        entry: serde_json::to_string_pretty(entry).unwrap_or_default(),
    };
    let mut lines: Vec<ChangeLine> = entries.iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
    lines
}
