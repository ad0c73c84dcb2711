//! Undoes LZF, by which Redis shrinks long strings.

use super::error::{RdbError, RdbResult};

const BAD: RdbError = RdbError::Corrupt("a compressed string cannot be expanded");

/// Three bytes say 264 at most, so a greater length is a lie.
const MOST_TIMES: u64 = 264;

/// The `length` bytes that were compressed into `input`.
pub(super) fn expand(input: &[u8], length: u64) -> RdbResult<Vec<u8>> {
    if length > (input.len() as u64).saturating_mul(MOST_TIMES) {
        return Err(BAD);
    }
    // Bounded by what has arrived, as checked above.
    let length = length as usize;
    let mut output = Vec::with_capacity(length);
    let mut at = 0;
    let mut next = || {
        let byte = input.get(at).copied();
        at += 1;
        byte
    };
    while let Some(control) = next() {
        if control < 32 {
            for _ in 0..=control {
                output.push(next().ok_or(BAD)?);
            }
        } else {
            let mut count = usize::from(control >> 5);
            if count == 7 {
                count += usize::from(next().ok_or(BAD)?);
            }
            let back = (usize::from(control & 0x1f) << 8) + usize::from(next().ok_or(BAD)?) + 1;
            let from = output.len().checked_sub(back).ok_or(BAD)?;
            // One by one: what is repeated may be what is being written.
            for offset in 0..count + 2 {
                output.push(output[from + offset]);
            }
        }
        if output.len() > length {
            return Err(BAD);
        }
    }
    if output.len() == length { Ok(output) } else { Err(BAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_repeats_are_expanded() {
        // "abc", then six bytes from three back: "abcabc".
        assert_eq!(expand(&[2, b'a', b'b', b'c', 4 << 5, 2], 9).unwrap(), b"abcabcabc");
        // A long repeat of one byte: 7 + 10 + 2.
        assert_eq!(expand(&[0, b'x', 7 << 5, 10, 0], 20).unwrap(), [b'x'; 20]);
    }

    #[test]
    fn a_lie_is_an_error() {
        for (input, length) in
            [(&[0_u8, b'x'][..], 2), (&[4 << 5, 2], 6), (&[2, b'a'], 3), (&[0, b'x'], u64::MAX)]
        {
            assert!(expand(input, length).is_err(), "{input:?} {length}");
        }
    }
}
