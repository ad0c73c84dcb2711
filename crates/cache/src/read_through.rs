//! Reads through the cache: a missing value is loaded, once for all its callers.

use std::sync::Arc;

use compartment_core::{MonotonicInstant, TypedKey};
use futures_util::FutureExt;

use crate::cache::{Cache, Cached, Terms, erase, typed};
use crate::error::{BoxError, LoadError};
use crate::life::Moment64;
use crate::load::flight::{Landing, Part, Waiter};
use crate::load::item::{Item, Loaded, Loader, Unlike};
use crate::load::steps::Load;
use crate::look::{Ended, Seen, SeenFirst};
use crate::many::uncached;

impl Cache {
    /// The value of `key`, loaded if the cache has none.
    ///
    /// Among all callers in all processes that share the database, one loads; the others get its value or its error.
    /// The load runs in a separate task: dropping a caller does not end it.
    ///
    /// # Errors
    /// The loader's, if no stale value may be served instead; [`LoadError::WaitsForItself`] if a loader reads its own
    /// key through the cache. An unavailable database is not an error.
    pub async fn get_or_load<V, L, F, E>(
        &self,
        key: &TypedKey<V>,
        loader: L,
    ) -> Result<Arc<V>, LoadError>
    where
        V: Cached,
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let loader = once(move |_| {
            let load = loader();
            async move { load.await.map(Loaded::Value).map_err(LoadError::failed) }
        });
        match self.through(key, loader, Wanted::Value).await? {
            Some(value) => Ok(value),
            // It joined a load of a caller that accepts an absent value.
            None => Err(LoadError::failed("the value does not exist")),
        }
    }

    /// The value of `key`, which may not exist; its absence is remembered for the policy's
    /// `negative_ttl`.
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn get_or_load_optional<V, L, F, E>(
        &self,
        key: &TypedKey<V>,
        loader: L,
    ) -> Result<Option<Arc<V>>, LoadError>
    where
        V: Cached,
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<Option<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let loader = once(move |_| {
            let load = loader();
            async move {
                let value = load.await.map_err(LoadError::failed)?;
                Ok(value.map_or(Loaded::Absent, Loaded::Value))
            }
        });
        self.through(key, loader, Wanted::Any).await
    }

    /// The value of `key`. The loader receives the expired value and can confirm it ([`Loaded::Unchanged`]), like a
    /// server that answers a conditional request.
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn get_or_revalidate<V, L, F, E>(
        &self,
        key: &TypedKey<V>,
        loader: L,
    ) -> Result<Option<Arc<V>>, LoadError>
    where
        V: Cached,
        L: FnOnce(Option<Arc<V>>) -> F + Send + 'static,
        F: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.through(key, conditional(loader), Wanted::Any).await
    }

    /// Reloads `key`, even if there is a fresh value. That value is served until the new one is stored.
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn refresh<V, L, F, E>(
        &self,
        key: &TypedKey<V>,
        loader: L,
    ) -> Result<Option<Arc<V>>, LoadError>
    where
        V: Cached,
        L: FnOnce(Option<Arc<V>>) -> F + Send + 'static,
        F: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.through(key, conditional(loader), Wanted::New).await
    }

    async fn through<V: Cached>(
        &self,
        key: &TypedKey<V>,
        mut loader: Loader<V>,
        wanted: Wanted,
    ) -> Result<Option<Arc<V>>, LoadError> {
        self.check(key)?;
        if !self.inner.options.enabled {
            return Ok(uncached(1, &mut loader).await?.pop().flatten());
        }
        let began = self.inner.options.clock.monotonic();
        let mut unlike = None;
        let (ended, mut raw) = match wanted {
            Wanted::New => {
                unlike = Some(Unlike::WhatStands);
                (None, None)
            }
            Wanted::Any | Wanted::Value => {
                let moment = self.inner.first.moment(key.as_str());
                match self.look(key).await? {
                    // The absence is cached, but this loader always returns a value.
                    Seen::Fresh { value: None, created, .. } if wanted == Wanted::Value => {
                        unlike = Some(Unlike::MadeAt(created));
                        (None, None)
                    }
                    Seen::Fresh { value, created, eager } => {
                        if eager {
                            self.load_in_background(key, loader, Some(Unlike::MadeAt(created)));
                        }
                        return Ok(value);
                    }
                    Seen::Lacking { ended, raw } => (ended, raw.map(|raw| (moment, raw))),
                }
            }
        };
        let terms = self.terms(key);
        if let Some(ended) = &ended
            && self.may_revalidate(ended, &terms)
        {
            self.load_in_background(key, loader, None);
            terms.counters.stale_hit(self.inner.options.clock.monotonic());
            return Ok(ended.value.clone());
        }
        let mut loader = Some(loader);
        loop {
            let waiter = match self.join(key, &terms) {
                Part::WouldWaitForItself => {
                    return self.served(Err(LoadError::WaitsForItself), ended, &terms);
                }
                Part::Waits(waiter) => Some(waiter),
                Part::Leads(leader) => {
                    // Another caller may have loaded it since the lookup.
                    if unlike.is_none()
                        && let SeenFirst::Fresh { value, .. } = self.look_first(key.as_str())
                    {
                        leader.land(Ok(erase(value.as_ref())));
                        return Ok(value);
                    }
                    let waiter = leader.waiter().ok();
                    let Some(loader) = loader.take() else {
                        return self.served(Err(LoadError::Ended), ended, &terms);
                    };
                    let item = Item {
                        position: 0,
                        key: key.clone(),
                        terms: terms.clone(),
                        leader,
                        unlike,
                        raw: raw.take(),
                        lease_seen: None,
                    };
                    Load { cache: self.clone() }.spawn(vec![item], loader);
                    waiter
                }
            };
            let outcome = self.outcome(self.landed(waiter), ended.clone(), &terms, began).await;
            match outcome {
                // The load's runtime ended, but this caller still runs: it loads again.
                Err(LoadError::Ended) if loader.is_some() => raw = None,
                outcome => return outcome,
            }
        }
    }

    /// Joins the load of `key`, or leads one.
    pub(crate) fn join<V>(&self, key: &TypedKey<V>, terms: &Terms) -> Part {
        let inner = &self.inner;
        inner.flights.join(key.as_str(), &inner.first, &inner.book, terms.policy.lease)
    }

    /// The result of a load for one of its waiters.
    pub(crate) async fn landed(&self, waiter: Option<Waiter>) -> Landing {
        match waiter {
            Some(waiter) => waiter.landed(self.inner.options.clock.as_ref()).await,
            None => Err(LoadError::WaitsForItself),
        }
    }

    /// The result of a load, or a stale value for a caller that has waited since `began`.
    pub(crate) async fn outcome<V: Cached>(
        &self,
        landing: impl Future<Output = Landing>,
        ended: Option<Ended<V>>,
        terms: &Terms,
        began: MonotonicInstant,
    ) -> Result<Option<Arc<V>>, LoadError> {
        let clock = &self.inner.options.clock;
        tokio::pin!(landing);
        if let Some(limit) = terms.policy.soft_timeout
            && ended.is_some()
        {
            tokio::select! {
                biased;
                landing = &mut landing => return self.served(landing, ended, terms),
                () = clock.sleep(limit.saturating_sub(clock.monotonic().since(began))) => {}
            }
            // The load continues. If the value is too old to be served, the caller waits for the load.
            if let Some(value) = self.on_error(ended.clone(), terms) {
                return Ok(value);
            }
        }
        self.served(landing.await, ended, terms)
    }

    pub(crate) fn served<V: Cached>(
        &self,
        landing: Landing,
        ended: Option<Ended<V>>,
        terms: &Terms,
    ) -> Result<Option<Arc<V>>, LoadError> {
        let clock = &self.inner.options.clock;
        match landing {
            Ok(value) => {
                terms.counters.miss(clock.monotonic());
                typed(&value).map_err(|()| LoadError::OtherType)
            }
            Err(error) => match self.on_error(ended, terms) {
                Some(value) => Ok(value),
                None => {
                    terms.counters.miss(clock.monotonic());
                    Err(error)
                }
            },
        }
    }

    fn may_revalidate<V>(&self, ended: &Ended<V>, terms: &Terms) -> bool {
        let over = ended.over_for(Moment64::of(self.inner.options.clock.monotonic()));
        // A value that has not expired is only doubtful here; that is not a reason to serve it.
        over.is_some_and(|over| over < terms.policy.stale_while_revalidate)
    }

    fn load_in_background<V: Cached>(
        &self,
        key: &TypedKey<V>,
        loader: Loader<V>,
        unlike: Option<Unlike>,
    ) {
        let terms = self.terms(key);
        if let Part::Leads(leader) = self.join(key, &terms) {
            let (key, raw, lease_seen) = (key.clone(), None, None);
            let item = Item { position: 0, key, terms, leader, unlike, raw, lease_seen };
            Load { cache: self.clone() }.spawn(vec![item], loader);
        }
    }
}

/// The answers that a caller accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// A value, or its absence.
    Any,
    /// A value only.
    Value,
    /// Only the result of a load that begins now.
    New,
}

/// A loader that receives the old value, with its error converted.
fn conditional<V, L, F, E>(loader: L) -> Loader<V>
where
    V: Cached,
    L: FnOnce(Option<Arc<V>>) -> F + Send + 'static,
    F: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
    E: Into<BoxError>,
{
    once(move |old| {
        let load = loader(old);
        async move { load.await.map_err(LoadError::failed) }
    })
}

/// A loader of one key that is called once.
fn once<V, L, F>(loader: L) -> Loader<V>
where
    V: Cached,
    L: FnOnce(Option<Arc<V>>) -> F + Send + 'static,
    F: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
{
    let mut loader = Some(loader);
    Box::new(move |mut wanted| {
        let old = wanted.pop().and_then(|(_, old)| old);
        match loader.take() {
            Some(loader) => {
                let load = loader(old);
                async move { Ok(vec![load.await?]) }.boxed()
            }
            None => async { Err(LoadError::Ended) }.boxed(),
        }
    })
}
