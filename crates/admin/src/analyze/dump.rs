//! Analyses an RDB file without a server.
//!
//! The file has names, types, expiries and values; it has last-use times only if the server's
//! eviction policy needs them. Memory is estimated from the sizes in the file and the overhead of a
//! 64-bit server for each key and element. The reader has checked the lengths in the file, so no
//! value counts as larger than it can be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use super::collect::{Collector, KeyFacts};
use super::definitions::{Definition, Names};
use super::report::{Analysis, Measure, ServerState, Source};
use super::{AnalyzeOptions, now};
use crate::frameworks::{Signature, is_binding_table};
use crate::rdb::{FileReader, Item, Key, Payload, Value, type_name};
use crate::restore::no_database;
use crate::{AdminError, KeyType, Progress, Result};

/// Analyses each numbered database of the file, or only one. It reads the file three times and
/// blocks its thread: do not call it on the threads of an async runtime.
///
/// # Errors
/// When the file cannot be read, or is not an RDB file.
pub fn analyze_dump(
    path: &Path,
    only: Option<u32>,
    options: &AnalyzeOptions,
    progress: &dyn Progress,
) -> Result<Vec<Analysis>> {
    let began = Instant::now();
    let made = now();
    let wanted = |key: &Key| only.is_none_or(|index| u64::from(index) == key.database);
    let mut header = Header::default();
    let mut databases: BTreeMap<u64, Names> = BTreeMap::new();
    let (mut keys, mut there) = (0, BTreeMap::new());
    progress.begin("read the names", None);
    read(path, &mut header, |key, _| {
        *there.entry(key.database).or_default() += 1;
        if wanted(key) {
            let names = databases.entry(key.database).or_default();
            names.add(&key.name);
            bindings(key, names);
            keys += 1;
        }
        progress.advance(1);
    })?;
    if let Some(index) = only.map(u64::from).filter(|index| !there.contains_key(index)) {
        return Err(no_database(path, index, &there));
    }
    let known = signatures(path, &databases)?;
    let mut second: BTreeMap<u64, (Collector, Vec<Definition>)> = BTreeMap::new();
    for (index, names) in databases {
        let definitions = names.define(&options.rules, &known[&index]);
        second.insert(index, (Collector::new(&definitions, options.top), definitions));
    }
    progress.begin("look at the keys", Some(keys));
    read(path, &mut Header::default(), |key, saved_at_ms| {
        if let Some((collector, _)) = second.get_mut(&key.database) {
            collector.add(&key.name, &facts(key, saved_at_ms));
            progress.advance(1);
        }
    })?;
    let analyses = second.into_iter().map(|(index, (collector, definitions))| {
        let collected = collector.finish(definitions);
        Analysis {
            version: 1,
            source: Source {
                label: format!("index {index}"),
                server: path.display().to_string(),
                index: u32::try_from(index).unwrap_or(u32::MAX),
                prefix: String::new(),
            },
            made: made.clone(),
            seconds: began.elapsed().as_secs_f64(),
            server: ServerState { version: header.version.clone(), ..ServerState::default() },
            keys: collected.keys,
            vanished: 0,
            types: collected.types,
            encodings: collected.encodings,
            ttl: collected.ttl,
            idle: collected.idle.list(),
            uses: collected.uses.list(),
            memory: collected.memory,
            measure: Measure::FromDump,
            groups: collected.groups,
            biggest: collected.biggest,
            clients: Vec::new(),
            missing: header.missing(index),
        }
    });
    Ok(analyses.collect())
}

/// All versions that know a form of set write it in the same way.
const ANY_VERSION: u16 = 11;

/// The file's metadata.
#[derive(Debug, Default)]
struct Header {
    version: String,
    saved_at_ms: Option<u64>,
    /// Empty collections by database, which a server would skip.
    empty: BTreeMap<u64, u64>,
}

impl Header {
    fn missing(&self, index: u64) -> Vec<String> {
        let mut missing = vec!["a file does not list connected clients".to_owned()];
        if let Some(keys) = self.empty.get(&index) {
            missing.push(format!(
                "{keys} keys are collections without an element, and are left out as a server \
                 leaves them out"
            ));
        }
        missing
    }
}

/// Types of a few keys of one database.
type Known = BTreeMap<Vec<u8>, Signature>;

