//! Reads of many keys: one lookup in the first tier, one round trip, one call of the loader.

use std::sync::Arc;

use compartment_core::{MonotonicInstant, Result, TypedKey};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::cache::{Cache, Cached, Terms, erase};
use crate::error::{BoxError, LoadError};
use crate::load::flight::{Part, Waiter};
use crate::load::item::{Item, Loaded, Loader};
use crate::load::steps::Load;
use crate::look::{Ended, Seen, SeenFirst};

impl Cache {
    /// The fresh values of `keys`, in order. Values that are not in the first tier are read in one round trip.
    ///
    /// # Errors
    /// Only for a key of another database. If the database does not answer, its values are missing.
    pub async fn get_many<V: Cached>(&self, keys: &[TypedKey<V>]) -> Result<Vec<Option<Arc<V>>>> {
        for key in keys {
            self.check(key)?;
        }
        let seen = self.look_many(keys).await?;
        let now = self.inner.options.clock.monotonic();
        Ok(keys
            .iter()
            .zip(seen)
            .map(|(key, seen)| match seen {
                Seen::Fresh { value, .. } => value,
                Seen::Lacking { ended, raw } => {
                    let terms = self.terms(key);
                    if raw.is_none()
                        && let Some(value) = self.on_error(ended, &terms)
                    {
                        return value;
                    }
                    terms.counters.miss(now);
                    None
                }
            })
            .collect())
    }

    /// The values of `keys`, in order. Missing values are loaded by one call of the loader, which receives their keys
    /// and answers in that order, with `None` for an absent value. Keys that another caller is loading are awaited
    /// and not loaded twice. If that load fails in another process, or ends with its runtime in this one, the loader
    /// is called again for them. Each key uses the TTL, the limits and the lease of its own template's policy.
    ///
    /// # Errors
    /// The first failure for which no stale value may be served.
    pub async fn get_or_load_many<V, L, F, E>(
        &self,
        keys: &[TypedKey<V>],
        loader: L,
    ) -> Result<Vec<Option<Arc<V>>>, LoadError>
    where
        V: Cached,
        L: Fn(Vec<TypedKey<V>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<Option<V>>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        for key in keys {
            self.check(key)?;
        }
        let loader = Arc::new(loader);
        if !self.inner.options.enabled {
            return uncached(keys.len(), &mut for_keys(keys.into(), &loader)).await;
        }
        let began = self.inner.options.clock.monotonic();
        let mut found: Vec<Option<Arc<V>>> = keys.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..keys.len()).collect();
        while !left.is_empty() {
            let some: Vec<TypedKey<V>> = left.iter().map(|at| keys[*at].clone()).collect();
            let outcomes = self.round(&some, &loader, began).await?;
            let mut again = Vec::new();
            for (at, outcome) in left.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Has(value) => found[at] = value,
                    // The load's runtime ended, but this caller still runs: it loads again.
                    Outcome::Failed { error: LoadError::Ended, is_own: false } => again.push(at),
                    Outcome::Failed { error, .. } => return Err(error),
                }
            }
            left = again;
        }
        Ok(found)
    }

    /// Looks `keys` up, loads those that nobody is loading, and waits for the rest.
    async fn round<V, L, F, E>(
        &self,
        keys: &[TypedKey<V>],
        loader: &Arc<L>,
        began: MonotonicInstant,
    ) -> Result<Vec<Outcome<V>>, LoadError>
    where
        V: Cached,
        L: Fn(Vec<TypedKey<V>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<Option<V>>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let moments: Vec<_> =
            keys.iter().map(|key| self.inner.first.moment(key.as_str())).collect();
        let seen = self.look_many(keys).await?;
        let mut items = Vec::new();
        let mut waiting = Vec::with_capacity(keys.len());
        for (position, ((key, moment), seen)) in keys.iter().zip(moments).zip(seen).enumerate() {
            let (ended, raw) = match seen {
                Seen::Fresh { value, .. } => {
                    waiting.push(Wait::No(value));
                    continue;
                }
                Seen::Lacking { ended, raw } => (ended, raw.map(|raw| (moment, raw))),
            };
            let terms = self.terms(key);
            let (waiter, is_own) = match self.join(key, &terms) {
                Part::WouldWaitForItself => (None, false),
                Part::Waits(waiter) => (Some(waiter), false),
                Part::Leads(leader) => match self.look_first(key.as_str()) {
                    SeenFirst::Fresh { value, .. } => {
                        leader.land(Ok(erase(value.as_ref())));
                        waiting.push(Wait::No(value));
                        continue;
                    }
                    _ => {
                        let waiter = leader.waiter().ok();
                        items.push(Item {
                            position,
                            key: key.clone(),
                            terms: terms.clone(),
                            leader,
                            unlike: None,
                            raw,
                            lease_seen: None,
                        });
                        (waiter, true)
                    }
                },
            };
            waiting.push(Wait::For { waiter, ended, terms, is_own });
        }
        if !items.is_empty() {
            Load { cache: self.clone() }.spawn(items, for_keys(keys.into(), loader));
        }
        let outcomes = waiting.into_iter().map(|wait| async move {
            match wait {
                Wait::No(value) => Outcome::Has(value),
                Wait::For { waiter, ended, terms, is_own } => {
                    match self.outcome(self.landed(waiter), ended, &terms, began).await {
                        Ok(value) => Outcome::Has(value),
                        Err(error) => Outcome::Failed { error, is_own },
                    }
                }
            }
        });
        Ok(join_all(outcomes).await)
    }

    async fn look_many<V: Cached>(&self, keys: &[TypedKey<V>]) -> Result<Vec<Seen<V>>> {
        let nothing = |ended: Option<Ended<V>>| Seen::Lacking { ended, raw: None };
        if !self.inner.options.enabled {
            return Ok(keys.iter().map(|_| nothing(None)).collect());
        }
        let mut found = Vec::with_capacity(keys.len());
        let (mut lacking, mut names, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        let mut others = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let ended = match self.look_first(key.as_str()) {
                SeenFirst::Fresh { value, created, eager } => {
                    found.push(Seen::Fresh { value, created, eager });
                    continue;
                }
                SeenFirst::Ended(ended) => Some(ended),
                SeenFirst::Nothing => None,
                SeenFirst::OtherType => {
                    others.push(lacking.len());
                    None
                }
            };
            lacking.push(at);
            names.push(key.as_str().to_owned());
            moments.push(self.inner.first.moment(key.as_str()));
            found.push(nothing(ended));
        }
        self.inner.keep_listening();
        let Ok(values) = self.inner.read(&names).await else { return Ok(found) };
        for at in others {
            self.check_type(&keys[lacking[at]], values[at].as_ref())?;
        }
        let judged = lacking.iter().zip(&values).zip(moments).map(|((at, raw), moment)| {
            let ended = match &found[*at] {
                Seen::Lacking { ended, .. } => ended.clone(),
                Seen::Fresh { .. } => None,
            };
            self.judge(&keys[*at], raw.as_ref(), Some(moment), ended)
        });
        let judged = join_all(judged).await;
        for (at, seen) in lacking.into_iter().zip(judged) {
            found[at] = seen?;
        }
        Ok(found)
    }
}

