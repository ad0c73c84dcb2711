//! Documents as they were submitted: copied once, in order, and read back to rebuild a batch.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result};

use super::batch_row::LedgerBatch;
use super::many::Dialect;
use super::session::{Parameters, Statement};
use super::{Ledger, many};

/// Rows that are read together.
const PAGE: u64 = 2_000;

impl Ledger {
    /// Copies documents in one transaction.
    pub(super) async fn copy_documents(
        &self,
        batch: &LedgerBatch,
        copy: DocumentCopy,
    ) -> Result<()> {
        let mut session = self.session("copy documents to ledger").await?;
        session.begin().await?;
        session.run(copy.statements).await?;
        let sql = "UPDATE batches SET documents = $2 WHERE id = $1 AND documents < $2";
        session.execute(sql, Parameters::none().with(batch.id).number(copy.next)).await?;
        session.commit().await
    }

    /// The submitted entries from the ordinal `from` on; empty after the last.
    pub(super) async fn documents(
        &self,
        batch: &LedgerBatch,
        from: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let mut session = self.session("read documents of ledger").await?;
        let sql = "SELECT ordinal, document, bytes FROM batch_documents \
                   WHERE batch_id = $1 AND ordinal >= $2 ORDER BY ordinal LIMIT $3";
        let parameters = Parameters::none().with(batch.id).number(from).number(max as u64);
        let rows = session.rows(sql, parameters).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for (row, wanted) in rows.iter().zip(from..) {
            let found = row.number(0)?;
            if found != wanted {
                let what = format!(
                    "the ledger has document {found} of batch {:?}, but not document {wanted}: rows of \
                     batch_documents were removed",
                    batch.record.name
                );
                return Err(Error::new(ErrorKind::Decode, "read documents of ledger", what));
            }
            let text: Option<String> = row.get(1)?;
            let bytes: Option<Vec<u8>> = row.get(2)?;
            entries.push(text.map_or_else(|| bytes.unwrap_or_default().into(), Bytes::from));
        }
        Ok(entries)
    }

    /// Calls `mention` with everything that a document was submitted as: in batches, also removed ones, in runs of one
    /// process and as a single task. A document may be mentioned more than once.
    ///
    /// # Errors
    /// The ledger's; then some documents were not mentioned.
    pub async fn each_document(&self, mut mention: impl FnMut(&[u8]) + Send) -> Result<()> {
        let mut session = self.session("read documents of ledger").await?;
        let (mut batch, mut ordinal) = (-1, -1);
        loop {
            let sql = "SELECT batch_id, ordinal, document, bytes FROM batch_documents \
                       WHERE (batch_id, ordinal) > ($1, $2) ORDER BY batch_id, ordinal LIMIT $3";
            let parameters = Parameters::none().with(batch).with(ordinal).number(PAGE);
            let rows = session.rows(sql, parameters).await?;
            for row in &rows {
                (batch, ordinal) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
                if let Some(text) = row.get::<Option<String>>(2)? {
                    mention(text.as_bytes());
                }
                if let Some(bytes) = row.get::<Option<Vec<u8>>>(3)? {
                    mention(&bytes);
                }
            }
            if (rows.len() as u64) < PAGE {
                break;
            }
        }
        // Runs and single tasks have no copies of their documents, and a batch may not have all yet.
        let (mut batch, mut stage, mut ordinal) = (-1, String::new(), -1);
        loop {
            let sql = "SELECT batch_id, task_type, ordinal, document FROM processing_tasks \
                       WHERE (batch_id, task_type, ordinal) > ($1, $2, $3) AND batch_id IN \
                       (SELECT id FROM batches WHERE documents = 0 OR documents < total) \
                       ORDER BY batch_id, task_type, ordinal LIMIT $4";
            let parameters =
                Parameters::none().with(batch).with(stage.clone()).with(ordinal).number(PAGE);
            let rows = session.rows(sql, parameters).await?;
            for row in &rows {
                (batch, stage, ordinal) = (row.get(0)?, row.get(1)?, row.get(2)?);
                if let Some(text) = row.get::<Option<String>>(3)? {
                    mention(text.as_bytes());
                }
            }
            if (rows.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }
}

/// Documents to copy together.
pub(super) struct DocumentCopy {
    statements: Vec<Statement>,
    /// The ordinal after the last one of them.
    pub(super) next: u64,
}

impl DocumentCopy {
    /// The documents with these entries, from the ordinal `from` on. Other tasks have their turn after each statement.
    pub(super) async fn new(dialect: Dialect, batch: i64, from: u64, entries: &[Bytes]) -> Self {
        let mut ordinal = i64::try_from(from).unwrap_or(i64::MAX);
        let mut statements = Vec::with_capacity(entries.len().div_ceil(many::MOST));
        for some in entries.chunks(many::MOST) {
            let size = many::size_for(some.len());
            let mut parameters = Parameters::none().with(batch);
            for at in 0..size {
                let entry = some.get(at);
                let (text, bytes) = entry.map_or((None, None), parts);
                parameters.push(if entry.is_some() { ordinal } else { many::FILLING });
                parameters.push(text);
                parameters.push(bytes);
                ordinal += i64::from(entry.is_some());
            }
            statements.push(Statement { sql: insert_of(dialect, size), parameters });
            tokio::task::yield_now().await;
        }
        Self { statements, next: from + entries.len() as u64 }
    }
}

/// Text if every SQL database accepts it as text, otherwise bytes.
fn parts(entry: &Bytes) -> (Option<String>, Option<Vec<u8>>) {
    match std::str::from_utf8(entry) {
        Ok(text) if !text.contains('\0') => (Some(text.to_owned()), None),
        _ => (None, Some(entry.to_vec())),
    }
}

fn insert_of(dialect: Dialect, size: usize) -> Arc<str> {
    static TEXTS: many::Texts = many::no_texts();
    many::text_of(&TEXTS, dialect, size, || {
        format!(
            "WITH b (id) AS (VALUES ({})), v (ordinal, document, bytes) AS (VALUES {})
INSERT INTO batch_documents (batch_id, ordinal, document, bytes)
SELECT b.id, v.ordinal, v.document, v.bytes FROM b CROSS JOIN v WHERE v.ordinal >= 0
ON CONFLICT (batch_id, ordinal) DO NOTHING",
            dialect.parameter(1),
            many::rows_of(dialect, size, 3, 2)
        )
    })
}