/// Adds the queues named by a binding table of Celery, if the key is one.
fn bindings(key: &Key, names: &mut Names) {
    if !is_binding_table(&key.name) {
        return;
    }
    let dump = key.dump(ANY_VERSION);
    if let Ok(Value::Set(members)) = Payload::parse(&dump).and_then(|payload| payload.value()) {
        members.iter().for_each(|member| names.bound(&key.name, member));
    }
}

/// Reads the file for the types of the keys that identify their program.
fn signatures(path: &Path, databases: &BTreeMap<u64, Names>) -> Result<BTreeMap<u64, Known>> {
    let mut questions: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut known: BTreeMap<u64, Known> = BTreeMap::new();
    for (index, names) in databases {
        questions.insert(*index, names.questions().into_iter().collect());
        known.insert(*index, Known::new());
    }
    read(path, &mut Header::default(), |key, _| {
        if questions.get(&key.database).is_some_and(|names| names.contains(&key.name)) {
            let signature =
                Signature { key_type: key_type(key), expires: key.expires_at_ms.is_some() };
            known.entry(key.database).or_default().insert(key.name.clone(), signature);
        }
    })?;
    Ok(known)
}

fn read(path: &Path, header: &mut Header, mut each: impl FnMut(&Key, Option<u64>)) -> Result<()> {
    let bad = |error: crate::rdb::RdbError| match error {
        crate::rdb::RdbError::Io(source) => AdminError::file("read", path)(source),
        error => AdminError::BadFile { path: path.to_owned(), problem: error.to_string() },
    };
    let mut reader = FileReader::open(path).map_err(bad)?;
    while let Some(item) = reader.next_item().map_err(bad)? {
        match item {
            Item::Key(key) => each(&key, header.saved_at_ms),
            Item::EmptyKey { database, .. } => *header.empty.entry(database).or_default() += 1,
            Item::Aux { name, value } => {
                let value = String::from_utf8_lossy(&value).into_owned();
                match name.as_slice() {
                    b"redis-ver" | b"valkey-ver" => header.version = value,
                    b"ctime" => {
                        header.saved_at_ms = value.parse::<u64>().ok().map(|secs| secs * 1_000);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn key_type(key: &Key) -> KeyType {
    KeyType::parse(type_name(key.value_type)).unwrap_or(KeyType::Module)
}

fn facts(key: &Key, saved_at_ms: Option<u64>) -> KeyFacts {
    let key_type = key_type(key);
    let form = Form::of(key, key_type);
    KeyFacts {
        key_type,
        encoding: form.encoding,
        ttl_seconds: key
            .expires_at_ms
            .map(|at| at.saturating_sub(saved_at_ms.unwrap_or(0)) / 1_000),
        bytes: Some(form.bytes + bytes_of_key(key)),
        idle_seconds: key.idle_seconds,
        uses: key.frequency.map(u64::from),
    }
}

/// Memory of a key: a table's entry and slot, an object, the name with its header, and another
/// entry for an expiry.
fn bytes_of_key(key: &Key) -> u64 {
    let expiry = if key.expires_at_ms.is_some() { 32 } else { 0 };
    rounded(key.name.len() as u64 + 2) + 24 + 8 + 16 + expiry
}

/// The size that an allocator reserves for `bytes`: it rounds up in steps of an eighth of the next
/// power of two, at least 16.
fn rounded(bytes: u64) -> u64 {
    let max = bytes.min(1 << 40);
    max.next_multiple_of((max.next_power_of_two() / 8).max(16))
}

/// The representation of a value in a server's memory.
struct Form {
    encoding: &'static str,
    bytes: u64,
}

impl Form {
    fn of(key: &Key, key_type: KeyType) -> Self {
        // Hashes with expiring fields begin with the next expiry.
        let starts = if matches!(key.value_type, 24 | 25) { 8 } else { 0 };
        let head = Head::read(key.payload.get(starts..).unwrap_or_default());
        let stored = unpacked(key.value_type, &key.payload);
        let of_elements = |encoding, each: u64| Self {
            encoding,
            // An element takes at least one byte of the file, even if the count claims more
            // elements.
            bytes: 100 + stored + head.length.min(key.payload.len() as u64) * each,
        };
        let packed = |encoding| Self { encoding, bytes: rounded(head.length + 16) };
        match (key_type, key.value_type) {
            (KeyType::String, _) if head.is_number => Self { encoding: "int", bytes: 0 },
            (KeyType::String, _) if head.length <= 44 => {
                // Allocated together with its object, which is counted with the key.
                Self { encoding: "embstr", bytes: rounded(head.length + 4 + 16) - 16 }
            }
            (KeyType::String, _) => Self { encoding: "raw", bytes: rounded(head.length + 6) },
            (KeyType::List, _) => {
                let bytes = 40 + 32 * (stored / 8_192 + 1) + rounded(stored);
                Self { encoding: "quicklist", bytes }
            }
            (KeyType::Set, 11) => packed("intset"),
            (KeyType::Set | KeyType::Zset | KeyType::Hash, 20 | 12 | 17 | 9 | 13 | 16) => {
                packed("listpack")
            }
            (KeyType::Hash, 23 | 25) => packed("listpackex"),
            (KeyType::Set, _) => of_elements("hashtable", 48),
            (KeyType::Hash, _) => of_elements("hashtable", 48),
            (KeyType::Zset, _) => of_elements("skiplist", 88),
            (KeyType::Stream, _) => Self { encoding: "stream", bytes: 200 + stored + stored / 8 },
            (KeyType::Module, _) => Self { encoding: "other", bytes: rounded(stored) },
        }
    }
}

/// The head of a value: a number of bytes or elements.
#[derive(Default)]
struct Head {
    length: u64,
    is_number: bool,
}

impl Head {
    fn read(payload: &[u8]) -> Self {
        let is_number = matches!(payload, [0xc0..=0xc2, ..]);
        match payload.first() {
            Some(0xc0..=0xc3) => Self { length: string(payload).0, is_number },
            _ => Self { length: length(payload).0, is_number },
        }
    }
}

/// The uncompressed length of a string, and its length in the file.
fn string(bytes: &[u8]) -> (u64, usize) {
    match bytes.split_first() {
        Some((0xc0, _)) => (1, 2),
        Some((0xc1, _)) => (2, 3),
        Some((0xc2, _)) => (4, 5),
        // Compressed: the compressed length, then the real one.
        Some((0xc3, rest)) => {
            let (packed, used) = length(rest);
            let (real, more) = length(rest.get(used..).unwrap_or_default());
            (real, (1 + used + more).saturating_add(usize::try_from(packed).unwrap_or(usize::MAX)))
        }
        _ => {
            let (real, used) = length(bytes);
            (real, used.saturating_add(usize::try_from(real).unwrap_or(usize::MAX)))
        }
    }
}

/// The uncompressed bytes of all elements of a collection.
fn unpacked(value_type: u8, payload: &[u8]) -> u64 {
    /// The overhead around each string.
    #[derive(Clone, Copy, PartialEq)]
    enum Around {
        Nothing,
        Container,
        Score,
        ScoreText,
    }
    let (around, strings) = match value_type {
        4 => (Around::Nothing, 2),
        1 | 2 | 14 => (Around::Nothing, 1),
        18 => (Around::Container, 1),
        5 => (Around::Score, 1),
        3 => (Around::ScoreText, 1),
        _ => return payload.len() as u64,
    };
    let (count, mut at) = length(payload);
    let mut sum: u64 = 0;
    for _ in 0..count.saturating_mul(strings) {
        let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) else { break };
        if around == Around::Container {
            at += length(rest).1;
        }
        let (real, used) = string(payload.get(at..).unwrap_or_default());
        sum = sum.saturating_add(real);
        at = at.saturating_add(used);
        at = at.saturating_add(match around {
            Around::Score => 8,
            Around::ScoreText => match payload.get(at) {
                Some(253..) | None => 1,
                Some(length) => 1 + usize::from(*length),
            },
            _ => 0,
        });
    }
    sum
}

/// A length and the number of bytes that encode it.
fn length(bytes: &[u8]) -> (u64, usize) {
    match bytes {
        [first @ 0..=0x3f, ..] => (u64::from(*first), 1),
        [first @ 0x40..=0x7f, second, ..] => {
            (u64::from(*first & 0x3f) << 8 | u64::from(*second), 2)
        }
        [0x80, a, b, c, d, ..] => (u64::from(u32::from_be_bytes([*a, *b, *c, *d])), 5),
        [0x81, rest @ ..] if rest.len() >= 8 => {
            let eight = rest[..8].try_into().unwrap_or([0; 8]);
            (u64::from_be_bytes(eight), 9)
        }
        _ => (0, 1),
    }
}
