//! One connection that is reopened after it broke, shared by all runtimes that use it.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use compartment_core::{Error, ErrorKind, Result};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::background;
use crate::wire::connector::{Connector, Wire};

/// A connection that is opened on first use and again after it broke. A caller that finds it broken calls
/// [`Line::forget`], and the next request opens a new one. All callers that need it meanwhile share the outcome of
/// that attempt, including its error, so that an unavailable server costs each caller one attempt and not a queue of
/// attempts.
///
/// A connection is driven by a task on a runtime and ends with it. The first runtime that uses the connection drives
/// it, which is fastest. Once a second runtime uses it, the library's own thread drives it.
#[derive(Debug)]
pub(crate) struct Line {
    connector: Arc<Connector>,
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// The number of the connection, so that a late failure of an old one does not close its successor.
    generation: u64,
    /// The attempt in progress.
    attempt: Option<Attempt>,
    attempts: u64,
    /// Whether several runtimes use it.
    is_shared: bool,
}

struct Open {
    wire: Wire,
    driver: Driver,
}

/// The runtime that drives a connection, and whether it is still running.
struct Driver {
    runtime: Id,
    /// Dropped when the runtime ends.
    alive: Weak<()>,
    task: AbortHandle,
}

impl Driver {
    fn on(runtime: &Handle) -> Self {
        let alive = Arc::new(());
        let driver = Arc::downgrade(&alive);
        let task = runtime.spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        Self { runtime: runtime.id(), alive: driver, task: task.abort_handle() }
    }

    fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Outcome = Option<Result<()>>;

#[derive(Clone)]
struct Attempt {
    number: u64,
    outcome: watch::Receiver<Outcome>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("connected", &self.open.is_some())
            .field("generation", &self.generation)
            .field("is_shared", &self.is_shared)
            .finish_non_exhaustive()
    }
}

impl State {
    /// The connection, if a caller on the runtime `here` may use it.
    fn usable(&self, here: Option<Id>) -> Option<(Wire, u64)> {
        let open = self.open.as_ref()?;
        let (own, driver) = (background::id(), Some(open.driver.runtime));
        // The library's own thread never ends, and drives connections for callers of any runtime.
        let may_use = driver == here
            || (own.is_some() && (driver == own || (here == own && open.driver.is_alive())));
        may_use.then(|| (open.wire.clone(), self.generation))
    }
}

impl Line {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, state: Arc::default() }
    }

    /// How long opening the connection may take.
    pub(crate) fn limit(&self) -> Duration {
        self.connector.limit()
    }

    /// The connection and its generation.
    ///
    /// # Errors
    /// The error of the attempt to open a connection, which takes at most [`Connector::limit`].
    pub(crate) async fn wire(&self) -> Result<(Wire, u64)> {
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        if let Some(found) = self.state.read().unwrap_or_else(PoisonError::into_inner).usable(here)
        {
            return Ok(found);
        }
        self.open(here).await
    }

    async fn open(&self, here: Option<Id>) -> Result<(Wire, u64)> {
        let limit = self.connector.limit();
        // An attempt whose runtime ended or is blocked is repeated on the library's own thread, where neither
        // happens; so is an attempt that opened the connection for another runtime.
        for _ in 0..3 {
            let mut attempt = {
                let mut state = self.lock();
                if let Some(found) = state.usable(here) {
                    return Ok(found);
                }
                if state.open.take().is_some() {
                    // Requests in progress keep their clones of the old connection.
                    state.is_shared = true;
                }
                match &state.attempt {
                    Some(attempt) => attempt.clone(),
                    None => self.begin(&mut state)?,
                }
            };
            // Wait a little longer than the attempt may take, because its own error is more precise.
            let landed = attempt.outcome.wait_for(Option::is_some);
            let landed = tokio::time::timeout(limit + SLACK, landed).await;
            if let Ok(Ok(outcome)) = landed {
                match &*outcome {
                    Some(Err(error)) => return Err(error.clone()),
                    _ => continue,
                }
            }
            let mut state = self.lock();
            if state.attempt.as_ref().is_some_and(|known| known.number == attempt.number) {
                state.attempt = None;
            }
            state.is_shared = true;
        }
        if let Some(found) = self.lock().usable(here) {
            return Ok(found);
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "connect",
            format!("no connection within {limit:?}; the server is busy, paused or down"),
        ))
    }

    /// Begins an attempt in a separate task, so that a caller that gives up does not end it for the others.
    fn begin(&self, state: &mut State) -> Result<Attempt> {
        let runtime = match state.is_shared {
            true => background::runtime(),
            false => Handle::try_current().ok().or_else(background::runtime),
        };
        let Some(runtime) = runtime else {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "connect",
                "there is no tokio runtime to connect on, and no thread could be started",
            ));
        };
        state.attempts += 1;
        let number = state.attempts;
        let (landed, outcome) = watch::channel(None);
        let (connector, state_of_line) = (Arc::clone(&self.connector), Arc::clone(&self.state));
        let driver = Driver::on(&runtime);
        runtime.spawn(async move {
            let opened = connector.open().await;
            let mut state = state_of_line.write().unwrap_or_else(PoisonError::into_inner);
            let is_wanted = state.attempt.as_ref().is_some_and(|known| known.number == number);
            if is_wanted {
                state.attempt = None;
            }
            let outcome = match opened {
                Ok(wire) if is_wanted => {
                    state.generation += 1;
                    state.open = Some(Open { wire, driver });
                    Ok(())
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            drop(state);
            landed.send_replace(Some(outcome));
        });
        let attempt = Attempt { number, outcome };
        state.attempt = Some(attempt.clone());
        Ok(attempt)
    }

    /// Drops the connection of this generation if it is still in use.
    pub(crate) fn forget(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.open = None;
        }
    }

    fn lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much longer than an attempt may take its outcome is awaited.
const SLACK: Duration = Duration::from_millis(250);
