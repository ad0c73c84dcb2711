//! Encodes streams: entries in listpacks as a server makes them, groups, and pending entries.

use std::collections::BTreeMap;

use super::format::Format;
use super::length::{length, string};
use super::types::{STREAM, STREAM_2, STREAM_3};
use super::value::{Group, Stream, StreamEntry, StreamId};

/// Entries of one listpack; a server's own have at most 100 (`stream-node-max-entries`).
const ENTRIES: usize = 100;
/// Bytes after which a listpack is closed (`stream-node-max-bytes`).
const BYTES: usize = 4_096;
/// The entry has the names of the first one.
const SAME_FIELDS: i64 = 2;

/// Appends the stream; returns its type byte. Redis 6.2 has no count of added entries and no last deleted id.
pub(super) fn stream(stream: &Stream, format: Format, to: &mut Vec<u8>) -> u8 {
    let value_type = match format.version() {
        ..=9 => STREAM,
        10 => STREAM_2,
        _ => STREAM_3,
    };
    let nodes = nodes(&stream.entries);
    length(nodes.len() as u64, to);
    for (first, listpack) in nodes {
        string(&big_endian(first), to);
        string(&listpack, to);
    }
    length(stream.entries.len() as u64, to);
    id(stream.last_id, to);
    if value_type != STREAM {
        id(stream.entries.first().map_or_else(StreamId::default, |entry| entry.id), to);
        id(stream.max_deleted_id, to);
        length(stream.entries_added, to);
    }
    length(stream.groups.len() as u64, to);
    for group in &stream.groups {
        self::group(group, value_type, to);
    }
    value_type
}

fn id(id: StreamId, to: &mut Vec<u8>) {
    length(id.ms, to);
    length(id.sequence, to);
}

fn big_endian(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.sequence)).to_be_bytes()
}

fn group(group: &Group, value_type: u8, to: &mut Vec<u8>) {
    string(&group.name, to);
    id(group.last_id, to);
    if value_type != STREAM {
        // The largest number stands for unknown.
        length(group.entries_read.unwrap_or(u64::MAX), to);
    }
    length(group.pending.len() as u64, to);
    for pending in &group.pending {
        to.extend_from_slice(&big_endian(pending.id));
        to.extend_from_slice(&pending.delivered_at_ms.to_le_bytes());
        length(pending.deliveries, to);
    }
    let mut owned: BTreeMap<&[u8], Vec<StreamId>> = BTreeMap::new();
    for pending in &group.pending {
        owned.entry(&pending.consumer).or_default().push(pending.id);
    }
    length(group.consumers.len() as u64, to);
    for consumer in &group.consumers {
        string(&consumer.name, to);
        to.extend_from_slice(&consumer.seen_at_ms.to_le_bytes());
        if value_type == STREAM_3 {
            to.extend_from_slice(&consumer.active_at_ms.to_le_bytes());
        }
        let own = owned.get(consumer.name.as_slice()).map_or(&[][..], Vec::as_slice);
        length(own.len() as u64, to);
        own.iter().for_each(|id| to.extend_from_slice(&big_endian(*id)));
    }
}

/// The entries in listpacks, each with its first id.
fn nodes(entries: &[StreamEntry]) -> Vec<(StreamId, Vec<u8>)> {
    let mut nodes = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let (mut count, mut bytes) = (0, 0);
        for entry in rest {
            if count > 0 && (count == ENTRIES || bytes >= BYTES) {
                break;
            }
            count += 1;
            bytes += entry.fields.iter().map(|(f, v)| f.len() + v.len() + 4).sum::<usize>() + 12;
        }
        let (some, others) = rest.split_at(count);
        nodes.push((first.id, node(first, some)));
        rest = others;
    }
    nodes
}

