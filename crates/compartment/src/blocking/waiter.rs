//! Runs futures to completion on the caller's thread, with a runtime that serves the connections.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use compartment_core::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::coop;

/// Waits for futures. Clones share the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    runtime: Arc<OwnRuntime>,
}

/// A runtime that may be dropped anywhere; tokio's panics if it is dropped in async code.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Waiter {
    pub(crate) fn new() -> Result<Self> {
        refuse_in_async_code()?;
        let runtime = Builder::new_multi_thread()
            // Connections are served here while the callers' threads wait.
            .worker_threads(1)
            .thread_name("compartment")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Unsupported, "open databases", error.to_string())
                    .caused_by(error)
            })?;
        Ok(Self { runtime: Arc::new(OwnRuntime(Some(runtime))) })
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        refuse_in_async_code()?;
        // Timers and tasks use this runtime, whatever runtime the caller's thread belongs to.
        let _entered = self.runtime.0.as_ref().map(Runtime::enter);
        let mut work = pin!(work);
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
            std::thread::park();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Rejects waiting on a thread that drives async code; a thread of `spawn_blocking` may wait.
fn refuse_in_async_code() -> Result<()> {
    if Handle::try_current().is_err() || !drives_a_task() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "block",
        "the blocking API was called in async code, whose thread it would stop; use \
         compartment::open there, or call it in spawn_blocking",
    ))
}

/// Whether this thread is polling a task. Each poll of a task has a budget of some steps, and a thread that may block
/// has none. So this takes more steps than any budget has, and then gives them back.
fn drives_a_task() -> bool {
    const MORE_THAN_A_BUDGET: usize = 256;
    let mut context = Context::from_waker(Waker::noop());
    let mut steps = Vec::with_capacity(MORE_THAN_A_BUDGET);
    let is_limited = (0..MORE_THAN_A_BUDGET).any(|_| match coop::poll_proceed(&mut context) {
        Poll::Ready(step) => {
            steps.push(step);
            false
        }
        Poll::Pending => true,
    });
    // Each step restores the budget from before it, so the first one is dropped last.
    while steps.pop().is_some() {}
    is_limited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_refuses_in_async_code_works_beside_it_and_may_be_dropped_there() {
        let waiter = tokio::task::spawn_blocking(|| {
            let waiter = Waiter::new().unwrap();
            assert_eq!(waiter.wait(async { Ok(7) }).unwrap(), 7);
            let slept = waiter.wait(async {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                Ok(())
            });
            slept.unwrap();
            waiter
        });
        let waiter = waiter.await.unwrap();
        for _ in 0..3 {
            // The budget of this task is unchanged.
            assert!(coop::has_budget_remaining());
            let refused = waiter.wait(async { Ok(()) }).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            assert!(Waiter::new().is_err());
        }
        drop(waiter);
    }

    #[test]
    fn it_works_outside_of_any_runtime_and_where_one_is_only_entered() {
        let waiter = Waiter::new().unwrap();
        assert_eq!(waiter.wait(async { Ok(1) }).unwrap(), 1);
        let other = Builder::new_current_thread().build().unwrap();
        let _entered = other.enter();
        assert_eq!(waiter.wait(async { Ok(2) }).unwrap(), 2);
    }
}
