//! Requests that begin at a steady rate, whatever the last one took.

use std::time::{Duration, Instant};

use super::Failure;

/// Begins a request at each moment that is due, for so long; `begin` is given its number, and its
/// future says whether it was answered. Each is timed, in milliseconds, from the moment at which
/// it was due, so that a stall counts for every request that it delays; `None` for one that failed.
pub(crate) async fn steadily<B, F>(
    rate: u32,
    duration: Duration,
    begin: B,
) -> Result<Vec<Option<f64>>, Failure>
where
    B: Fn(u32) -> F + Send + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: the runtime's timer knows milliseconds only, and may be late itself.
    let requests = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        let count = (f64::from(rate) * duration.as_secs_f64()) as u32;
        let begin = |number: u32| {
            let due = start + Duration::from_secs(1) / rate * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let request = begin(number);
            runtime.spawn(async move { request.await.then(|| due.elapsed().as_secs_f64() * 1e3) })
        };
        (0..count).map(begin).collect::<Vec<_>>()
    });
    let mut millis = Vec::new();
    for request in requests.await? {
        millis.push(request.await.unwrap_or(None));
    }
    Ok(millis)
}
