//! A thread of the library's own, for work and connections that no runtime's end may take along.
//!
//! A program may have several runtimes, one after the other or side by side: each `#[tokio::test]`
//! has its own. Work that outlives its caller, and connections that several runtimes use, run here.

use std::sync::OnceLock;

use compartment_core::ErrorKind;
use compartment_core::backend::UnfinishedWork;
use tokio::runtime::{Builder, Handle, Id};

/// The thread's runtime; `None` where no thread can be had. It is started when first needed, and ends
/// with the process.
static RUNTIME: OnceLock<Option<Handle>> = OnceLock::new();

fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("compartment-redis".into()).spawn(run)?;
    Ok(handle)
}

/// The runtime to spawn on, or the caller's where there is no thread.
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

/// The thread's runtime, by which it is told apart from the callers'; `None` before it is needed.
pub(crate) fn id() -> Option<Id> {
    RUNTIME.get()?.as_ref().map(Handle::id)
}

/// Runs work that nobody waits for but `Databases::close`.
pub(crate) fn spawn(counted: UnfinishedWork, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(runtime) = runtime() {
        runtime.spawn(async move {
            work.await;
            drop(counted);
        });
    }
}

/// How often work is tried again that somebody has to set right: ten minutes at most.
const MAX_REFUSALS: u32 = 600;

/// Whether work that failed so, after so many failures, may succeed when it is tried again.
pub(crate) fn may_pass(kind: ErrorKind, failures: u32) -> bool {
    match kind {
        ErrorKind::Unavailable
        | ErrorKind::Interrupted
        | ErrorKind::Timeout
        | ErrorKind::NotReady
        | ErrorKind::ReadOnly => true,
        // Memory is freed, and rights are given, by somebody else.
        ErrorKind::OutOfMemory | ErrorKind::Authentication | ErrorKind::Permission => {
            failures < MAX_REFUSALS
        }
        _ => false,
    }
}
