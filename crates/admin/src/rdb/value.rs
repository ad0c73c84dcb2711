//! Decoded values, independent of their encoding, and their digests.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A key's value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Bytes.
    String(Vec<u8>),
    /// Elements, in order.
    List(Vec<Vec<u8>>),
    /// Members, in no order.
    Set(Vec<Vec<u8>>),
    /// Fields, in no order.
    Hash(Vec<HashField>),
    /// Members and scores, in no order.
    SortedSet(Vec<(Vec<u8>, f64)>),
    /// Entries, groups and their state.
    Stream(Box<Stream>),
}

/// A field of a hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct HashField {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its own expiry, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// The id of a stream entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// Distinguishes entries of one millisecond.
    pub sequence: u64,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stream {
    /// The entries that are not deleted, in order.
    pub entries: Vec<StreamEntry>,
    /// The greatest id ever given.
    pub last_id: StreamId,
    /// The greatest id ever deleted.
    pub max_deleted_id: StreamId,
    /// Number of entries ever added.
    pub entries_added: u64,
    /// The consumer groups.
    pub groups: Vec<Group>,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamEntry {
    /// Its id.
    pub id: StreamId,
    /// Its fields and values, in order.
    pub fields: Vec<(Bytes, Bytes)>,
}

/// A consumer group of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// Its name.
    pub name: Vec<u8>,
    /// The id of the last delivered entry.
    pub last_id: StreamId,
    /// Number of delivered entries, as estimated by the server; not part of the digest.
    pub entries_read: Option<u64>,
    /// Entries that were delivered and not yet acknowledged.
    pub pending: Vec<Pending>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
}

/// An entry that a consumer has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// The entry.
    pub id: StreamId,
    /// The consumer that has it; `(given back)` if none has.
    pub consumer: Vec<u8>,
    /// When it was delivered, in milliseconds since 1970.
    pub delivered_at_ms: u64,
    /// Number of deliveries.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it last asked, in milliseconds since 1970; not part of the digest.
    pub seen_at_ms: u64,
    /// When it last received an entry; not part of the digest.
    pub active_at_ms: u64,
}

impl Value {
    /// The type name, as returned by `TYPE`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
            Self::SortedSet(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// The value with fields that never expire, and without those that have expired by `now_ms`.
    #[must_use]
    pub fn without_field_lives(mut self, now_ms: u64) -> Self {
        if let Self::Hash(fields) = &mut self {
            fields.retain(|field| field.expires_at_ms.is_none_or(|at| at > now_ms));
            fields.iter_mut().for_each(|field| field.expires_at_ms = None);
        }
        self
    }

    /// Whether it is a hash with a field that expires.
    pub(crate) fn expires_by_field(&self) -> bool {
        matches!(self, Self::Hash(fields)
            if fields.iter().any(|field| field.expires_at_ms.is_some()))
    }

    /// Whether it is a hash of which every field has expired by `now_ms`.
    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        matches!(self, Self::Hash(fields)
            if fields.iter().all(|field| field.expires_at_ms.is_some_and(|at| at <= now_ms)))
    }

    /// A digest that is equal for equal values only: SHA-256 over the parts, with unordered parts
    /// sorted. Scores are compared by bits, except that −0 equals 0.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut sum = Sum::new(self.type_name());
        match self {
            Self::String(bytes) => sum.bytes(bytes),
            Self::List(elements) => {
                sum.number(elements.len() as u64);
                elements.iter().for_each(|element| sum.bytes(element));
            }
            Self::Set(members) => {
                sum.number(members.len() as u64);
                sorted(members).into_iter().for_each(|member| sum.bytes(member));
            }
            Self::Hash(fields) => {
                sum.number(fields.len() as u64);
                for field in sorted(fields) {
                    sum.bytes(&field.name);
                    sum.bytes(&field.value);
                    // The largest number stands for "never", since no field can have this expiry.
                    sum.number(field.expires_at_ms.unwrap_or(u64::MAX));
                }
            }
            Self::SortedSet(members) => {
                sum.number(members.len() as u64);
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                for (member, score) in sorted {
                    sum.bytes(member);
                    // A small set stores −0 as 0, a large one keeps it.
                    sum.number((score + 0.0).to_bits());
                }
            }
            Self::Stream(stream) => sum.stream(stream),
        }
        sum.0.finalize().into()
    }
}

fn sorted<T: Ord>(parts: &[T]) -> Vec<&T> {
    let mut sorted: Vec<&T> = parts.iter().collect();
    sorted.sort_unstable();
    sorted
}

/// Hashes each part with its length, so that different values give different bytes.
struct Sum(Sha256);

impl Sum {
    fn new(type_name: &str) -> Self {
        let mut sum = Self(Sha256::new());
        sum.bytes(type_name.as_bytes());
        sum
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn id(&mut self, id: StreamId) {
        self.number(id.ms);
        self.number(id.sequence);
    }

    fn stream(&mut self, stream: &Stream) {
        self.number(stream.entries.len() as u64);
        for entry in &stream.entries {
            self.id(entry.id);
            self.number(entry.fields.len() as u64);
            for (name, value) in &entry.fields {
                self.bytes(name);
                self.bytes(value);
            }
        }
        self.id(stream.last_id);
        self.id(stream.max_deleted_id);
        self.number(stream.entries_added);
        self.number(stream.groups.len() as u64);
        let mut groups: Vec<&Group> = stream.groups.iter().collect();
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for group in groups {
            self.group(group);
        }
    }

    fn group(&mut self, group: &Group) {
        self.bytes(&group.name);
        self.id(group.last_id);
        self.number(group.pending.len() as u64);
        let mut pending: Vec<&Pending> = group.pending.iter().collect();
        pending.sort_unstable_by_key(|pending| pending.id);
        for pending in pending {
            self.id(pending.id);
            self.bytes(&pending.consumer);
            self.number(pending.delivered_at_ms);
            self.number(pending.deliveries);
        }
        let mut names: Vec<&[u8]> = group.consumers.iter().map(|c| c.name.as_slice()).collect();
        names.sort_unstable();
        self.number(names.len() as u64);
        names.into_iter().for_each(|name| self.bytes(name));
    }
}
