//! Stamps: one number for each tag, each document and the database as a whole.
//!
//! An entry records the numbers that were current when its load began, and is valid while they are. An invalidation
//! replaces a number: one write, for any number of entries. If the database loses a stamp, its new number matches no
//! entry; this costs loads but never serves an outdated value.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result};
use hashbrown::DefaultHashBuilder;

use crate::second::envelope::{LONGEST_NAME, MAX_STAMPS, StampSeen, is_too_long};
use crate::unique::unique;

/// The stamp of the whole database.
pub(crate) const WHOLE: &str = "";
/// The maximum number of stamps in memory. Forgotten ones are read again.
const MAX_KNOWN: usize = 100_000;

/// The state of a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Replaced by every invalidation.
    pub(crate) token: u64,
    /// Whether nothing labelled with it may be stored.
    pub(crate) no_cache: bool,
}

impl Stamp {
    /// The encoded size in bytes.
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

/// The prefix of the stamps' keys.
pub(crate) const STAMP_PREFIX: &str = "compartment:stamp:";

/// The prefix of the names of documents' stamps.
const DOCUMENT: &str = "document:";

/// The name of a document's stamp.
pub(crate) fn document(id: &str) -> String {
    format!("{DOCUMENT}{id}")
}

/// Whether a stamp is a document's.
pub(crate) fn is_document(name: &str) -> bool {
    name.starts_with(DOCUMENT)
}

/// The document whose stamp has this key.
pub(crate) fn document_at(key: &str) -> Option<&str> {
    key.strip_prefix(STAMP_PREFIX)?.strip_prefix(DOCUMENT)
}

/// The name of a tag's stamp.
pub(crate) fn tag(tag: &str) -> String {
    format!("tag:{tag}")
}

/// Checks the number and length of labels.
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

/// The stamps that this process knows, as far as messages of other processes arrive.
#[derive(Debug, Default)]
pub(crate) struct StampBook {
    known: RwLock<HashMap<Arc<str>, Known, DefaultHashBuilder>>,
    /// Incremented by every change, so that entries checked since the last change need not be checked again.
    epoch: AtomicU64,
    /// Incremented by every message, and when stamps become doubtful: a stamp that is being read may be older.
    changes: AtomicU64,
    /// Incremented when messages may have been missed. Stamps of an earlier era cannot prove an entry valid, but
    /// still prove one invalid, in particular one that this process invalidated.
    era: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    stamp: Stamp,
    era: u64,
    /// Whether it is the database's, and not provisional because the database did not answer.
    is_certain: bool,
}

impl Known {
    /// The stamp has changed to an unknown number. The number here is nobody's, so that no entry has it.
    fn invalid(changed: Stamp, era: u64) -> Self {
        Self { stamp: Stamp::new(changed.no_cache), era, is_certain: false }
    }
}

/// The known state of a stamp before it was read or given a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    changes: u64,
    known: Option<Known>,
}

/// Whether an entry's stamps are current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Holds,
    /// At least one has another number.
    Differs,
    /// At least one is not known here.
    Unknown,
}

/// Forgets all stamps when there are too many; returns whether it did.
fn make_room(known: &mut HashMap<Arc<str>, Known, DefaultHashBuilder>) -> bool {
    let is_full = known.len() >= MAX_KNOWN;
    if is_full {
        known.clear();
    }
    is_full
}

impl StampBook {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The database's stamp, if messages arrive.
    pub(crate) fn get(&self, name: &str) -> Option<Stamp> {
        let known = self.read().get(name).copied()?;
        (known.is_certain && known.era == self.era()).then_some(known.stamp)
    }

    /// The last known value of a stamp.
    pub(crate) fn last(&self, name: &str) -> Option<Stamp> {
        self.read().get(name).map(|known| known.stamp)
    }

    /// Records a new stamp.
    pub(crate) fn note(&self, name: &str, stamp: Stamp) {
        self.put(name, stamp, true);
    }

    /// Records a stamp that is valid in this process until the database answers.
    pub(crate) fn note_provisional(&self, name: &str, stamp: Stamp) {
        self.put(name, stamp, false);
    }

