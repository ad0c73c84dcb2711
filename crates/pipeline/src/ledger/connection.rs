//! The ledger: a SQL database that is opened when it is first needed, and outlives being away.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use compartment_core::{Backoff, LedgerAddress, Result};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tokio::sync::OnceCell;

use super::error::{ledger_error, too_slow};
use super::schema::migrator;
use super::session::{Session, within};
use super::terms::Terms;

/// How long an answer is waited for, unless told.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long SQLite waits for another writer before it says that the file is busy.
const BUSY_MILLIS: u64 = 5_000;
/// How long one that refuses connections is asked again, before it is said to be away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often tables are begun to be made that others may be making, and the first pause between.
const MIGRATION_ATTEMPTS: u32 = 10;
const MIGRATION_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
/// Connections of one process: one mirrors, others read.
const CONNECTIONS: u32 = 4;

/// The outcome of every document of every batch, in SQL: an SQLite file or a PostgreSQL database.
///
/// Cheap to clone. The first request opens it and creates its tables: work continues while a ledger is
/// unavailable.
///
/// In SQLite a commit is on the disk before it counts (`synchronous = FULL`, in a write-ahead log): what
/// has been written here is removed from the batch's outbox, and is nowhere else then.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    terms: Arc<Terms>,
    open: OnceCell<AnyPool>,
}

impl Ledger {
    /// The ledger at an address: `sqlite://FILE`, a file's path, or `postgres://USER@HOST/DATABASE`.
    ///
    /// # Errors
    /// [`compartment_core::ErrorKind::Configuration`] for an invalid address. Nothing is opened yet.
    pub fn at(address: &str) -> Result<Self> {
        Ok(Self::new(address.parse()?))
    }

    /// The ledger at an address that was read already. Nothing is opened yet.
    #[must_use]
    pub fn new(address: LedgerAddress) -> Self {
        Self::of(address, TIMEOUT)
    }

    /// This ledger with another time limit for each answer.
    #[must_use]
    pub fn answering_within(&self, timeout: Duration) -> Self {
        Self::of(self.inner.terms.address.clone(), timeout)
    }

    fn of(address: LedgerAddress, timeout: Duration) -> Self {
        let terms = Arc::new(Terms { address, timeout });
        Self { inner: Arc::new(Inner { terms, open: OnceCell::new() }) }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &LedgerAddress {
        &self.inner.terms.address
    }

    /// Opens it now, and makes or renews its tables.
    ///
    /// # Errors
    /// [`compartment_core::ErrorKind::Unavailable`] where it cannot be reached, and others by what is
    /// wrong; the next request tries again.
    pub async fn open(&self) -> Result<()> {
        self.connections("open ledger").await.map(drop)
    }

    /// Closes its connections: for a program that ends.
    pub async fn close(&self) {
        if let Some(open) = self.inner.open.get() {
            // A server that does not answer is not waited for long.
            within(Duration::from_secs(2), open.close()).await;
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.inner.terms.is_sqlite()
    }

    pub(super) fn timeout(&self) -> Duration {
        self.inner.terms.timeout
    }

    /// A connection for a piece of work.
    pub(super) async fn session(&self, operation: &'static str) -> Result<Session<'_>> {
        let open = self.connections(operation).await?;
        match within(self.timeout(), open.acquire()).await {
            Some(Ok(connection)) => Ok(Session::new(&self.inner.terms, operation, connection)),
            Some(Err(error)) => Err(ledger_error(self.address(), operation, error)),
            None => Err(too_slow(self.address(), operation, self.timeout())),
        }
    }

    async fn connections(&self, operation: &'static str) -> Result<&AnyPool> {
        let opened = within(self.timeout(), self.inner.open.get_or_try_init(|| self.connect()));
        match opened.await {
            Some(opened) => opened,
            None => Err(too_slow(self.address(), operation, self.timeout())),
        }
    }

    async fn connect(&self) -> Result<AnyPool> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let fail = |error| ledger_error(self.address(), "open ledger", error);
        let mut options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(self.timeout().min(CONNECT_TIMEOUT));
        if self.is_sqlite() {
            options = options.after_connect(|connection, _| {
                Box::pin(async move {
                    let settings = format!(
                        "PRAGMA busy_timeout = {BUSY_MILLIS}; PRAGMA journal_mode = WAL; \
                         PRAGMA synchronous = FULL; PRAGMA cache_size = -16384"
                    );
                    let settings = sqlx::AssertSqlSafe(settings);
                    sqlx::Executor::execute(connection, sqlx::raw_sql(settings)).await.map(drop)
                })
            });
        }
        let open = options.connect(&self.address().reveal()?).await.map_err(fail)?;
        let migrations = migrator(self.is_sqlite());
        for attempt in 1.. {
            match migrations.run(&open).await {
                Ok(()) => break,
                // Another process may be making the same tables at this moment.
                Err(_) if attempt < MIGRATION_ATTEMPTS => {
                    tokio::time::sleep(MIGRATION_BACKOFF.after(attempt)).await;
                }
                Err(error) => return Err(fail(error.into())),
            }
        }
        Ok(open)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.inner.terms.address)
    }
}
