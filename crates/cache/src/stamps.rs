//! Stamps: one number for each tag, each document and the database as a whole.
//!
//! An entry notes the numbers that hold when its load begins; it holds while they are the same.
//! To invalidate is to give a new number, whatever hangs on it: one write. A stamp that the
//! database lost is one that no entry has, so losing it costs loads and never serves what is old.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result};
use quick_cache::DefaultHashBuilder;

use crate::second::envelope::{MAX_STAMPS, StampSeen};
use crate::unique::unique;

/// The stamp of the whole database.
pub(crate) const WHOLE: &str = "";
/// More stamps are not remembered; those forgotten are asked for again.
const MAX_KNOWN: usize = 100_000;
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

/// What the names of documents' stamps begin with.
const DOCUMENT: &str = "document:";

/// A stamp's name for a document.
pub(crate) fn document(id: &str) -> String {
    format!("{DOCUMENT}{id}")
}

/// Whether a stamp is a document's.
pub(crate) fn is_document(name: &str) -> bool {
    name.starts_with(DOCUMENT)
}

/// The document whose stamp stands at this key.
pub(crate) fn document_at(key: &str) -> Option<&str> {
    key.strip_prefix(STAMP_PREFIX)?.strip_prefix(DOCUMENT)
}

/// A stamp's name for a tag.
pub(crate) fn tag(tag: &str) -> String {
    format!("tag:{tag}")
}

/// Whether no entry can have this label.
pub(crate) fn is_too_long(label: &str) -> bool {
    label.len() > LONGEST_NAME
}

/// Labels that entries may have: not too many, nor too long.
pub(crate) fn check_labels(labels: &[Arc<str>]) -> Result<()> {
    let too_long = labels.iter().any(|label| is_too_long(label));
    if too_long || labels.len() >= MAX_STAMPS {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "label",
            format!(
                "at most {} tags and documents of at most {LONGEST_NAME} bytes",
                MAX_STAMPS - 1
            ),
        ));
    }
    Ok(())
}

/// The stamps that this process knows, as far as news of others arrives.
#[derive(Debug, Default)]
pub(crate) struct StampBook {
    known: RwLock<HashMap<Arc<str>, Known, DefaultHashBuilder>>,
    /// Moves with every change, so that what was checked before need not be checked again.
    epoch: AtomicU64,
    /// Moves with all news, and when stamps became doubtful: what is being read may be older.
    changes: AtomicU64,
    /// Moves when news may have been missed. What was known in an era before cannot tell that an
    /// entry holds; it still tells that one does not, above all what this process invalidated.
    era: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    stamp: Stamp,
    era: u64,
    /// It is the database's, and not made up here while that could not be asked.
    is_certain: bool,
}

/// What was known of a stamp before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    changes: u64,
    known: Option<Known>,
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

    /// A stamp that is the database's, as far as news arrives.
    pub(crate) fn get(&self, name: &str) -> Option<Stamp> {
        let known = self.read().get(name).copied()?;
        (known.is_certain && known.era == self.era()).then_some(known.stamp)
    }

    /// The last that was known of a stamp.
    pub(crate) fn last(&self, name: &str) -> Option<Stamp> {
        self.read().get(name).map(|known| known.stamp)
    }

    /// Notes a stamp that somebody has just made.
    pub(crate) fn note(&self, name: &str, stamp: Stamp) {
        self.put(name, stamp, true);
    }

    /// Notes a stamp that holds in this process until the database can be asked.
    pub(crate) fn note_provisional(&self, name: &str, stamp: Stamp) {
        self.put(name, stamp, false);
    }

    fn put(&self, name: &str, stamp: Stamp, is_certain: bool) {
        let mut known = self.write();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        let now = Known { stamp, era: self.era(), is_certain };
        if known.insert(name.into(), now) != Some(now) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// To be taken before a stamp is read.
    pub(crate) fn before(&self, name: &str) -> Before {
        let known = self.read();
        Before { changes: self.changes.load(Ordering::Acquire), known: known.get(name).copied() }
    }

    /// Notes a stamp that was read, unless news has come since: what was read may be older.
    pub(crate) fn note_read(&self, name: &str, stamp: Stamp, before: Before) {
        let mut known = self.write();
        let now = Before {
            changes: self.changes.load(Ordering::Acquire),
            known: known.get(name).copied(),
        };
        let found = Known { stamp, era: self.era(), is_certain: true };
        if now == before && now.known != Some(found) {
            known.insert(name.into(), found);
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// News may have been missed: nothing that is known tells any more that an entry holds.
    pub(crate) fn doubt_all(&self) {
        let _known = self.write();
        self.era.fetch_add(1, Ordering::AcqRel);
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn standing(&self, seen: &[StampSeen]) -> Standing {
        let (known, era) = (self.read(), self.era());
        let mut standing = Standing::Holds;
        for stamp in seen {
            match known.get(&stamp.name) {
                Some(now) if now.stamp.token != stamp.token => return Standing::Differs,
                Some(now) if now.era == era => {}
                _ => standing = Standing::Unknown,
            }
        }
        standing
    }

    /// Whether these are the database's stamps, as far as news arrives. What an entry of the
    /// database goes by; an entry of this process may go by provisional ones.
    pub(crate) fn is_certain<'a>(&self, seen: impl IntoIterator<Item = (&'a str, u64)>) -> bool {
        let (known, era) = (self.read(), self.era());
        seen.into_iter().all(|(name, token)| {
            let now = known.get(name);
            now.is_some_and(|now| now.is_certain && now.era == era && now.stamp.token == token)
        })
    }

    fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Known, DefaultHashBuilder>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Known, DefaultHashBuilder>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_evicted_after_all_else() {
        assert!(STAMP_PREFIX.starts_with(compartment_core::backend::HOUSEKEEPING_PREFIX));
    }

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
        let own = [StampSeen { name: "tag:a".into(), token: book.get("tag:a").unwrap().token }];
        book.doubt_all();
        assert_eq!(book.standing(&own), Standing::Unknown);
        assert_eq!(book.standing(&seen), Standing::Differs, "what was invalidated stays so");
        assert_eq!(book.get("tag:a"), None);
    }

    #[test]
    fn a_provisional_stamp_says_nothing_of_the_database() {
        let book = StampBook::default();
        let stamp = Stamp::new(false);
        let seen = [StampSeen { name: "tag:a".into(), token: stamp.token }];
        book.note("tag:a", stamp);
        let is_certain = || book.is_certain([("tag:a", stamp.token)]);
        assert!(is_certain());
        book.doubt_all();
        book.note_provisional("tag:a", stamp);
        assert_eq!((book.standing(&seen), is_certain()), (Standing::Holds, false));
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
        book.doubt_all();
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
