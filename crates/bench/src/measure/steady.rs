//! Requests at a steady rate, independent of their latency.

use std::time::{Duration, Instant};

use super::Failure;

/// Starts `rate` requests per second for `duration`. `begin` gets the number of a request, and its
/// future returns whether it was answered. Returns the latency of each request in milliseconds,
/// measured from its due time, so that a stall counts for every request that it delays; `None` for
/// a failed one.
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
    // A separate thread, because the runtime's timer has a resolution of milliseconds and may be
    // late.
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
