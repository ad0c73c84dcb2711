//! Compares a batch's counts, its bits and the ledger's rows, and repairs differences.

use std::sync::Arc;

use compartment_core::{
    BatchAudit, Database, Expiry, FencingToken, KeyTemplate, MAX_AT_ONCE, RestoredFact, Result,
};
use serde::Serialize;

use super::batch_row::LedgerBatch;
use super::drift::{AuditReport, Bits, DriftKind, LedgerDrift};
use super::mirror::Own;
use super::outbox::millis;
use super::session::Parameters;
use super::write::{NO_TOKEN, TaskWrite};
use super::{Ledger, LedgerMirror, LedgerStatus};

/// The worker's name in rows that were written from bits.
pub const AUDIT_WORKER: &str = "audit";
/// Rows read in one request.
const PAGE: u64 = 5_000;

/// The findings of a batch's last audit: a count for each kind of difference, and `at_ms`.
pub(crate) const AUDITED: KeyTemplate<()> =
    KeyTemplate::new("batch_audit", "compartment:batch:audit:{database}:{batch}", "metrics");
/// How long the figures of an audit are kept.
const TTL: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// The result of a repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Repaired {
    /// Whether counts, stranded documents and the completion were repaired; `false` if another process has repaired
    /// the batch since the audit.
    pub batch: bool,
    /// Rows written from bits.
    pub rows: u64,
    /// Bits restored from rows.
    pub bits: u64,
}

/// Done and dead documents of one stage, according to its rows.
#[derive(Debug, Default)]
struct Said {
    done: Bits,
    dead: Bits,
}

impl LedgerMirror {
    /// Compares a batch with itself and with the ledger, after writing waiting rows. Workers can continue meanwhile:
    /// bits are read before and after the rows, and changes in between are not drift.
    ///
    /// # Errors
    /// The store's and the ledger's; [`compartment_core::ErrorKind::Unknown`] if the batch does not exist.
    pub async fn audit(&self, batch: &str) -> Result<AuditReport> {
        let own = self.own(batch).await?;
        let upkeep = &own.upkeep;
        let plan = own.batch.plan(batch).await?;
        let audit = upkeep.audit(batch).await?;
        let mut report = AuditReport {
            batch: batch.to_owned(),
            total: audit.total,
            at_ms: self.clock.now().as_millis(),
            counters: audit.drift.clone(),
            stranded: audit.stranded.clone(),
            completion_missed: audit.completion_missed,
            ledger: Vec::new(),
            compared_with_ledger: plan.outbox,
            unreadable: 0,
            row: None,
            audit,
        };
        if !plan.outbox {
            return Ok(report);
        }
        self.mirror_whole(&own).await?;
        let row = self.ledger.known("audit batch", batch).await?;
        (report.unreadable, report.row) = (row.unreadable, Some(row.id));
        let mut drift = self.compare(&own, &row, &report.audit).await?;
        if !drift.is_empty() {
            // A document may have died and been retried between two reads: only a lasting difference is drift.
            let again = upkeep.audit(batch).await?;
            self.mirror_whole(&own).await?;
            let still = self.compare(&own, &row, &again).await?;
            drift = in_both(drift, &still);
        }
        report.ledger = drift;
        Ok(report)
    }

