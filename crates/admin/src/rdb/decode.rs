//! Decodes values of the file format.

use super::error::{RdbError, RdbResult};
use super::intset;
use super::listpack::Listpack;
use super::scanner::{Element, Scanner, score};
use super::sound::check;
use super::stream;
use super::types::*;
use super::value::{HashField, Value};
use super::ziplist::Ziplist;
use super::zipmap;

/// A list node with one large element instead of a listpack.
pub(super) const PLAIN_NODE: u64 = 1;
pub(super) const ODD: RdbError = RdbError::Corrupt("a field or member has no value");

/// Decodes `bytes`, a value of type `value_type` in RDB `version`.
pub(super) fn decode(value_type: u8, version: u16, bytes: &[u8]) -> RdbResult<Value> {
    let mut scanner = Scanner(bytes);
    let value = decode_from(&mut scanner, value_type, version)?;
    if !scanner.is_empty() {
        return Err(RdbError::Corrupt("a value is longer than it says"));
    }
    check(&value)?;
    Ok(value)
}

fn decode_from(scanner: &mut Scanner<'_>, value_type: u8, version: u16) -> RdbResult<Value> {
    Ok(match value_type {
        STRING => Value::String(scanner.string()?.into_owned()),
        LIST => Value::List(strings(scanner)?),
        SET => Value::Set(strings(scanner)?),
        LIST_ZIPLIST => {
            let mut elements = Vec::new();
            ziplist(scanner, |element| {
                elements.push(element.into_bytes());
                Ok(())
            })?;
            Value::List(elements)
        }
        LIST_QUICKLIST | LIST_QUICKLIST_2 => Value::List(quicklist(scanner, value_type)?),
        SET_INTSET => Value::Set(intset::members(&scanner.string()?)?),
        SET_LISTPACK => {
            let bytes = scanner.string()?;
            let mut listpack = Listpack::new(&bytes)?;
            let mut members = Vec::new();
            while let Some(member) = listpack.next()? {
                members.push(member.into_bytes());
            }
            Value::Set(members)
        }
        ZSET | ZSET_BINARY => sorted_set(scanner, value_type)?,
        ZSET_ZIPLIST | ZSET_LISTPACK => {
            let mut members = Vec::new();
            pairs(scanner, value_type == ZSET_LISTPACK, |member, score| {
                members.push((member.into_bytes(), score.score()?));
                Ok(())
            })?;
            Value::SortedSet(members)
        }
        HASH_ZIPLIST | HASH_LISTPACK => {
            let mut fields = Vec::new();
            pairs(scanner, value_type == HASH_LISTPACK, |name, value| {
                fields.push(field(name.into_bytes(), value.into_bytes(), 0));
                Ok(())
            })?;
            Value::Hash(fields)
        }
        HASH_ZIPMAP => {
            let bytes = scanner.string()?;
            let fields = zipmap::fields(&bytes)?;
            Value::Hash(fields.into_iter().map(|(n, v)| field(n.to_vec(), v.to_vec(), 0)).collect())
        }
        HASH => hash(scanner)?,
        HASH_TTL_OLD if version >= FIRST_VALKEY => valkey_hash(scanner)?,
        _ if value_type >= HASH_TTL_OLD && version >= FIRST_VALKEY => {
            return Err(RdbError::unknown(value_type, version));
        }
        HASH_TTL_OLD => hash_with_ttl(scanner, None)?,
        HASH_TTL => {
            let first = scanner.u64_le()?;
            hash_with_ttl(scanner, Some(first))?
        }
        HASH_LISTPACK_TTL_OLD => listpack_with_ttl(scanner)?,
        HASH_LISTPACK_TTL => {
            // The next expiry of a field, which is also in the listpack.
            scanner.take(8)?;
            listpack_with_ttl(scanner)?
        }
        STREAM | STREAM_2 | STREAM_3 | STREAM_4 | STREAM_5 => {
            Value::Stream(Box::new(stream::decode(scanner, value_type)?))
        }
        MODULE_OLD | MODULE => return Err(RdbError::Module(module_type(scanner.count()?))),
        ARRAY => return Err(RdbError::Opaque("array")),
        other => return Err(RdbError::unknown(other, version)),
    })
}

/// A field that expires at `expires_at_ms`; 0 for never.
fn field(name: Vec<u8>, value: Vec<u8>, expires_at_ms: u64) -> HashField {
    HashField { name, value, expires_at_ms: (expires_at_ms != 0).then_some(expires_at_ms) }
}

fn strings(scanner: &mut Scanner<'_>) -> RdbResult<Vec<Vec<u8>>> {
    // Memory is not reserved by the count, since the count is untrusted.
    let mut strings = Vec::new();
    for _ in 0..scanner.count()? {
        strings.push(scanner.string()?.into_owned());
    }
    Ok(strings)
}

