//! Encodes values in the plainest form that a line of servers reads, so that a value of another line can go there.
//!
//! Servers choose their own compact encodings when they load a value, so nothing is lost by the plain form.

use super::crc64::Crc64;
use super::encode_stream::stream;
use super::format::Format;
use super::length::{length, string};
use super::types::*;
use super::value::{HashField, Value};

/// A reason why a value has no form in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoForm {
    /// Fields of the hash expire, and those servers know no such fields.
    FieldLives,
}

/// A payload of `DUMP` from its parts.
pub(super) fn with_footer(value_type: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut dump = Vec::with_capacity(value.len() + 11);
    dump.push(value_type);
    dump.extend_from_slice(value);
    dump.extend_from_slice(&version.to_le_bytes());
    let sum = Crc64::of(&dump);
    dump.extend_from_slice(&sum.to_le_bytes());
    dump
}

/// Appends the value as servers of the line read it; returns its type byte.
///
/// # Errors
/// If the line cannot hold it.
pub(super) fn encode(value: &Value, format: Format, to: &mut Vec<u8>) -> Result<u8, NoForm> {
    Ok(match value {
        Value::String(bytes) => {
            string(bytes, to);
            STRING
        }
        Value::List(elements) => {
            strings(elements, to);
            LIST
        }
        Value::Set(members) => {
            strings(members, to);
            SET
        }
        Value::SortedSet(members) => {
            length(members.len() as u64, to);
            for (member, score) in members {
                string(member, to);
                to.extend_from_slice(&score.to_le_bytes());
            }
            ZSET_BINARY
        }
        Value::Hash(fields) => {
            let first = fields.iter().filter_map(|field| field.expires_at_ms).min();
            match first {
                None => hash(fields, to),
                Some(_) if !format.has_field_lives() => return Err(NoForm::FieldLives),
                Some(_) if format.version() >= FIRST_VALKEY => valkey_hash(fields, to),
                Some(first) => redis_hash(fields, first, to),
            }
        }
        Value::Stream(value) => stream(value, format, to),
    })
}

fn hash(fields: &[HashField], to: &mut Vec<u8>) -> u8 {
    length(fields.len() as u64, to);
    for field in fields {
        string(&field.name, to);
        string(&field.value, to);
    }
    HASH
}

/// Each value is followed by its expiry, −1 for never.
fn valkey_hash(fields: &[HashField], to: &mut Vec<u8>) -> u8 {
    length(fields.len() as u64, to);
    for field in fields {
        string(&field.name, to);
        string(&field.value, to);
        let at = field.expires_at_ms.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX));
        to.extend_from_slice(&at.to_le_bytes());
    }
    HASH_TTL_OLD
}

/// The first expiry, then before each field its own: 0 for never, else 1 more than its distance from the first.
fn redis_hash(fields: &[HashField], first: u64, to: &mut Vec<u8>) -> u8 {
    to.extend_from_slice(&first.to_le_bytes());
    length(fields.len() as u64, to);
    for field in fields {
        length(field.expires_at_ms.map_or(0, |at| at - first + 1), to);
        string(&field.name, to);
        string(&field.value, to);
    }
    HASH_TTL
}

fn strings(strings: &[Vec<u8>], to: &mut Vec<u8>) {
    length(strings.len() as u64, to);
    strings.iter().for_each(|one| string(one, to));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::payload::Payload;
    use super::super::value::{Consumer, Group, Pending, Stream, StreamEntry, StreamId};
    use super::*;

    fn id() -> impl Strategy<Value = StreamId> {
        (any::<u64>(), any::<u64>()).prop_map(|(ms, sequence)| StreamId { ms, sequence })
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            Just(vec![7; 5_000]),
            Just(b"-0".to_vec()),
        ]
    }

    fn hash_value() -> impl Strategy<Value = Value> {
        let one = (bytes(), proptest::option::of(1..u64::MAX / 4));
        proptest::collection::btree_map(bytes(), one, 1..12).prop_map(|fields| {
            let field = |(name, (value, expires_at_ms))| HashField { name, value, expires_at_ms };
            Value::Hash(fields.into_iter().map(field).collect())
        })
    }

    fn stream_value() -> impl Strategy<Value = Value> {
        let fields = proptest::collection::vec((bytes(), bytes()), 1..4);
        let entries = proptest::collection::btree_map(id(), fields, 0..150);
        let pending =
            proptest::collection::btree_map(id(), (any::<u64>(), any::<u32>(), 0..2usize), 0..6);
        (entries, id(), id(), any::<u32>(), pending).prop_map(
            |(entries, last_id, max_deleted_id, added, pending)| {
                let consumer = |name: &str| Consumer {
                    name: name.into(),
                    seen_at_ms: 1_700_000_000_000,
                    active_at_ms: 1_700_000_000_001,
                };
                let consumers = vec![consumer("one"), consumer("two")];
                let pending = pending.into_iter().map(|(id, (at, deliveries, owner))| Pending {
                    id,
                    consumer: consumers[owner].name.clone(),
                    delivered_at_ms: at,
                    deliveries: deliveries.into(),
                });
                let pending = pending.collect();
                let read = (added % 2 == 0).then(|| added.into());
                let name = b"workers".to_vec();
                let group = Group { name, last_id, entries_read: read, pending, consumers };
                let entry = |(id, fields): (_, Vec<(Vec<u8>, Vec<u8>)>)| StreamEntry {
                    id,
                    fields: fields.into_iter().map(|(f, v)| (f.into(), v.into())).collect(),
                };
                Value::Stream(Box::new(Stream {
                    entries: entries.into_iter().map(entry).collect(),
                    last_id,
                    max_deleted_id,
                    entries_added: added.into(),
                    groups: vec![group],
                }))
            },
        )
    }

    fn value() -> impl Strategy<Value = Value> {
        let many = || proptest::collection::btree_set(bytes(), 1..200);
        prop_oneof![
            bytes().prop_map(Value::String),
            proptest::collection::vec(bytes(), 1..200).prop_map(Value::List),
            many().prop_map(|members| Value::Set(members.into_iter().collect())),
            proptest::collection::btree_map(bytes(), -1e300..1e300, 1..50)
                .prop_map(|members| Value::SortedSet(members.into_iter().collect())),
            hash_value(),
            stream_value(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn an_encoded_value_is_read_back_the_same(value in value()) {
            for name in ["6.2", "7.0", "7.2", "8.2", "valkey-8", "valkey-9"] {
                let format = Format::named(name).unwrap();
                let mut bytes = Vec::new();
                let Ok(value_type) = encode(&value, format, &mut bytes) else {
                    prop_assert!(!format.has_field_lives() && matches!(value, Value::Hash(_)));
                    continue;
                };
                let dump = with_footer(value_type, &bytes, format.version());
                let read = Payload::parse(&dump).unwrap();
                prop_assert_eq!(read.version(), format.version());
                let mut expected = value.clone();
                if let (Value::Stream(stream), "6.2") = (&mut expected, name) {
                    // Not in that format: what the server assumes.
                    stream.entries_added = stream.entries.len() as u64;
                    stream.max_deleted_id = StreamId::default();
                }
                prop_assert_eq!(read.value().unwrap().digest(), expected.digest(), "{}", name);
            }
        }
    }
}
