//! Runs one test on a runtime of its own, never for ever, and waits for what happens in the
//! background.

use std::time::{Duration, Instant};

/// No test takes longer than this; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `test` on a runtime with several threads; fails if it hangs.
///
/// # Panics
/// When the test fails or takes two minutes.
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

/// How long [`eventually`] waits. Long, since a busy machine is no failure, and a test that passes does
/// not wait for it.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, for what another task or process does in its own time.
///
/// # Panics
/// With `what` when a minute has not been enough.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let give_up = Instant::now() + PATIENCE_FOR_OTHERS;
    while !condition().await {
        assert!(Instant::now() < give_up, "waited a minute in vain for this: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Drops `work` after `limit`, which may be microseconds, whereas a timer counts milliseconds. `None`
/// if it was not done.
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
