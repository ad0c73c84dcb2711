//! The ledger: a SQL database that is opened on first use and may be unavailable at times.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use compartment_core::{Backoff, LedgerAddress, Result};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tokio::sync::OnceCell;

use super::error::{ledger_error, too_slow};
use super::many::Dialect;
use super::postgres::{Reached, reach};
use super::schema::migrator;
use super::session::{Session, within};
use super::terms::Terms;

/// The default time limit for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long SQLite waits for another writer before it reports that the file is busy.
const BUSY_MILLIS: u64 = 5_000;
/// How long a connection is attempted before the ledger counts as unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often migrations are attempted while other processes may be running them, and the pauses between attempts.
const MIGRATION_ATTEMPTS: u32 = 10;
const MIGRATION_BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
/// Connections of one process: one for the mirror, the others for readers.
const CONNECTIONS: u32 = 4;

/// The outcome of every document of every batch, in SQL: an SQLite file or a PostgreSQL database.
///
/// Cheap to clone. The first request opens the database and creates its tables, so work continues while the ledger is
/// unavailable.
///
/// In SQLite a commit is on disk before it counts (`synchronous = FULL`, with a write-ahead log), because committed
/// rows are removed from the batch's outbox and then exist only here.
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

    /// The ledger at a parsed address. Nothing is opened yet.
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

    /// The address of the ledger.
    #[must_use]
    pub fn address(&self) -> &LedgerAddress {
        &self.inner.terms.address
    }

    /// Opens the ledger now, and creates or migrates its tables.
    ///
    /// # Errors
    /// [`compartment_core::ErrorKind::Unavailable`] if it cannot be reached, or the kind of its error; the next
    /// request tries again.
    pub async fn open(&self) -> Result<()> {
        self.connections("open ledger").await.map(drop)
    }

    /// Closes the connections, at the end of a program.
    pub async fn close(&self) {
        if let Some(open) = self.inner.open.get() {
            // Do not wait long for a server that does not answer.
            within(Duration::from_secs(2), open.close()).await;
        }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.inner.terms.is_sqlite()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.inner.terms.dialect()
    }

    pub(super) fn timeout(&self) -> Duration {
        self.inner.terms.timeout
    }

    /// A connection for one operation.
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
        let (url, settings) = match self.address() {
            LedgerAddress::Sqlite(path) => {
                create_private(path).map_err(|error| fail(error.into()))?;
                (self.address().reveal()?, Some(sqlite_settings()))
            }
            _ => {
                let reached = self.reach().await.map_err(fail)?;
                (reached.url, reached.schema.map(|schema| format!("SET search_path = {schema}")))
            }
        };
        let mut options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(self.timeout().min(CONNECT_TIMEOUT));
        if let Some(settings) = settings {
            options = options.after_connect(move |connection, _| {
                let settings = sqlx::AssertSqlSafe(settings.clone());
                Box::pin(async move {
                    sqlx::Executor::execute(connection, sqlx::raw_sql(settings)).await.map(drop)
                })
            });
        }
        let open = options.connect(&url).await.map_err(fail)?;
        let migrations = migrator(self.is_sqlite());
        for attempt in 1.. {
            match migrations.run(&open).await {
                Ok(()) => break,
                // Another process may be creating these tables at the same time.
                Err(_) if attempt < MIGRATION_ATTEMPTS => {
                    tokio::time::sleep(MIGRATION_BACKOFF.after(attempt)).await;
                }
                Err(error) => return Err(fail(error.into())),
            }
        }
        Ok(open)
    }
}

impl Ledger {
    /// How the PostgreSQL server is reached. Another process may be creating the schema at the same time.
    async fn reach(&self) -> sqlx::Result<Reached> {
        let url =
            self.address().reveal().map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let limit = self.timeout().min(CONNECT_TIMEOUT);
        let mut attempt = 1;
        loop {
            match within(limit, reach(&url)).await {
                Some(Err(sqlx::Error::Database(error)))
                    if error.is_unique_violation() && attempt < MIGRATION_ATTEMPTS =>
                {
                    tokio::time::sleep(MIGRATION_BACKOFF.after(attempt)).await;
                    attempt += 1;
                }
                Some(reached) => return reached,
                None => return Err(sqlx::Error::PoolTimedOut),
            }
        }
    }
}

fn sqlite_settings() -> String {
    format!(
        "PRAGMA busy_timeout = {BUSY_MILLIS}; PRAGMA journal_mode = WAL; \
         PRAGMA synchronous = FULL; PRAGMA cache_size = -16384"
    )
}

/// Creates the file of an SQLite ledger, unless it exists, for its owner only. SQLite gives the files beside it the mode
/// of this one.
fn create_private(path: &Path) -> std::io::Result<()> {
    match compartment_files::create_new(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // The target of a link could be created where somebody else wants it.
            std::fs::metadata(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.inner.terms.address)
    }
}
