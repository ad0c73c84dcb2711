//! The time limit of one request to the database.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use compartment_core::Clock;

/// The answer; `None` if there is none within the limit. A request that is answered at once, as by a database in
/// memory, starts no timer.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    request: impl Future<Output = T>,
) -> Option<T> {
    let (mut request, mut timer) = (pin!(request), pin!(None));
    poll_fn(move |context| {
        if let Poll::Ready(answer) = request.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        if timer.is_none() {
            timer.set(Some(timer_of(clock, limit)));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(context).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

/// Without a box where the clock allows it, since every read that waits has such a timer.
async fn timer_of(clock: &dyn Clock, limit: Duration) {
    if clock.is_wall_clock() {
        tokio::time::sleep(limit).await;
    } else {
        clock.sleep(limit).await;
    }
}
