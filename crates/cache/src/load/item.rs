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
    /// The old value is still valid and becomes fresh again. Without an old value, this is [`Loaded::Absent`].
    Unchanged,
}

/// A loader of several keys. It receives the position and old value of each.
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
    /// In a refresh: the value that must be replaced.
    pub(crate) unlike: Option<Unlike>,
    /// The bytes in the database, if they were just read.
    pub(crate) raw: Option<(Moment, Option<Bytes>)>,
    pub(crate) lease_seen: Option<LeaseSeen>,
}

/// Another process's lease, as this process has seen it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseSeen {
    pub(crate) mark: LeaseMark,
    /// When it was first seen in this form; a renewal is a new form.
    pub(crate) at: MonotonicInstant,
    /// When it was first seen in any form.
    pub(crate) since: MonotonicInstant,
}

/// A value that must be replaced. It is identified by its creation time, which is only compared for equality, so that
/// clocks do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlike {
    /// The value in the database when the load begins.
    WhatStands,
    /// The value with this creation time.
    MadeAt(Timestamp),
}

/// A key whose load may begin.
pub(crate) struct Ready<V> {
    /// `None` if the database is unavailable, or nothing is stored. It is declared before the item: when both are
    /// dropped, the lease is released before the waiters are notified.
    pub(crate) lease: Option<Lease>,
    pub(crate) item: Item<V>,
    pub(crate) moment: Moment,
    pub(crate) before: Option<Held<V>>,
}
