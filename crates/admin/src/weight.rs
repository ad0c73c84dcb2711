//! Estimates the memory of a value from its encoded form.

use crate::rdb::is_spread;

/// Overhead of a server for each key, in bytes.
const BESIDE_A_KEY: u64 = 100;
/// A separately allocated member takes this many times its bytes, because a small one has pointers
/// and a header.
const SPREAD: u64 = 12;

/// Estimated memory of a value and its key, in bytes.
pub(crate) fn weight(value_type: u8, value: &[u8]) -> u64 {
    let bytes = unpacked_length(value).unwrap_or(value.len() as u64);
    let bytes = if is_spread(value_type) { bytes.saturating_mul(SPREAD) } else { bytes };
    bytes.saturating_add(BESIDE_A_KEY)
}

/// The weight of a payload of `DUMP`.
pub(crate) fn weight_of_payload(payload: &[u8]) -> u64 {
    payload.split_first().map_or(BESIDE_A_KEY, |(value_type, value)| weight(*value_type, value))
}

/// Uncompressed length of a compressed string: a mark, both lengths, the bytes.
fn unpacked_length(value: &[u8]) -> Option<u64> {
    const COMPRESSED: u8 = 0xc3;
    let rest = value.strip_prefix(&[COMPRESSED])?;
    let (_, rest) = length(rest)?;
    length(rest).map(|(unpacked, _)| unpacked)
}

/// A length and the rest after it.
fn length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let number = |rest: &[u8]| rest.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    match (first >> 6, *first) {
        (0, short) => Some((short.into(), rest)),
        (1, high) => {
            let (low, rest) = rest.split_first()?;
            Some((u64::from(high & 0x3f) << 8 | u64::from(*low), rest))
        }
        (2, 0x80) => rest.split_at_checked(4).map(|(four, rest)| (number(four), rest)),
        (2, 0x81) => rest.split_at_checked(8).map(|(eight, rest)| (number(eight), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_counts_as_it_is_unpacked() {
        // 20 bytes that become 1,000.
        let packed = [&[0xc3, 20, 0x43, 0xe8][..], &[0; 20]].concat();
        assert_eq!(weight(0, &packed), 1_100);
        assert_eq!(weight(0, &[0xc3, 20, 0x80, 0, 1, 0, 0]), 65_636);
        assert_eq!(weight(0, b"\x03abc"), 104);
        assert_eq!(weight(2, &[0; 100]), 1_300);
        assert_eq!(weight_of_payload(&[]), 100);
        for cut in 0..4 {
            assert!(weight(0, &packed[..cut]) <= 104);
        }
    }
}
