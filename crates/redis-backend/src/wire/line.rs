//! One connection that comes back by itself after it broke, whichever runtimes use it.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use compartment_core::{Error, ErrorKind, Result};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::background;
use crate::wire::connector::{Connector, Wire};

/// A connection, opened when first needed and again after it broke. Whoever finds it broken forgets
/// it; the next request opens a new one. All who want it meanwhile share that attempt's outcome,
/// its error too, so that a server that is away costs each of them one attempt and not a queue of
/// them.
///
/// A connection is driven by a task on a runtime, and ends with it. The first runtime that asks
/// drives it itself, which is quickest. Once a second one asks, the connection is driven by the
/// library's own thread.
#[derive(Debug)]
pub(crate) struct Line {
    connector: Arc<Connector>,
    state: Arc<RwLock<State>>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// Counts connections, so that a late failure of an old one does not close its successor.
    generation: u64,
    /// The attempt that is under way.
    attempt: Option<Attempt>,
    attempts: u64,
    /// Several runtimes use it.
    is_shared: bool,
}

struct Open {
    wire: Wire,
    driver: Driver,
}

/// The runtime that drives a connection, and whether it still does.
struct Driver {
    runtime: Id,
    /// Gone once the runtime has ended.
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
    /// The connection, if whoever asks on the runtime `here` may use it.
    fn usable(&self, here: Option<Id>) -> Option<(Wire, u64)> {
        let open = self.open.as_ref()?;
        let (own, driver) = (background::id(), Some(open.driver.runtime));
        // The library's own thread never ends, and works for callers of any runtime.
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
    /// That of the attempt to open one, which takes no longer than [`Connector::limit`].
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
        // An attempt whose runtime ended, or stands still, is made once more: on the library's own
        // thread, where neither happens. So is one that opened the connection for another runtime.
        for _ in 0..3 {
            let mut attempt = {
                let mut state = self.lock();
                if let Some(found) = state.usable(here) {
                    return Ok(found);
                }
                if state.open.take().is_some() {
                    // Requests under way keep their clones of it.
                    state.is_shared = true;
                }
                match &state.attempt {
                    Some(attempt) => attempt.clone(),
                    None => self.begin(&mut state)?,
                }
            };
            // A little longer than the attempt itself may take: its own error says more.
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

    /// Begins an attempt as a task, so that no caller who gives up ends it for the others.
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

    /// Drops the connection of this generation, if it is still the one in use.
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

/// How much longer than an attempt may take its outcome is waited for.
const SLACK: Duration = Duration::from_millis(250);
