//! Many keys at once: one look into the first tier, one round trip, one call of the loader.

use std::sync::Arc;

use compartment_core::{Result, TypedKey};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::cache::{Cache, Cached, erase};
use crate::error::{BoxError, LoadError};
use crate::flight::{Part, landed};
use crate::load::{Item, Load, Loaded, Loader};
use crate::look::{Ended, Seen};

impl Cache {
    /// The fresh values of `keys`, in their order; those that the first tier lacks in one round
    /// trip.
    ///
    /// # Errors
    /// For a key of another database only. A database that does not answer has nothing.
    pub async fn get_many<V: Cached>(&self, keys: &[TypedKey<V>]) -> Result<Vec<Option<Arc<V>>>> {
        for key in keys {
            self.check(key)?;
        }
        let now = self.inner.options.clock.now();
        let seen = self.look_many(keys).await;
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

    /// The values of `keys`, in their order. Those that are not there are loaded by one call,
    /// which is given their keys and answers in their order, `None` where there is no value. Keys
    /// that somebody else is loading are waited for, and not asked for twice; should that load
    /// fail in another process, the loader is called again for them.
    ///
    /// # Errors
    /// The first failure, when no stale value may be served instead.
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
        let all: Arc<[TypedKey<V>]> = keys.into();
        let mut loader: Loader<V> = Box::new(move |wanted: Vec<(usize, Option<Arc<V>>)>| {
            let keys = wanted.iter().filter_map(|(at, _)| all.get(*at).cloned()).collect();
            let load = loader(keys);
            async move {
                let values = load.await.map_err(LoadError::failed)?;
                let loaded = |value: Option<V>| value.map_or(Loaded::Absent, Loaded::Value);
                Ok(values.into_iter().map(loaded).collect())
            }
            .boxed()
        });
        if !self.inner.options.enabled {
            return uncached(keys.len(), &mut loader).await;
        }
        let began = self.inner.options.clock.now();
        let moments: Vec<_> =
            keys.iter().map(|key| self.inner.first.moment(key.as_str())).collect();
        let seen = self.look_many(keys).await;
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
            let inner = &self.inner;
            let landing = match inner.flights.join(key.as_str(), &inner.first, &inner.book) {
                Part::Waits(landing) => landing,
                Part::Leads(leader) => match self.look_first(key.as_str()) {
                    Ok(Seen::Fresh { value, .. }) => {
                        leader.land(Ok(erase(value.as_ref())));
                        waiting.push(Wait::No(value));
                        continue;
                    }
                    _ => {
                        let landing = leader.subscribe();
                        let key = key.clone();
                        items.push(Item { position, key, leader, newer_than: None, raw });
                        landing
                    }
                },
            };
            waiting.push(Wait::For(landing, ended, self.terms(key)));
        }
        if let Some(item) = items.first() {
            let load = Load { cache: self.clone(), terms: self.terms(&item.key) };
            tokio::spawn(load.run(items, loader));
        }
        let outcomes = waiting.into_iter().map(|wait| async move {
            match wait {
                Wait::No(value) => Ok(value),
                Wait::For(landing, ended, terms) => {
                    self.outcome(landed(landing), ended, &terms, began).await
                }
            }
        });
        join_all(outcomes).await.into_iter().collect()
    }

    async fn look_many<V: Cached>(&self, keys: &[TypedKey<V>]) -> Vec<Seen<V>> {
        let nothing = |ended: Option<Ended<V>>| Seen::Lacking { ended, raw: None };
        if !self.inner.options.enabled {
            return keys.iter().map(|_| nothing(None)).collect();
        }
        let mut found = Vec::with_capacity(keys.len());
        let (mut lacking, mut names, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        for (at, key) in keys.iter().enumerate() {
            found.push(self.look_first(key.as_str()).unwrap_or_else(|ended| {
                lacking.push(at);
                names.push(key.as_str().to_owned());
                moments.push(self.inner.first.moment(key.as_str()));
                nothing(ended)
            }));
        }
        let Ok(values) = self.inner.read(&names).await else { return found };
        let judged = lacking.iter().zip(&values).zip(moments).map(|((at, raw), moment)| {
            let ended = match &found[*at] {
                Seen::Lacking { ended, .. } => ended.clone(),
                Seen::Fresh { .. } => None,
            };
            self.judge(&keys[*at], raw.as_ref(), Some(moment), ended)
        });
        let judged = join_all(judged).await;
        for (at, seen) in lacking.into_iter().zip(judged) {
            found[at] = seen;
        }
        found
    }
}

enum Wait<V> {
    No(Option<Arc<V>>),
    For(
        tokio::sync::watch::Receiver<Option<crate::flight::Landing>>,
        Option<Ended<V>>,
        crate::cache::Terms,
    ),
}

/// Runs a loader with nothing around it.
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
