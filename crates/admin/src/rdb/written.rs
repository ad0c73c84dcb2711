//! Checks an encoded value for errors that a server refuses.

use super::decode::{ODD, PLAIN_NODE, decode};
use super::error::RdbResult;
use super::listpack::Listpack;
use super::name_hash;
use super::scanner::Scanner;
use super::sound::NAN;
use super::types::*;

/// Checks that a server would accept an encoded value. Types that can be large need eight bytes per member: a hash of
/// millions of fields is not decoded for this.
pub(super) fn check_written(value_type: u8, version: u16, bytes: &[u8]) -> RdbResult<()> {
    let whole = || decode(value_type, version, bytes).map(drop);
    let mut scanner = Scanner(bytes);
    let mut names = Vec::new();
    match value_type {
        LIST => each(&mut scanner, |scanner| scanner.string().map(drop))?,
        LIST_QUICKLIST_2 => each(&mut scanner, |scanner| {
            let is_plain = scanner.count()? == PLAIN_NODE;
            let node = scanner.string()?;
            if is_plain { Ok(()) } else { elements(&node, 1, |_| {}) }
        })?,
        SET => each(&mut scanner, |scanner| {
            names.push(name_hash(&scanner.string()?));
            Ok(())
        })?,
        HASH => each(&mut scanner, |scanner| {
            names.push(name_hash(&scanner.string()?));
            scanner.string().map(drop)
        })?,
        ZSET_BINARY => each(&mut scanner, |scanner| {
            names.push(name_hash(&scanner.string()?));
            if f64::from_bits(scanner.u64_le()?).is_nan() { Err(NAN) } else { Ok(()) }
        })?,
        SET_LISTPACK => elements(&scanner.string()?, 1, |name| names.push(name_hash(name)))?,
        HASH_LISTPACK => elements(&scanner.string()?, 2, |name| names.push(name_hash(name)))?,
        // Old and rare encodings, and those that can only be checked by decoding.
        _ => return whole(),
    }
    names.sort_unstable();
    // Equal hashes may be different names, and only decoding finds the exact problem.
    if !scanner.is_empty() || names.windows(2).any(|two| two[0] == two[1]) {
        return whole();
    }
    Ok(())
}

fn each<'a>(
    scanner: &mut Scanner<'a>,
    mut take: impl FnMut(&mut Scanner<'a>) -> RdbResult<()>,
) -> RdbResult<()> {
    for _ in 0..scanner.count()? {
        take(scanner)?;
    }
    Ok(())
}

/// Passes on the first of each group of `every` elements of a listpack; the others must exist.
fn elements(bytes: &[u8], every: usize, mut name: impl FnMut(&[u8])) -> RdbResult<()> {
    let mut listpack = Listpack::new(bytes)?;
    while let Some(first) = listpack.next()? {
        name(&first.into_bytes());
        for _ in 1..every {
            listpack.next()?.ok_or(ODD)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
        #[test]
        fn what_is_looked_at_as_it_is_written_is_judged_as_what_it_is(
            value_type in prop::sample::select(vec![LIST, SET, HASH, ZSET_BINARY, HASH_LISTPACK,
                SET_LISTPACK, LIST_QUICKLIST_2, ZSET, ZSET_LISTPACK]),
            parts in prop::collection::vec(prop::sample::select(vec![
                &b"\x01"[..], b"\x02", b"\x01a", b"\x01b", b"\x02ab", b"\xc0\x07", b"\x017",
                b"\0\0\0\0\0\0\xf8\x7f", b"\x09\x09\0\0\0\x01\0\x07\x01\xff",
                b"\x0b\x0b\0\0\0\x02\0\x07\x01\x07\x01\xff",
            ]), 0..6),
        ) {
            let bytes = parts.concat();
            let judged = check_written(value_type, 10, &bytes).is_ok();
            let whole = decode(value_type, 10, &bytes).is_ok();
            prop_assert_eq!(judged, whole);
        }
    }
}
