//! One connection to the ledger for one operation, with a time limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Error, Result};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Row, SqlSafeStr, Type};

use super::error::{ledger_error, too_slow};
use super::many::Dialect;
use super::terms::Terms;

/// A borrowed connection. If its work failed or was abandoned, it is closed and not reused, because it may be in the
/// middle of a statement or transaction.
pub(super) struct Session<'l> {
    terms: &'l Arc<Terms>,
    operation: &'static str,
    connection: PoolConnection<Any>,
    is_whole: bool,
}

impl<'l> Session<'l> {
    pub(super) fn new(
        terms: &'l Arc<Terms>,
        operation: &'static str,
        connection: PoolConnection<Any>,
    ) -> Self {
        Self { terms, operation, connection, is_whole: true }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.terms.dialect()
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&mut self) -> Result<()> {
        // SQLite otherwise begins with a read lock, and then fails where it would have waited for another writer.
        let begin = if self.terms.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.execute(begin, Parameters::none()).await?;
        self.is_whole = false;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.execute("COMMIT", Parameters::none()).await?;
        self.is_whole = true;
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Result<()> {
        self.execute("ROLLBACK", Parameters::none()).await?;
        self.is_whole = true;
        Ok(())
    }

    /// Executes a statement; returns the number of changed rows.
    pub(super) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: Parameters,
    ) -> Result<u64> {
        let query = sqlx::query_with(sql, parameters.finish(self)?);
        let was_whole = self.risk();
        let done = query.execute(&mut *self.connection);
        match within(self.terms.timeout, done).await {
            Some(Ok(done)) => {
                self.is_whole = was_whole;
                Ok(done.rows_affected())
            }
            Some(Err(error)) => Err(self.broke(error)),
            None => Err(self.gave_up()),
        }
    }

    /// Executes statements that were made before; returns the number of changed rows.
    pub(super) async fn run(&mut self, statements: Vec<Statement>) -> Result<u64> {
        let mut changed = 0;
        for Statement { sql, parameters } in statements {
            changed += self.execute(AssertSqlSafe(sql), parameters).await?;
        }
        Ok(changed)
    }

    /// All rows of an answer. Use it for small answers.
    pub(super) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        parameters: Parameters,
    ) -> Result<Vec<LedgerRow>> {
        let query = sqlx::query_with(sql, parameters.finish(self)?);
        let was_whole = self.risk();
        let rows = query.fetch_all(&mut *self.connection);
        match within(self.terms.timeout, rows).await {
            Some(Ok(rows)) => {
                self.is_whole = was_whole;
                Ok(rows.into_iter().map(|row| self.row(row)).collect())
            }
            Some(Err(error)) => Err(self.broke(error)),
            None => Err(self.gave_up()),
        }
    }

    /// The caller may be dropped during a statement: until the statement has ended, the connection must not be
    /// reused.
    fn risk(&mut self) -> bool {
        std::mem::replace(&mut self.is_whole, false)
    }

    fn row(&self, row: AnyRow) -> LedgerRow {
        LedgerRow { row, terms: Arc::clone(self.terms), operation: self.operation }
    }

    fn broke(&self, error: sqlx::Error) -> Error {
        ledger_error(&self.terms.address, self.operation, error)
    }

    fn gave_up(&self) -> Error {
        too_slow(&self.terms.address, self.operation, self.terms.timeout)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.connection.close_on_drop();
        }
    }
}

/// The result of a future, or `None` after the time limit.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, future).await.ok()
}

/// A statement of this module's own text.
pub(super) struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) parameters: Parameters,
}

/// The parameters of a statement, in order.
#[derive(Default)]
pub(super) struct Parameters {
    arguments: AnyArguments,
    failure: Option<sqlx::Error>,
}

impl Parameters {
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    pub(super) fn with<'q, T>(mut self, value: T) -> Self
    where
        T: Encode<'q, Any> + Type<Any>,
    {
        self.push(value);
        self
    }

    pub(super) fn push<'q, T>(&mut self, value: T)
    where
        T: Encode<'q, Any> + Type<Any>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.failure = Some(sqlx::Error::Encode(error));
        }
    }

    /// Adds a number, limited to [`i64::MAX`].
    pub(super) fn number(self, number: u64) -> Self {
        self.with(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn finish(self, session: &mut Session<'_>) -> Result<AnyArguments> {
        self.failure.map_or(Ok(self.arguments), |error| {
            Err(ledger_error(&session.terms.address, session.operation, error))
        })
    }
}

/// A row of an answer.
pub(super) struct LedgerRow {
    row: AnyRow,
    terms: Arc<Terms>,
    operation: &'static str,
}

impl LedgerRow {
    /// The column at this index.
    pub(super) fn get<T>(&self, at: usize) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, Any> + Type<Any>,
    {
        self.row
            .try_get(at)
            .map_err(|error| ledger_error(&self.terms.address, self.operation, error))
    }

    /// A column that is never negative.
    pub(super) fn number(&self, at: usize) -> Result<u64> {
        Ok(u64::try_from(self.get::<i64>(at)?).unwrap_or(0))
    }

    pub(super) fn text(&self, at: usize) -> Result<String> {
        self.get(at)
    }
}
