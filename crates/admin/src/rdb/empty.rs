//! Recognises empty collections: some programs write them, and no server keeps them.

use super::listpack::Listpack;
use super::scanner::Scanner;
use super::types::*;
use super::ziplist::Ziplist;

/// Maximum length of a packed empty collection, in bytes.
const LONGEST: usize = 16;

/// Whether an encoded value is an empty collection. An empty stream does not count, since servers
/// keep it; nor does an unreadable value.
pub(super) fn is_empty(value_type: u8, payload: &[u8]) -> bool {
    let mut scanner = Scanner(payload);
    match value_type {
        LIST | SET | ZSET | ZSET_BINARY | HASH | HASH_TTL_OLD => scanner.count().ok() == Some(0),
        HASH_TTL => scanner.take(8).is_ok() && scanner.count().ok() == Some(0),
        LIST_QUICKLIST | LIST_QUICKLIST_2 => is_empty_quicklist(&mut scanner, value_type),
        HASH_LISTPACK_TTL => scanner.take(8).is_ok() && is_empty_packed(&mut scanner, value_type),
        LIST_ZIPLIST
        | ZSET_ZIPLIST
        | HASH_ZIPLIST
        | HASH_LISTPACK
        | ZSET_LISTPACK
        | SET_LISTPACK
        | SET_INTSET
        | HASH_ZIPMAP
        | HASH_LISTPACK_TTL_OLD => is_empty_packed(&mut scanner, value_type),
        _ => false,
    }
}

fn is_empty_quicklist(scanner: &mut Scanner<'_>, value_type: u8) -> bool {
    let Ok(nodes) = scanner.count() else { return false };
    // Most lists have an element in their first node, so this ends early.
    (0..nodes).all(|_| {
        let is_packed = value_type == LIST_QUICKLIST || scanner.count().ok() == Some(2);
        is_packed && is_empty_packed(scanner, value_type)
    })
}

fn is_empty_packed(scanner: &mut Scanner<'_>, value_type: u8) -> bool {
    // The length is checked first, to avoid decompressing a long string for nothing.
    if scanner.string_length().is_none_or(|length| length > LONGEST as u64) {
        return false;
    }
    let Ok(bytes) = scanner.string() else { return false };
    match value_type {
        LIST_ZIPLIST | ZSET_ZIPLIST | HASH_ZIPLIST | LIST_QUICKLIST => {
            Ziplist::new(&bytes).and_then(|mut list| list.next()).is_ok_and(|first| first.is_none())
        }
        SET_INTSET => bytes.len() == 8 && matches!(bytes[..], [2 | 4 | 8, 0, 0, 0, 0, 0, 0, 0]),
        HASH_ZIPMAP => bytes.len() == 2 && bytes[1] == 255,
        _ => {
            let first = Listpack::new(&bytes).and_then(|mut list| list.next().map(|e| e.is_none()));
            first.unwrap_or(false)
        }
    }
}
