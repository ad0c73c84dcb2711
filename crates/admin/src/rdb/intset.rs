//! Intsets: Redis's encoding of small sets of integers.

use super::error::{RdbError, RdbResult};
use super::scanner::Scanner;
use super::source::number;

const BAD: RdbError = RdbError::Corrupt("a set of numbers has an unknown encoding");

/// The members as decimal text.
pub(super) fn members(bytes: &[u8]) -> RdbResult<Vec<Vec<u8>>> {
    let mut scanner = Scanner(bytes);
    let width = u32::from_le_bytes(scanner.array()?) as usize;
    let count = u32::from_le_bytes(scanner.array()?) as usize;
    if !matches!(width, 2 | 4 | 8) || count.checked_mul(width) != Some(scanner.0.len()) {
        return Err(BAD);
    }
    let member = |bytes: &[u8]| {
        let mut wide = if bytes[width - 1] & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
        wide[..width].copy_from_slice(bytes);
        number(i64::from_le_bytes(wide))
    };
    Ok(scanner.0.chunks_exact(width).map(member).collect())
}