    /// Compares the current rows with the bits read before and after them.
    async fn compare(
        &self,
        own: &Own,
        row: &LedgerBatch,
        before: &BatchAudit,
    ) -> Result<Vec<LedgerDrift>> {
        let mut rows = Vec::with_capacity(row.plan.stages.len());
        for stage in &row.plan.stages {
            rows.push(self.ledger.said(row, &stage.name).await?);
        }
        let after = own.upkeep.audit(&own.name).await?;
        let total = u32::try_from(before.total).unwrap_or(u32::MAX);
        let bits =
            |all: &[Vec<u8>], stage: usize| Bits(all.get(stage).cloned().unwrap_or_default());
        let mut drift = Vec::new();
        for (index, (stage, said)) in row.plan.stages.iter().zip(&rows).enumerate() {
            let done = (&bits(&before.done, index), &bits(&after.done, index));
            let dead = (&bits(&before.dead, index), &bits(&after.dead, index));
            for (kind, ordinals) in [
                (
                    DriftKind::DoneWithoutRow,
                    Bits::ordinals(total, &[done.0, done.1], &[&said.done]),
                ),
                (
                    DriftKind::DeadWithoutRow,
                    Bits::ordinals(total, &[dead.0, dead.1], &[&said.dead]),
                ),
                (
                    DriftKind::RowWithoutDone,
                    Bits::ordinals(total, &[&said.done], &[done.0, done.1]),
                ),
                (
                    DriftKind::RowWithoutDead,
                    Bits::ordinals(total, &[&said.dead], &[dead.0, dead.1]),
                ),
            ] {
                if !ordinals.is_empty() {
                    drift.push(LedgerDrift { stage: stage.name.clone(), index, kind, ordinals });
                }
            }
        }
        Ok(drift)
    }

    /// Repairs the findings of an audit: counts, stranded documents and a missed completion in the
    /// batch. Missing rows are written from its bits, with the worker [`AUDIT_WORKER`], and missing
    /// bits are restored from rows. Workers can continue meanwhile.
    ///
    /// # Errors
    /// The store's and the ledger's. Earlier repairs remain.
    pub async fn repair(&self, report: &AuditReport) -> Result<Repaired> {
        let mut repaired = Repaired::default();
        let own = self.born_as(&report.batch, FencingToken::from_number(report.audit.born));
        // This fails if the batch was replaced: rows are written only for the audited batch.
        own.batch.plan(&report.batch).await?;
        // Later stages first, so that no document is queued for a stage that it has completed.
        for drift in report.ledger.iter().rev() {
            match drift.kind {
                DriftKind::DoneWithoutRow | DriftKind::DeadWithoutRow => {
                    repaired.rows += self.write_rows(report, drift).await?;
                }
                DriftKind::RowWithoutDone | DriftKind::RowWithoutDead => {
                    repaired.bits += self.restore_bits(&own, report, drift).await?;
                }
            }
        }
        // Restoring bits corrects the counts too; the earlier audit still describes the other differences.
        let audit = &report.audit;
        repaired.batch = audit.is_clean() || own.upkeep.repair(&report.batch, audit).await?;
        Ok(repaired)
    }

    async fn write_rows(&self, report: &AuditReport, drift: &LedgerDrift) -> Result<u64> {
        let Some(row) = report.row else { return Ok(0) };
        let status = match drift.kind {
            DriftKind::DeadWithoutRow => LedgerStatus::Dead,
            _ => LedgerStatus::Done,
        };
        let error = (status == LedgerStatus::Dead)
            .then(|| "dead in the batch; no row tells the error (found by an audit)".to_owned());
        let (task_type, worker) =
            (Arc::new(drift.stage.clone()), Arc::new(AUDIT_WORKER.to_owned()));
        let now = Some(millis(self.clock.now()));
        let mut session = self.ledger.session("repair ledger").await?;
        session.begin().await?;
        let of_ordinal = |ordinal: &u32| TaskWrite {
            task_type: Arc::clone(&task_type),
            ordinal: i64::from(*ordinal),
            document: None,
            status,
            worker: Arc::clone(&worker),
            token: NO_TOKEN,
            retry_count: 0,
            error: error.clone(),
            started: None,
            completed: now,
        };
        let rows = session.write(row, drift.ordinals.iter().map(of_ordinal)).await?;
        session.commit().await?;
        Ok(rows)
    }