fn ziplist(
    scanner: &mut Scanner<'_>,
    mut take: impl FnMut(Element<'_>) -> RdbResult<()>,
) -> RdbResult<()> {
    let bytes = scanner.string()?;
    let mut ziplist = Ziplist::new(&bytes)?;
    while let Some(element) = ziplist.next()? {
        take(element)?;
    }
    Ok(())
}

fn quicklist(scanner: &mut Scanner<'_>, value_type: u8) -> RdbResult<Vec<Vec<u8>>> {
    let mut elements = Vec::new();
    for _ in 0..scanner.count()? {
        if value_type == LIST_QUICKLIST {
            ziplist(scanner, |element| {
                elements.push(element.into_bytes());
                Ok(())
            })?;
            continue;
        }
        let kind = scanner.count()?;
        let bytes = scanner.string()?;
        if kind == PLAIN_NODE {
            elements.push(bytes.into_owned());
            continue;
        }
        let mut listpack = Listpack::new(&bytes)?;
        while let Some(element) = listpack.next()? {
            elements.push(element.into_bytes());
        }
    }
    Ok(elements)
}

/// Reads elements in pairs.
fn pairs(
    scanner: &mut Scanner<'_>,
    is_listpack: bool,
    mut take: impl FnMut(Element<'_>, Element<'_>) -> RdbResult<()>,
) -> RdbResult<()> {
    let bytes = scanner.string()?;
    if is_listpack {
        let mut listpack = Listpack::new(&bytes)?;
        while let Some(first) = listpack.next()? {
            take(first, listpack.next()?.ok_or(ODD)?)?;
        }
    } else {
        let mut ziplist = Ziplist::new(&bytes)?;
        while let Some(first) = ziplist.next()? {
            take(first, ziplist.next()?.ok_or(ODD)?)?;
        }
    }
    Ok(())
}

fn sorted_set(scanner: &mut Scanner<'_>, value_type: u8) -> RdbResult<Value> {
    let mut members = Vec::new();
    for _ in 0..scanner.count()? {
        let member = scanner.string()?.into_owned();
        let score = if value_type == ZSET_BINARY {
            f64::from_bits(scanner.u64_le()?)
        } else {
            match scanner.byte()? {
                253 => f64::NAN,
                254 => f64::INFINITY,
                255 => f64::NEG_INFINITY,
                length => score(scanner.take(length.into())?)?,
            }
        };
        members.push((member, score));
    }
    Ok(Value::SortedSet(members))
}

fn hash(scanner: &mut Scanner<'_>) -> RdbResult<Value> {
    let mut fields = Vec::new();
    for _ in 0..scanner.count()? {
        fields.push(field(scanner.string()?.into_owned(), scanner.string()?.into_owned(), 0));
    }
    Ok(Value::Hash(fields))
}

/// Valkey's format: each value is followed by its expiry, −1 for never.
fn valkey_hash(scanner: &mut Scanner<'_>) -> RdbResult<Value> {
    let mut fields = Vec::new();
    for _ in 0..scanner.count()? {
        let (name, value) = (scanner.string()?.into_owned(), scanner.string()?.into_owned());
        let at = i64::from_le_bytes(scanner.array()?);
        fields.push(field(name, value, u64::try_from(at).unwrap_or(0)));
    }
    Ok(Value::Hash(fields))
}

/// Each field is preceded by its expiry, 0 for never; relative to `first` − 1, if `first` is given.
fn hash_with_ttl(scanner: &mut Scanner<'_>, first: Option<u64>) -> RdbResult<Value> {
    let mut fields = Vec::new();
    for _ in 0..scanner.count()? {
        let at = match (scanner.count()?, first) {
            (0, _) => 0,
            (after, Some(first)) => first.saturating_add(after).saturating_sub(1),
            (at, None) => at,
        };
        fields.push(field(scanner.string()?.into_owned(), scanner.string()?.into_owned(), at));
    }
    Ok(Value::Hash(fields))
}

/// Reads elements in threes: name, value, expiry.
fn listpack_with_ttl(scanner: &mut Scanner<'_>) -> RdbResult<Value> {
    let bytes = scanner.string()?;
    let mut listpack = Listpack::new(&bytes)?;
    let mut fields = Vec::new();
    while let Some(name) = listpack.next()? {
        let value = listpack.need()?.into_bytes();
        let at = u64::try_from(listpack.need()?.integer()?).unwrap_or(0);
        fields.push(field(name.into_bytes(), value, at));
    }
    Ok(Value::Hash(fields))
}
