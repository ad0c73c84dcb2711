//! Stamps: one number for each tag, each document and the database as a whole.
//!
//! An entry notes the numbers that hold when its load begins; it holds while they are the same.
//! To invalidate is to give a new number, whatever hangs on it: one write. A stamp that the
//! database lost is one that no entry has, so losing it costs loads and never serves what is old.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result};

use crate::envelope::{MOST_STAMPS, StampSeen};
use crate::unique::unique;

/// The stamp of the whole database.
pub(crate) const WHOLE: &str = "";
/// More stamps are not remembered; those forgotten are asked for again.
const MOST_KNOWN: usize = 100_000;
const LONGEST_NAME: usize = 1_024;

/// A stamp's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Another after each invalidation.
    pub(crate) token: u64,
    /// Whether nothing of it is to be kept.
    pub(crate) no_cache: bool,
}

impl Stamp {
    /// How many bytes it takes.
    pub(crate) const BYTES: usize = 9;

    pub(crate) fn new(no_cache: bool) -> Self {
        Self { token: unique(), no_cache }
    }

    pub(crate) fn to_bytes(self) -> Bytes {
        let mut bytes = self.token.to_le_bytes().to_vec();
        bytes.push(u8::from(self.no_cache));
        bytes.into()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (token, [flags]) = bytes.split_first_chunk()? else { return None };
        Some(Self { token: u64::from_le_bytes(*token), no_cache: flags & 1 == 1 })
    }
}

/// The key of a stamp in the database.
pub(crate) fn key_of(name: &str) -> String {
    format!("{STAMP_PREFIX}{name}")
}

/// What the keys of stamps begin with.
pub(crate) const STAMP_PREFIX: &str = "compartment:stamp:";

/// A stamp's name for a document.
pub(crate) fn document(id: &str) -> String {
    format!("document:{id}")
}

/// A stamp's name for a tag.
pub(crate) fn tag(tag: &str) -> String {
    format!("tag:{tag}")
}

/// Labels that entries may have: not too many, nor too long.
pub(crate) fn check_labels(labels: &[Arc<str>]) -> Result<()> {
    let too_long = labels.iter().any(|label| label.len() > LONGEST_NAME);
    if too_long || labels.len() >= MOST_STAMPS {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "label",
            format!(
                "at most {} tags and documents of at most {LONGEST_NAME} bytes",
                MOST_STAMPS - 1
            ),
        ));
    }
    Ok(())
}

/// The stamps that this process knows, as far as news of others arrives.
#[derive(Debug, Default)]
pub(crate) struct StampBook {
    known: RwLock<HashMap<Arc<str>, Stamp>>,
    /// Moves with every change, so that what was checked before need not be checked again.
    epoch: AtomicU64,
    /// Moves with all news, and when stamps were forgotten and with them what was said about them.
    changes: AtomicU64,
}

/// What was known of a stamp before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    changes: u64,
    known: Option<Stamp>,
}

/// Whether an entry's stamps are those that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Holds,
    /// One is another.
    Differs,
    /// One is not known here.
    Unknown,
}

impl StampBook {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Stamp> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Notes a stamp that somebody else made, or that was read.
    pub(crate) fn note(&self, name: &str, stamp: Stamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        if known.insert(name.into(), stamp) != Some(stamp) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// To be taken before a stamp is read.
    pub(crate) fn before(&self, name: &str) -> Before {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Before { changes: self.changes.load(Ordering::Acquire), known: known.get(name).copied() }
    }

    /// Notes a stamp that was read, unless news of it has come since: what was read is older.
    pub(crate) fn note_read(&self, name: &str, stamp: Stamp, before: Before) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let now = Before {
            changes: self.changes.load(Ordering::Acquire),
            known: known.get(name).copied(),
        };
        if now == before && now.known != Some(stamp) {
            known.insert(name.into(), stamp);
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Forgets all.
    pub(crate) fn forget_all(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn standing(&self, seen: &[StampSeen]) -> Standing {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut standing = Standing::Holds;
        for stamp in seen {
            match known.get(&stamp.name) {
                Some(now) if now.token == stamp.token => {}
                Some(_) => return Standing::Differs,
                None => standing = Standing::Unknown,
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_while_its_stamps_are_the_same() {
        let book = StampBook::default();
        let stamp = Stamp::new(false);
        let seen = [StampSeen { name: "tag:a".into(), token: stamp.token }];
        assert_eq!(book.standing(&seen), Standing::Unknown);
        book.note("tag:a", stamp);
        let epoch = book.epoch();
        book.note("tag:a", stamp);
        assert_eq!((book.standing(&seen), book.epoch()), (Standing::Holds, epoch));
        book.note("tag:a", Stamp::new(false));
        assert_eq!(book.standing(&seen), Standing::Differs);
        assert_ne!(book.epoch(), epoch);
        book.forget_all();
        assert_eq!(book.standing(&seen), Standing::Unknown);
    }

    #[test]
    fn what_was_read_before_the_news_is_not_noted() {
        let book = StampBook::default();
        let (old, new) = (Stamp::new(false), Stamp::new(false));
        let before = book.before("tag:a");
        book.note("tag:a", new);
        book.note_read("tag:a", old, before);
        assert_eq!(book.get("tag:a"), Some(new));
        let before = book.before("tag:b");
        book.forget_all();
        book.note_read("tag:b", old, before);
        assert_eq!(book.get("tag:b"), None, "news may have been lost with the rest");
        book.note_read("tag:b", old, book.before("tag:b"));
        assert_eq!(book.get("tag:b"), Some(old));
    }

    #[test]
    fn a_stamp_reads_back() {
        for stamp in [Stamp::new(true), Stamp::new(false)] {
            assert_eq!(Stamp::read(&stamp.to_bytes()), Some(stamp));
        }
        assert_eq!(Stamp::read(b"12345678"), None);
        assert_eq!(Stamp::read(b"1234567890"), None);
    }
}