enum Wait<V> {
    No(Option<Arc<V>>),
    For {
        /// `None` if the load waits for this caller.
        waiter: Option<Waiter>,
        ended: Option<Ended<V>>,
        terms: Terms,
        /// Whether this call leads the load.
        is_own: bool,
    },
}

/// The result for one key.
enum Outcome<V> {
    Has(Option<Arc<V>>),
    Failed { error: LoadError, is_own: bool },
}

/// A loader for these keys; it is called with the positions to load.
fn for_keys<V, L, F, E>(all: Arc<[TypedKey<V>]>, loader: &Arc<L>) -> Loader<V>
where
    V: Cached,
    L: Fn(Vec<TypedKey<V>>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<Option<V>>, E>> + Send + 'static,
    E: Into<BoxError>,
{
    let loader = Arc::clone(loader);
    Box::new(move |wanted: Vec<(usize, Option<Arc<V>>)>| {
        let keys = wanted.iter().filter_map(|(at, _)| all.get(*at).cloned()).collect();
        let load = loader(keys);
        async move {
            let values = load.await.map_err(LoadError::failed)?;
            let loaded = |value: Option<V>| value.map_or(Loaded::Absent, Loaded::Value);
            Ok(values.into_iter().map(loaded).collect())
        }
        .boxed()
    })
}

/// Runs a loader without the cache.
pub(crate) async fn uncached<V>(
    keys: usize,
    loader: &mut Loader<V>,
) -> Result<Vec<Option<Arc<V>>>, LoadError> {
    let given = loader((0..keys).map(|at| (at, None)).collect()).await?;
    if given.len() != keys {
        return Err(LoadError::OtherCount { wanted: keys, given: given.len() });
    }
    let value = |loaded| match loaded {
        Loaded::Value(value) => Some(Arc::new(value)),
        Loaded::Absent | Loaded::Unchanged => None,
    };
    Ok(given.into_iter().map(value).collect())
}
