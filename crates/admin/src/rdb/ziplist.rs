//! Ziplists: the encoding of small collections in Redis up to 6.2.

use super::error::{RdbError, RdbResult};
use super::scanner::{Element, Scanner, i24};

const BAD: RdbError = RdbError::Corrupt("a ziplist has an unknown encoding");

/// The elements of a ziplist, in order.
#[derive(Clone, Debug)]
pub(super) struct Ziplist<'a>(Scanner<'a>);

impl<'a> Ziplist<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> RdbResult<Self> {
        let mut scanner = Scanner(bytes);
        let length = u32::from_le_bytes(scanner.array()?);
        // Skips the offset of the last element and the number of elements, which are not needed.
        scanner.take(4 + 2)?;
        if length as usize == bytes.len() { Ok(Self(scanner)) } else { Err(BAD) }
    }

    /// The next element; `None` at the end.
    pub(super) fn next(&mut self) -> RdbResult<Option<Element<'a>>> {
        let scanner = &mut self.0;
        // The length of the previous element, for walking backwards.
        match scanner.byte()? {
            0xff if scanner.is_empty() => return Ok(None),
            0xff => return Err(BAD),
            0xfe => drop(scanner.take(4)?),
            _ => {}
        }
        let first = scanner.byte()?;
        Ok(Some(match first {
            0..=0x3f => Element::Bytes(scanner.take(first.into())?),
            0x40..=0x7f => {
                let length = u64::from(first & 0x3f) << 8 | u64::from(scanner.byte()?);
                Element::Bytes(scanner.take(length)?)
            }
            0x80..=0xbf => {
                let length = u32::from_be_bytes(scanner.array()?);
                Element::Bytes(scanner.take(length.into())?)
            }
            0xc0 => Element::Number(i16::from_le_bytes(scanner.array()?).into()),
            0xd0 => Element::Number(i32::from_le_bytes(scanner.array()?).into()),
            0xe0 => Element::Number(i64::from_le_bytes(scanner.array()?)),
            0xf0 => Element::Number(i24(scanner.array()?)),
            0xfe => Element::Number(i8::from_le_bytes(scanner.array()?).into()),
            0xf1..=0xfd => Element::Number(i64::from(first & 0x0f) - 1),
            _ => return Err(BAD),
        }))
    }
}