    fn put(&self, name: &str, stamp: Stamp, is_certain: bool) {
        let mut known = self.write();
        make_room(&mut known);
        self.changes.fetch_add(1, Ordering::AcqRel);
        let now = Known { stamp, era: self.era(), is_certain };
        if known.insert(name.into(), now) != Some(now) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Take it before a stamp is read, or given a number.
    pub(crate) fn before(&self, name: &str) -> Before {
        let known = self.read();
        Before { changes: self.changes.load(Ordering::Acquire), known: known.get(name).copied() }
    }

    /// Records a stamp that was read, unless there have been changes since: it may be outdated.
    pub(crate) fn note_read(&self, name: &str, stamp: Stamp, before: Before) {
        let mut known = self.write();
        let now = Before {
            changes: self.changes.load(Ordering::Acquire),
            known: known.get(name).copied(),
        };
        let found = Known { stamp, era: self.era(), is_certain: true };
        if now == before && now.known != Some(found) {
            make_room(&mut known);
            known.insert(name.into(), found);
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Records a stamp that this process has given, unless the stamp has changed since `before`: another process may
    /// have given it a number after that, so it has to be read.
    pub(crate) fn note_given(&self, name: &str, stamp: Stamp, before: Before) {
        let mut known = self.write();
        make_room(&mut known);
        let changes = self.changes.fetch_add(1, Ordering::AcqRel);
        let is_ours = before == Before { changes, known: known.get(name).copied() };
        let era = self.era();
        let now = if is_ours {
            Known { stamp, era, is_certain: true }
        } else {
            Known::invalid(stamp, era)
        };
        if known.insert(name.into(), now) != Some(now) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Another process has given the stamp this number, so no entry known here holds. The number itself is not
    /// trusted: messages of two processes may arrive in another order than their numbers reached the database, and a
    /// message may arrive although the database has lost the number since. It is read when it is needed next.
    ///
    /// Returns whether other stamps were forgotten, among them some that said that an entry is invalid.
    pub(crate) fn note_heard(&self, name: &str, stamp: Stamp) -> bool {
        let mut known = self.write();
        let forgot = make_room(&mut known);
        self.changes.fetch_add(1, Ordering::AcqRel);
        known.insert(name.into(), Known::invalid(stamp, self.era()));
        self.epoch.fetch_add(1, Ordering::AcqRel);
        forgot
    }

    /// Messages may have been missed: the known stamps no longer prove any entry valid.
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

    /// Whether these are the database's stamps, as far as messages arrive. Entries of the database need this; entries
    /// of this process may have provisional stamps.
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
    fn a_number_that_was_heard_proves_nothing_and_ends_what_is_known() {
        let (book, old, heard) = (StampBook::default(), Stamp::new(false), Stamp::new(true));
        book.note("tag:a", old);
        book.note_heard("tag:a", heard);
        for stamp in [old, heard] {
            let seen = [StampSeen { name: "tag:a".into(), token: stamp.token }];
            assert_eq!(book.standing(&seen), Standing::Differs);
            assert!(!book.is_certain([("tag:a", stamp.token)]));
        }
        assert_eq!(book.get("tag:a"), None);
        assert!(book.last("tag:a").is_some_and(|last| last.no_cache), "the mark is kept");
        book.note_read("tag:a", heard, book.before("tag:a"));
        assert_eq!(book.get("tag:a"), Some(heard));
    }

    #[test]
    fn a_number_that_was_given_is_certain_unless_another_came_meanwhile() {
        let (book, ours, theirs) = (StampBook::default(), Stamp::new(false), Stamp::new(false));
        book.note("tag:a", ours);
        let before = book.before("tag:a");
        book.note_given("tag:a", ours, before);
        assert_eq!(book.get("tag:a"), Some(ours));
        type Event<'a> = &'a dyn Fn();
        let events: [Event<'_>; 3] = [
            &|| {
                book.note_heard("tag:a", theirs);
            },
            &|| book.doubt_all(),
            // The old stamp was read while the new one was on its way.
            &|| book.note_read("tag:a", theirs, book.before("tag:a")),
        ];
        for event in events {
            let before = book.before("tag:a");
            event();
            book.note_given("tag:a", ours, before);
            assert_eq!(book.get("tag:a"), None);
        }
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
