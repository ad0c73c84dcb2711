//! Runs a test on a new runtime with a time limit, and waits for background work.

use std::time::{Duration, Instant};

/// Time limit of a test; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `test` on a runtime with several threads; fails if it hangs.
///
/// # Panics
/// If the test fails or takes more than two minutes.
pub fn run_test<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, test).await.expect("the test hangs: two minutes have passed")
    })
}

/// How long [`eventually`] waits: long, since a busy machine is not a failure, and passing tests do not wait for it.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, for results of another task or process.
///
/// # Panics
/// With `what`, if the condition does not hold within a minute.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let give_up = Instant::now() + PATIENCE_FOR_OTHERS;
    while !condition().await {
        assert!(Instant::now() < give_up, "waited a minute in vain for this: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs `work` and drops it after `limit`, which may be microseconds, whereas timers count milliseconds. Returns
/// `None` if it was dropped.
pub async fn give_up_after<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let began = Instant::now();
    let is_over = async {
        while began.elapsed() < limit {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = is_over => None,
    }
}
