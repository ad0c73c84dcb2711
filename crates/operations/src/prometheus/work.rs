//! Families of the pipeline's work, of the checks of health, and of the doctor's findings.

use std::collections::BTreeMap;

use compartment_admin::doctor::Examination;
use compartment_admin::health::{Health, HealthState};

use super::family::{Family, labels};
use crate::work::{BatchSummary, StageFigures};
use crate::{Look, Work};

/// Batches that go on are added up by pipeline and stage: a series for each batch would never end.
pub(super) fn of_work(work: &Work) -> Vec<Family> {
    let mut stages: BTreeMap<(String, String, &str), u64> = BTreeMap::new();
    let mut statuses: BTreeMap<&str, u64> = BTreeMap::new();
    let mut rates: BTreeMap<&str, f64> = BTreeMap::new();
    for batch in &work.batches {
        *statuses.entry(&batch.status).or_default() += 1;
        if batch.is_over() {
            continue;
        }
        *rates.entry(&batch.pipeline).or_default() += batch.documents_per_second.unwrap_or(0.0);
        for (stage, state, count) in by_state(batch) {
            *stages.entry((batch.pipeline.clone(), stage, state)).or_default() += count;
        }
    }
    let documents = stages.into_iter().map(|((pipeline, stage, state), count)| {
        (labels(&[("pipeline", &pipeline), ("stage", &stage), ("state", state)]), count as f64)
    });
    let batches =
        statuses.iter().map(|(status, count)| (labels(&[("status", status)]), *count as f64));
    let rates = rates.iter().map(|(pipeline, rate)| (labels(&[("pipeline", pipeline)]), *rate));
    let mut families = vec![
        Family::gauge("batches", "Batches.", batches.collect()),
        Family::gauge(
            "stage_documents",
            "Documents of batches that go on, by stage and state.",
            documents.collect(),
        ),
        Family::gauge("documents_per_second", "Documents that pass all stages.", rates.collect()),
        queues(work),
    ];
    families.extend(workers(work));
    families
}

fn by_state(batch: &BatchSummary) -> impl Iterator<Item = (String, &'static str, u64)> {
    let of_stage = |figures: &StageFigures| {
        let stage = figures.stage.clone();
        [
            (stage.clone(), "done", figures.done),
            (stage.clone(), "dead", figures.dead),
            (stage.clone(), "running", figures.claimed),
            (stage.clone(), "ready", figures.ready),
            (stage, "retrying", figures.delayed),
        ]
    };
    batch.stages.iter().flat_map(of_stage)
}

fn queues(work: &Work) -> Family {
    let mut values = Vec::new();
    for queue in &work.queues {
        let states = [
            ("waiting", queue.waiting),
            ("delayed", queue.delayed),
            ("running", queue.claimed),
            ("dead", queue.dead),
        ];
        for (state, count) in states {
            let place =
                [("queue", queue.queue.as_str()), ("stage", &queue.stage), ("state", state)];
            values.push((labels(&place), count as f64));
        }
    }
    Family::gauge("queue_tasks", "Single tasks, by queue and state.", values)
}

fn workers(work: &Work) -> Vec<Family> {
    let gone = work.workers.iter().filter(|worker| worker.is_gone).count();
    let alive = || work.workers.iter().filter(|worker| !worker.is_gone).map(|one| &one.state);
    let slots: usize = alive().map(|state| state.concurrency).sum();
    let busy: usize = alive().map(|state| state.running.len()).sum();
    let by_state = vec![
        (labels(&[("state", "alive")]), (work.workers.len() - gone) as f64),
        (labels(&[("state", "gone")]), gone as f64),
    ];
    vec![
        Family::gauge("workers", "Workers; those that are gone missed three heartbeats.", by_state),
        Family::gauge(
            "worker_slots",
            "Documents that workers can process at once.",
            vec![(String::new(), slots as f64)],
        ),
        Family::gauge(
            "worker_slots_busy",
            "Documents that workers process.",
            vec![(String::new(), busy as f64)],
        ),
    ]
}

/// Each check: 0 well, 1 not known, 2 warning, 3 critical.
pub(super) fn of_health(health: Option<&Health>) -> Family {
    let value = |state| match state {
        HealthState::Ok => 0.0,
        HealthState::Unknown => 1.0,
        HealthState::Warning => 2.0,
        HealthState::Critical => 3.0,
    };
    let mut states: BTreeMap<String, f64> = BTreeMap::new();
    for check in health.iter().flat_map(|health| &health.checks) {
        let place = labels(&[("check", &check.name), ("subject", &check.subject)]);
        let state = states.entry(place).or_default();
        *state = state.max(value(check.state));
    }
    let help = "State of a check: 0 ok, 1 unknown, 2 warning, 3 critical.";
    Family::gauge("health_state", help, states.into_iter().collect())
}

/// How many findings the doctor has, by code.
pub(super) fn of_doctor(examination: Option<&Examination>) -> Family {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for finding in examination.iter().flat_map(|found| &found.findings) {
        let code = serde_json::to_value(finding.code).unwrap_or_default();
        let severity = serde_json::to_value(finding.severity).unwrap_or_default();
        let (code, severity) =
            (code.as_str().unwrap_or_default(), severity.as_str().unwrap_or_default());
        let place = [("code", code), ("severity", severity), ("instance", &finding.instance)];
        *counts.entry(labels(&place)).or_default() += 1.0;
    }
    Family::gauge("doctor_findings", "Findings of the doctor.", counts.into_iter().collect())
}

/// The look itself.
pub(super) fn of_look(look: &Look) -> [Family; 2] {
    [
        Family::gauge(
            "look_timestamp_seconds",
            "When these figures were read, in seconds since 1970.",
            vec![(String::new(), look.at_ms as f64 / 1_000.0)],
        ),
        Family::gauge(
            "look_duration_seconds",
            "How long it took to read them.",
            vec![(String::new(), look.took_ms as f64 / 1_000.0)],
        ),
    ]
}