/// A listpack: counts, the names of the first entry, then each entry.
fn node(first: &StreamEntry, entries: &[StreamEntry]) -> Vec<u8> {
    let mut listpack = Listpack::new();
    listpack.number(entries.len() as i64);
    // Number of deleted entries.
    listpack.number(0);
    listpack.number(first.fields.len() as i64);
    first.fields.iter().for_each(|(name, _)| listpack.string(name));
    listpack.number(0);
    let names = first.fields.iter().map(|(name, _)| name);
    for entry in entries {
        let same = entry.fields.iter().map(|(name, _)| name).eq(names.clone());
        listpack.number(if same { SAME_FIELDS } else { 0 });
        listpack.number(entry.id.ms.wrapping_sub(first.id.ms).cast_signed());
        listpack.number(entry.id.sequence.wrapping_sub(first.id.sequence).cast_signed());
        let fields = entry.fields.len() as i64;
        if same {
            entry.fields.iter().for_each(|(_, value)| listpack.string(value));
        } else {
            listpack.number(fields);
            for (name, value) in &entry.fields {
                listpack.string(name);
                listpack.string(value);
            }
        }
        // Number of elements of the entry, for walking backwards.
        listpack.number(if same { fields + 3 } else { fields * 2 + 4 });
    }
    listpack.finish()
}

/// A listpack being written.
struct Listpack {
    bytes: Vec<u8>,
    elements: usize,
}

/// Total length and number of elements.
const HEADER: usize = 4 + 2;
/// The number of elements from which on it is not stored.
const UNCOUNTED: u16 = u16::MAX;

impl Listpack {
    fn new() -> Self {
        Self { bytes: vec![0; HEADER], elements: 0 }
    }

    /// Appends a number in as few bytes as it needs.
    fn number(&mut self, number: i64) {
        let start = self.bytes.len();
        let bytes = number.to_le_bytes();
        match number {
            0..=127 => self.bytes.push(bytes[0]),
            -4_096..=4_095 => self.bytes.extend_from_slice(&[0xc0 | bytes[1] & 0x1f, bytes[0]]),
            -32_768..=32_767 => self.prefixed(0xf1, &bytes[..2]),
            -8_388_608..=8_388_607 => self.prefixed(0xf2, &bytes[..3]),
            -2_147_483_648..=2_147_483_647 => self.prefixed(0xf3, &bytes[..4]),
            _ => self.prefixed(0xf4, &bytes),
        }
        self.end(start);
    }

    /// Appends a string; one that is a number as that number, as servers do.
    fn string(&mut self, string: &[u8]) {
        if let Some(number) = as_number(string) {
            return self.number(number);
        }
        let start = self.bytes.len();
        let length = string.len();
        match length {
            0..=63 => self.bytes.push(0x80 | length as u8),
            64..=4_095 => {
                self.bytes.extend_from_slice(&[0xe0 | (length >> 8) as u8, length as u8]);
            }
            _ => self.prefixed(0xf0, &(length as u32).to_le_bytes()),
        }
        self.bytes.extend_from_slice(string);
        self.end(start);
    }

    fn prefixed(&mut self, kind: u8, bytes: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends the length of the element since `start`, in groups of seven bits that are read backwards.
    fn end(&mut self, start: usize) {
        let length = self.bytes.len() - start;
        let groups = match length {
            0..=127 => 1,
            128..=16_382 => 2,
            16_383..=2_097_150 => 3,
            2_097_151..=268_435_454 => 4,
            _ => 5,
        };
        for group in (0..groups).rev() {
            let bits = (length >> (7 * group) & 0x7f) as u8;
            // All but the first group are marked.
            self.bytes.push(if group + 1 == groups { bits } else { bits | 0x80 });
        }
        self.elements += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0xff);
        let length = self.bytes.len() as u32;
        let count = u16::try_from(self.elements).unwrap_or(UNCOUNTED);
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

/// The number that the string is the shortest text of.
fn as_number(string: &[u8]) -> Option<i64> {
    if string.len() > 20 {
        return None;
    }
    let number: i64 = std::str::from_utf8(string).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == string).then_some(number)
}
