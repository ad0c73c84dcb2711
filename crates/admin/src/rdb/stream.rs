//! Decodes streams: entries in listpacks, groups, and pending entries.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::{RdbError, RdbResult};
use super::listpack::Listpack;
use super::scanner::Scanner;
use super::types::{STREAM, STREAM_3, STREAM_4, STREAM_5};
use super::value::{Consumer, Group, Pending, Stream, StreamEntry, StreamId};

const BAD: RdbError = RdbError::Corrupt("a stream has an unknown encoding");

/// The consumer of pending entries that were given back (`XNACK` of Redis 8.8). Other servers know no entry without
/// one: they crash when such an entry is listed.
const UNOWNED: &[u8] = b"(given back)";
const DELETED: i64 = 1;
/// The entry has the same field names as the first one.
const SAME_FIELDS: i64 = 2;

pub(super) fn decode(scanner: &mut Scanner<'_>, value_type: u8) -> RdbResult<Stream> {
    let mut stream = Stream::default();
    for _ in 0..scanner.count()? {
        let first = big_endian(&mut Scanner(&scanner.string()?))?;
        entries(first, &scanner.string()?, &mut stream.entries)?;
    }
    let length = scanner.count()?;
    stream.last_id = counted(scanner)?;
    if value_type == STREAM {
        // Redis assumes this when it loads the old format.
        stream.entries_added = length;
    } else {
        // Skips the first id, which is that of the first entry.
        counted(scanner)?;
        stream.max_deleted_id = counted(scanner)?;
        stream.entries_added = scanner.count()?;
    }
    for _ in 0..scanner.count()? {
        stream.groups.push(group(scanner, value_type)?);
    }
    if value_type >= STREAM_4 {
        skip_producers(scanner)?;
    }
    Ok(stream)
}

/// Skips what Redis 8.6 remembers of producers, so that they add an entry only once: other servers do not know it.
fn skip_producers(scanner: &mut Scanner<'_>) -> RdbResult<()> {
    counted(scanner)?;
    for _ in 0..scanner.count()? {
        scanner.string()?;
        for _ in 0..scanner.count()? {
            scanner.string()?;
            counted(scanner)?;
        }
    }
    counted(scanner).map(drop)
}

/// An id as two lengths.
fn counted(scanner: &mut Scanner<'_>) -> RdbResult<StreamId> {
    Ok(StreamId { ms: scanner.count()?, sequence: scanner.count()? })
}

/// An id in big-endian form, which sorts as bytes.
fn big_endian(scanner: &mut Scanner<'_>) -> RdbResult<StreamId> {
    let ms = u64::from_be_bytes(scanner.array()?);
    Ok(StreamId { ms, sequence: u64::from_be_bytes(scanner.array()?) })
}

fn entries(first: StreamId, bytes: &[u8], into: &mut Vec<StreamEntry>) -> RdbResult<()> {
    let mut listpack = Listpack::new(bytes)?;
    // The numbers of entries and of deleted ones, which follow from each entry's flags.
    listpack.need()?;
    listpack.need()?;
    let mut names = Vec::new();
    for _ in 0..listpack.need()?.integer()? {
        // Shared by all entries: copies could exceed the input many times.
        names.push(Bytes::from(listpack.need()?.into_bytes()));
    }
    // The end of the first entry's names.
    listpack.need()?;
    while let Some(flags) = listpack.next()? {
        let flags = flags.integer()?;
        let id = StreamId {
            ms: first.ms.wrapping_add_signed(listpack.need()?.integer()?),
            sequence: first.sequence.wrapping_add_signed(listpack.need()?.integer()?),
        };
        let mut fields = Vec::new();
        if flags & SAME_FIELDS != 0 {
            for name in &names {
                fields.push((name.clone(), Bytes::from(listpack.need()?.into_bytes())));
            }
        } else {
            for _ in 0..listpack.need()?.integer()? {
                let name = Bytes::from(listpack.need()?.into_bytes());
                fields.push((name, Bytes::from(listpack.need()?.into_bytes())));
            }
        }
        // Number of elements of the entry, for walking backwards.
        listpack.need()?;
        if flags & DELETED == 0 {
            into.push(StreamEntry { id, fields });
        }
    }
    Ok(())
}

fn group(scanner: &mut Scanner<'_>, value_type: u8) -> RdbResult<Group> {
    let name = scanner.string()?.into_owned();
    let last_id = counted(scanner)?;
    let entries_read = match value_type {
        STREAM => None,
        // −1 for unknown.
        _ => Some(scanner.count()?).filter(|read| *read != u64::MAX),
    };
    let mut pending = BTreeMap::new();
    for _ in 0..scanner.count()? {
        let id = big_endian(scanner)?;
        let (delivered_at_ms, deliveries) = (scanner.u64_le()?, scanner.count()?);
        pending.insert(id, Pending { id, consumer: Vec::new(), delivered_at_ms, deliveries });
    }
    let mut consumers = Vec::new();
    for _ in 0..scanner.count()? {
        let name = scanner.string()?.into_owned();
        let seen_at_ms = scanner.u64_le()?;
        let active_at_ms = if value_type >= STREAM_3 { scanner.u64_le()? } else { seen_at_ms };
        for _ in 0..scanner.count()? {
            let owned = pending.get_mut(&big_endian(scanner)?).ok_or(BAD)?;
            owned.consumer.clone_from(&name);
        }
        consumers.push(Consumer { name, seen_at_ms, active_at_ms });
    }
    if value_type == STREAM_5 {
        let given_back = scanner.count()?;
        for _ in 0..given_back {
            let unowned = pending.get_mut(&big_endian(scanner)?).ok_or(BAD)?;
            unowned.consumer = UNOWNED.to_vec();
        }
        if given_back > 0 {
            consumers.push(Consumer { name: UNOWNED.to_vec(), seen_at_ms: 0, active_at_ms: 0 });
        }
    }
    if pending.values().any(|pending| pending.consumer.is_empty()) {
        return Err(BAD);
    }
    Ok(Group { name, last_id, entries_read, pending: pending.into_values().collect(), consumers })
}
