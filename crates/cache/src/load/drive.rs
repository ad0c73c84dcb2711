//! A load in progress: runs the loader, renews the leases, and passes the result to the waiters.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::cache::Cached;
use crate::error::LoadError;
use crate::load::item::Ready;
use crate::load::item::{Loaded, Loader};
use crate::load::steps::Load;
use crate::message::News;
use crate::metrics::counters::add;
use crate::second::tier::LoadStamps;

/// Keys loaded by one call of the loader; `None` for a key whose load was cancelled early.
type Under<V> = Vec<Option<Ready<V>>>;

impl Load {
    /// Calls the loader for these keys.
    pub(crate) async fn load<V: Cached>(
        &self,
        ready: Vec<Ready<V>>,
        loader: &mut Loader<V>,
        stamps: &LoadStamps,
    ) {
        let clock = Arc::clone(&self.cache.inner.options.clock);
        let counters = ready.first().map(|one| Arc::clone(&one.item.terms.counters));
        for one in &ready {
            add(&one.item.terms.counters.loads, 1);
        }
        let wanted: Vec<_> = ready
            .iter()
            .map(|one| (one.item.position, one.before.as_ref().and_then(|held| held.value.clone())))
            .collect();
        let count = wanted.len();
        let mut under: Under<V> = ready.into_iter().map(Some).collect();
        let started = clock.monotonic();
        let outcome = self.drive(wanted, &mut under, loader).await;
        if let Some(counters) = counters {
            let took = clock.monotonic().since(started).as_micros();
            add(&counters.load_micros, u64::try_from(took).unwrap_or(u64::MAX));
        }
        let outcome = outcome.and_then(|given| match given.len() {
            given_count if given_count == count => Ok(given),
            given => Err(LoadError::OtherCount { wanted: count, given }),
        });
        let news = match outcome {
            Ok(given) => {
                let each = under.into_iter().zip(given);
                let each = each.filter_map(|(one, loaded)| Some((one?, loaded)));
                join_all(each.map(|(one, loaded)| self.finish(one, loaded, stamps))).await
            }
            Err(error) => {
                let each = under.into_iter().flatten();
                join_all(each.map(|one| self.fail(one, error.clone()))).await
            }
        };
        self.tell(news).await;
    }

    async fn tell(&self, news: Vec<Option<News>>) {
        let news: Vec<News> = news.into_iter().flatten().collect();
        if !news.is_empty() {
            // A waiter in another process that misses the message waits until the lease ends.
            self.cache.inner.tell(news).await;
        }
    }

    /// Runs the loader and renews the leases meanwhile. The load of a key that takes longer than its policy allows is
    /// cancelled.
    async fn drive<V: Cached>(
        &self,
        wanted: Vec<(usize, Option<Arc<V>>)>,
        under: &mut Under<V>,
        loader: &mut Loader<V>,
    ) -> Result<Vec<Loaded<V>>, LoadError> {
        let clock = Arc::clone(&self.cache.inner.options.clock);
        let started = clock.monotonic();
        let work = std::panic::catch_unwind(AssertUnwindSafe(|| loader(wanted)));
        let work = work.map_err(|payload| LoadError::panicked(&*payload))?;
        let mut work = AssertUnwindSafe(work).catch_unwind();
        let policies = || under.iter().flatten().map(|one| &one.item.terms.policy);
        let every = policies().map(|policy| policy.lease).min().unwrap_or_default() / 3;
        let mut limit = next_limit(under);
        loop {
            let took = clock.monotonic().since(started);
            let give_up = async {
                match limit {
                    Some(limit) => clock.sleep(limit.saturating_sub(took)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                given = &mut work => {
                    return given.unwrap_or_else(|payload| Err(LoadError::panicked(&*payload)));
                }
                () = give_up => {
                    self.give_up(under, limit.unwrap_or_default()).await;
                    if under.iter().all(Option::is_none) {
                        return Ok(Vec::new());
                    }
                    limit = next_limit(under);
                }
                () = clock.sleep(every) => {
                    join_all(under.iter_mut().flatten().map(|one| self.renew(one))).await;
                }
            }
        }
    }

    /// Cancels the loads whose hard time-out is at most `limit`.
    async fn give_up<V>(&self, under: &mut Under<V>, limit: Duration) {
        let is_over = |one: &mut Ready<V>| {
            one.item.terms.policy.hard_timeout.is_some_and(|hard| hard <= limit)
        };
        let over: Vec<Ready<V>> = under.iter_mut().filter_map(|one| one.take_if(is_over)).collect();
        let news = over.into_iter().map(|one| {
            let hard = one.item.terms.policy.hard_timeout.unwrap_or(limit);
            self.fail(one, LoadError::TimedOut(hard))
        });
        let news = join_all(news).await;
        self.tell(news).await;
    }
}

/// The shortest hard time-out of these loads.
fn next_limit<V>(under: &Under<V>) -> Option<Duration> {
    under.iter().flatten().filter_map(|one| one.item.terms.policy.hard_timeout).min()
}
