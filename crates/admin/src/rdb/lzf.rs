//! Decompresses LZF, which Redis uses for long strings.

use super::error::{RdbError, RdbResult};

const BAD: RdbError = RdbError::Corrupt("a compressed string cannot be expanded");

const LIE: RdbError = RdbError::Corrupt("a compressed string claims to be longer than it can be");
/// Three bytes expand to at most 264, so the length is at most this many times larger.
const MAX_TIMES: u64 = 264;

/// Checks compressed bytes as they arrive, without decompressing them.
#[derive(Debug)]
pub(super) struct Check {
    claimed: u64,
    made: u64,
    next: Next,
}

/// The meaning of the next byte.
#[derive(Clone, Copy, Debug)]
enum Next {
    Control,
    /// This many literal bytes.
    Literals(usize),
    /// The rest of a repeat's length and of its distance.
    Length(u64),
    Back(u64, u64),
}

impl Check {
    /// For `compressed` bytes that claim to expand to `claimed` bytes.
    pub(super) fn new(compressed: u64, claimed: u64) -> RdbResult<Self> {
        // A server uses 32-bit lengths here.
        if claimed > compressed.saturating_mul(MAX_TIMES) || claimed > u32::MAX.into() {
            return Err(LIE);
        }
        Ok(Self { claimed, made: 0, next: Next::Control })
    }

    /// Checks the next compressed bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> RdbResult<()> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.next = match self.next {
                Next::Control if byte < 32 => Next::Literals(usize::from(byte) + 1),
                Next::Control if byte >> 5 == 7 => Next::Length(u64::from(byte & 0x1f)),
                Next::Control => Next::Back(u64::from(byte >> 5) + 2, u64::from(byte & 0x1f)),
                Next::Literals(count) => {
                    // The byte just taken is the first literal.
                    let passed = (count - 1).min(bytes.len());
                    bytes = &bytes[passed..];
                    self.made += passed as u64 + 1;
                    match count - 1 - passed {
                        0 => Next::Control,
                        left => Next::Literals(left),
                    }
                }
                Next::Length(high) => Next::Back(u64::from(byte) + 9, high),
                Next::Back(count, high) => {
                    if (high << 8) + u64::from(byte) + 1 > self.made {
                        return Err(BAD);
                    }
                    self.made += count;
                    Next::Control
                }
            };
            if self.made > self.claimed {
                return Err(BAD);
            }
        }
        Ok(())
    }

    /// Checks that all bytes expanded to the claimed length.
    pub(super) fn finish(&self) -> RdbResult<()> {
        match self.next {
            Next::Control if self.made == self.claimed => Ok(()),
            _ => Err(BAD),
        }
    }
}

/// Decompresses `input` into `length` bytes.
pub(super) fn expand(input: &[u8], length: u64) -> RdbResult<Vec<u8>> {
    let mut check = Check::new(input.len() as u64, length)?;
    check.take(input)?;
    check.finish()?;
    // Bounded by the input's length, as checked above.
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
            // Byte by byte, since a repeat may overlap its own output.
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

    #[test]
    fn a_check_needs_no_more_than_the_bytes_however_they_arrive() {
        for (input, length) in [
            (&[2, b'a', b'b', b'c', 4 << 5, 2][..], 9),
            (&[0, b'x', 7 << 5, 10, 0], 20),
            (&[0, b'x', 7 << 5, 10, 0, 1, b'y', b'z'], 22),
        ] {
            for claimed in [length - 1, length, length + 1] {
                for size in 1..=input.len() {
                    let mut check = Check::new(input.len() as u64, claimed).unwrap();
                    let taken = input.chunks(size).try_for_each(|piece| check.take(piece));
                    let found = taken.and_then(|()| check.finish());
                    assert_eq!(found.is_ok(), claimed == length, "{input:?} {claimed} {size}");
                }
            }
            assert!(Check::new(input.len() as u64, 1 << 40).is_err());
        }
    }
}
