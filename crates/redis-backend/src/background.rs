//! A thread of the library's own, for work and connections that must outlive any runtime.
//!
//! A program may have several runtimes, one after the other or concurrently: each `#[tokio::test]` has its own. Work
//! that outlives its caller, and connections that several runtimes use, run here.

use std::sync::OnceLock;

use compartment_core::ErrorKind;
use compartment_core::backend::UnfinishedWork;
use tokio::runtime::{Builder, Handle, Id};

/// The thread's runtime; `None` if the thread could not be started. It is started on first use, and ends with the
/// process.
static RUNTIME: OnceLock<Option<Handle>> = OnceLock::new();

fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("compartment-redis".into()).spawn(run)?;
    Ok(handle)
}

/// The runtime to spawn on: the thread's, or the caller's if there is no thread.
pub(crate) fn runtime() -> Option<Handle> {
    let own = RUNTIME.get_or_init(|| match start() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::error!(%error, "no thread for background work; it runs where its caller does");
            None
        }
    });
    own.clone().or_else(|| Handle::try_current().ok())
}

/// The id of the thread's runtime; `None` before its first use.
pub(crate) fn id() -> Option<Id> {
    RUNTIME.get()?.as_ref().map(Handle::id)
}

/// Runs work that only `Databases::close` waits for.
pub(crate) fn spawn(counted: UnfinishedWork, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(runtime) = runtime() {
        runtime.spawn(async move {
            work.await;
            drop(counted);
        });
    }
}

/// How often work is retried that an operator has to unblock: ten minutes at most.
const MAX_REFUSALS: u32 = 600;

/// Whether work with this error may succeed if it is retried, after this many failures.
pub(crate) fn may_pass(kind: ErrorKind, failures: u32) -> bool {
    match kind {
        ErrorKind::Unavailable
        | ErrorKind::Interrupted
        | ErrorKind::Timeout
        | ErrorKind::NotReady
        | ErrorKind::ReadOnly => true,
        // An operator or another client must free memory or grant permissions.
        ErrorKind::OutOfMemory | ErrorKind::Authentication | ErrorKind::Permission => {
            failures < MAX_REFUSALS
        }
        _ => false,
    }
}