    async fn restore_bits(
        &self,
        own: &Own,
        report: &AuditReport,
        drift: &LedgerDrift,
    ) -> Result<u64> {
        let mut restored = 0;
        for some in drift.ordinals.chunks(MAX_AT_ONCE) {
            let mut facts = Vec::with_capacity(some.len());
            for ordinal in some {
                let fact = if drift.kind == DriftKind::RowWithoutDone {
                    RestoredFact::Done
                } else {
                    let rows = self.ledger.task(&report.batch, u64::from(*ordinal)).await?;
                    let row = rows.into_iter().find(|row| row.task_type == drift.stage);
                    RestoredFact::Dead { error: row.and_then(|row| row.error).unwrap_or_default() }
                };
                facts.push((*ordinal, fact));
            }
            restored += own.upkeep.restore(&report.batch, drift.index, facts).await?;
        }
        Ok(restored)
    }

    /// Writes the findings of an audit to the `metrics` database, as a hash for each batch.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn export_drift(&self, metrics: &Database, report: &AuditReport) -> Result<()> {
        let key = AUDITED.key(&[self.batch.name(), &report.batch])?;
        let documents = |kind| {
            let of_kind = report.ledger.iter().filter(|drift| drift.kind == kind);
            of_kind.map(|drift| drift.ordinals.len() as u64).sum::<u64>()
        };
        let fields = [
            ("drift", report.drift()),
            ("counters", report.counters.len() as u64),
            ("stranded", report.stranded.len() as u64),
            ("completion_missed", u64::from(report.completion_missed)),
            ("done_without_row", documents(DriftKind::DoneWithoutRow)),
            ("dead_without_row", documents(DriftKind::DeadWithoutRow)),
            ("row_without_done", documents(DriftKind::RowWithoutDone)),
            ("row_without_dead", documents(DriftKind::RowWithoutDead)),
            ("unreadable", report.unreadable),
            ("at_ms", report.at_ms),
        ];
        let fields =
            fields.map(|(name, value)| (name.to_owned(), value.to_string().into())).to_vec();
        metrics.hash().set_fields(key.as_str(), fields, Expiry::After(TTL)).await.map(drop)
    }
}

/// The differences that both comparisons found.
fn in_both(first: Vec<LedgerDrift>, second: &[LedgerDrift]) -> Vec<LedgerDrift> {
    let again = |drift: &LedgerDrift| {
        second.iter().find(|other| other.index == drift.index && other.kind == drift.kind)
    };
    let kept = first.into_iter().filter_map(|mut drift| {
        let other = again(&drift)?;
        drift.ordinals.retain(|ordinal| other.ordinals.binary_search(ordinal).is_ok());
        (!drift.ordinals.is_empty()).then_some(drift)
    });
    kept.collect()
}

impl Ledger {
    /// The done and dead documents of a stage, according to its rows.
    async fn said(&self, batch: &LedgerBatch, stage: &str) -> Result<Said> {
        let mut said = Said::default();
        let mut from = 0;
        loop {
            let page = self.ended(batch, stage, from, PAGE).await?;
            for (ordinal, error) in &page {
                let bits = if error.is_none() { &mut said.done } else { &mut said.dead };
                bits.set(*ordinal);
            }
            let Some((last, _)) = page.last().filter(|_| page.len() as u64 == PAGE) else {
                return Ok(said);
            };
            from = u64::from(*last) + 1;
        }
    }

    /// Documents of a stage from `from` on that are done, or dead with an error.
    pub(super) async fn ended(
        &self,
        batch: &LedgerBatch,
        stage: &str,
        from: u64,
        max: u64,
    ) -> Result<Vec<(u32, Option<String>)>> {
        let mut session = self.session("read ledger").await?;
        let sql = "SELECT ordinal, CASE WHEN status = 'dead' THEN COALESCE(error, '') END \
                   FROM processing_tasks WHERE batch_id = $1 AND task_type = $2 \
                   AND ordinal >= $3 AND status IN ('done', 'dead') ORDER BY ordinal LIMIT $4";
        let parameters =
            Parameters::none().with(batch.id).with(stage.to_owned()).number(from).number(max);
        let rows = session.rows(sql, parameters).await?;
        let read = rows.iter().map(|row| {
            Ok((u32::try_from(row.number(0)?).unwrap_or(u32::MAX), row.get::<Option<String>>(1)?))
        });
        read.collect()
    }
}
