//! Listpacks: the encoding of small collections in Redis 5 and later.

use super::error::{RdbError, RdbResult};
use super::scanner::{Element, Scanner, i24};

const BAD: RdbError = RdbError::Corrupt("a listpack has an unknown encoding");

/// The elements of a listpack, in order.
#[derive(Clone, Debug)]
pub(super) struct Listpack<'a>(Scanner<'a>);

impl<'a> Listpack<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> RdbResult<Self> {
        let mut scanner = Scanner(bytes);
        let length = u32::from_le_bytes(scanner.array()?);
        // The number of elements is only stored up to 65,534, so the end mark is used.
        scanner.take(2)?;
        if length as usize == bytes.len() { Ok(Self(scanner)) } else { Err(BAD) }
    }

    /// The next element; `None` at the end.
    pub(super) fn next(&mut self) -> RdbResult<Option<Element<'a>>> {
        let scanner = &mut self.0;
        let start = scanner.0.len();
        let first = scanner.byte()?;
        let element = match first {
            0..=0x7f => Element::Number(first.into()),
            0x80..=0xbf => Element::Bytes(scanner.take(u64::from(first & 0x3f))?),
            0xc0..=0xdf => {
                let value = i64::from(first & 0x1f) << 8 | i64::from(scanner.byte()?);
                // A signed 13-bit number.
                Element::Number((value << 51) >> 51)
            }
            0xe0..=0xef => {
                let length = u64::from(first & 0x0f) << 8 | u64::from(scanner.byte()?);
                Element::Bytes(scanner.take(length)?)
            }
            0xf0 => {
                let length = u32::from_le_bytes(scanner.array()?);
                Element::Bytes(scanner.take(length.into())?)
            }
            0xf1 => Element::Number(i16::from_le_bytes(scanner.array()?).into()),
            0xf2 => Element::Number(i24(scanner.array()?)),
            0xf3 => Element::Number(i32::from_le_bytes(scanner.array()?).into()),
            0xf4 => Element::Number(i64::from_le_bytes(scanner.array()?)),
            0xff if scanner.is_empty() => return Ok(None),
            _ => return Err(BAD),
        };
        // Each element is followed by its length, for walking backwards.
        scanner.take(length_of_length(start - scanner.0.len()))?;
        Ok(Some(element))
    }

    /// The next element; an error at the end.
    pub(super) fn need(&mut self) -> RdbResult<Element<'a>> {
        self.next()?.ok_or(RdbError::Corrupt("a listpack ends in the middle"))
    }
}

fn length_of_length(length: usize) -> u64 {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}
