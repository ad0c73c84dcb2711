//! A key to be loaded, and the answer of its loader.

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{MonotonicInstant, Timestamp, TypedKey};
use futures_util::future::BoxFuture;

use crate::cache::Terms;
use crate::error::LoadError;
use crate::first::tier::Moment;
use crate::load::flight::Leader;
use crate::load::lease::Lease;
use crate::look::Held;
use crate::second::envelope::LeaseMark;

/// The answer of a loader for a key.
#[derive(Debug)]
#[must_use]
pub enum Loaded<V> {
    /// A value.
    Value(V),
    /// There is no value; this is remembered if the policy has a `negative_ttl`.
    Absent,
    /// The old value still holds, and is fresh again. Where there was none, as
    /// [`Loaded::Absent`].
    Unchanged,
}

/// A loader of several keys: given each one's position and old value.
pub(crate) type Loader<V> = Box<
    dyn FnMut(Vec<(usize, Option<Arc<V>>)>) -> BoxFuture<'static, Result<Vec<Loaded<V>>, LoadError>>
        + Send,
>;

/// One key to be loaded.
pub(crate) struct Item<V> {
    pub(crate) position: usize,
    pub(crate) key: TypedKey<V>,
    pub(crate) terms: Terms,
    pub(crate) leader: Leader,
    /// In a refresh: which value will not do.
    pub(crate) unlike: Option<Unlike>,
    /// What stands in the database, where it has just been read.
    pub(crate) raw: Option<(Moment, Option<Bytes>)>,
    /// Somebody else's lease, and when it was first seen.
    pub(crate) lease_seen: Option<(LeaseMark, MonotonicInstant)>,
}

/// A value that is not wanted. Told apart by when its writer says it made it, which measures nothing
/// and so depends on nobody's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlike {
    /// The one that stands there when the load begins.
    WhatStands,
    /// The one that was made then.
    MadeAt(Timestamp),
}

/// A key whose load may begin.
pub(crate) struct Ready<V> {
    /// `None` where the database is away, or nothing is kept. Before the item: dropped together, it
    /// is given back before those who wait are told.
    pub(crate) lease: Option<Lease>,
    pub(crate) item: Item<V>,
    pub(crate) moment: Moment,
    pub(crate) before: Option<Held<V>>,
}
