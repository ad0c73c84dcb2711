//! What all programs of one thread share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use compartment_core::{DatabaseMap, FrontSettings, Result};

use tokio::sync::watch;

use crate::accounting::{Accounts, Book};
use crate::commands::CommandTable;
use crate::database::Database;
use crate::observer::Observer;
use crate::passwords::Passwords;
use crate::programs::Programs;
use crate::route::{DatabaseId, Router};
use crate::upstream::Servers;

/// Everything that follows from the configuration and from the servers' own tables. It does not change: another
/// configuration is another value.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) settings: FrontSettings,
    pub(crate) router: Router,
    pub(crate) table: CommandTable,
    pub(crate) passwords: Passwords,
    /// In the dry mode: who counts what the routes would do.
    pub(crate) observer: Option<Observer>,
    databases: Vec<Database>,
}

impl Config {
    pub(crate) fn new(
        map: &DatabaseMap,
        servers: &[String],
        router: Router,
        table: CommandTable,
        passwords: Passwords,
        observer: Option<Observer>,
    ) -> Result<Self> {
        let databases =
            router.databases().iter().map(|contract| Database::new(contract, map, servers));
        let mut databases = databases.collect::<Result<Vec<_>>>()?;
        // Keys that have not moved are asked for in their old place, which may be no database of the map.
        for at in 0..databases.len() {
            let Some(old) = databases[at].old_place() else { continue };
            let is_known =
                databases.iter().any(|one| (one.server, one.index) == (old.server, old.index));
            if !is_known {
                databases.push(old);
            }
        }
        Ok(Self { settings: map.front().clone(), router, table, passwords, observer, databases })
    }

    /// Empty accounts for its numbers.
    pub(crate) fn accounts(&self) -> Accounts {
        let (databases, routes) = (self.router.databases().len(), self.router.routes());
        Accounts::new(databases, self.table.len(), routes, self.settings.slow)
    }

    /// The place from which keys of a database still come.
    pub(crate) fn old_place(&self, id: DatabaseId) -> Option<DatabaseId> {
        let old = self.placed(id).old_place()?;
        let at = self
            .databases
            .iter()
            .position(|one| (one.server, one.index) == (old.server, old.index));
        at.and_then(|at| u16::try_from(at).ok()).map(DatabaseId::new)
    }

    /// A database, by its number.
    ///
    /// The router gives numbers of databases only; one that is none stands for the first.
    pub(crate) fn placed(&self, id: DatabaseId) -> &Database {
        &self.databases[id.position().min(self.databases.len() - 1)]
    }
}

/// The numbers of connections, over all threads.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A configuration, and the accounts that are kept by its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) config: Arc<Config>,
    pub(crate) accounts: Book,
}

/// One thread's part of the front.
#[derive(Debug)]
pub(crate) struct Front {
    current: RefCell<Current>,
    servers: Rc<Servers>,
    programs: Arc<Programs>,
    nobody_may: Cell<bool>,
    stopping: watch::Sender<bool>,
}

impl Front {
    pub(crate) fn new(
        config: Arc<Config>,
        servers: Rc<Servers>,
        accounts: Arc<Accounts>,
        programs: Arc<Programs>,
    ) -> Rc<Self> {
        Rc::new(Self {
            current: RefCell::new(Current { config, accounts: Book::new(accounts) }),
            servers,
            programs,
            nobody_may: Cell::new(false),
            stopping: watch::Sender::new(false),
        })
    }

    /// The configuration of now, and the accounts that are kept by it.
    pub(crate) fn current(&self) -> Current {
        self.current.borrow().clone()
    }

    pub(crate) fn set_config(&self, config: Arc<Config>, accounts: Arc<Accounts>) {
        *self.current.borrow_mut() = Current { config, accounts: Book::new(accounts) };
        self.nobody_may.set(false);
    }

    /// Ends all sessions, each after the replies that are on their way.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ready when the front stops.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as the front.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Whether this is the configuration of now.
    pub(crate) fn is_current(&self, config: &Arc<Config>) -> bool {
        Arc::ptr_eq(&self.current.borrow().config, config)
    }

    pub(crate) fn servers(&self) -> Rc<Servers> {
        Rc::clone(&self.servers)
    }

    pub(crate) fn next_id(&self) -> u64 {
        NEXT_ID.fetch_add(1, Ordering::Relaxed)
    }

    /// What each program has sent.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Whether the servers answer programs that have not logged in.
    pub(crate) fn nobody_may(&self) -> bool {
        self.nobody_may.get()
    }

    pub(crate) fn set_nobody_may(&self) {
        self.nobody_may.set(true);
    }
}
