//! Zipmaps: the encoding of small hashes in Redis up to 2.4.

use super::error::{RdbError, RdbResult};
use super::scanner::Scanner;

const BAD: RdbError = RdbError::Corrupt("a zipmap has an unknown encoding");

/// Name and value of a field.
pub(super) type Field<'a> = (&'a [u8], &'a [u8]);

/// The fields and their values.
pub(super) fn fields(bytes: &[u8]) -> RdbResult<Vec<Field<'_>>> {
    let mut scanner = Scanner(bytes);
    // The number of fields is only stored up to 253.
    scanner.byte()?;
    let mut fields = Vec::new();
    while let Some(length) = length(&mut scanner)? {
        let name = scanner.take(length)?;
        let length = self::length(&mut scanner)?.ok_or(BAD)?;
        // Unused bytes, left by a longer value.
        let free = scanner.byte()?;
        let value = scanner.take(length)?;
        scanner.take(free.into())?;
        fields.push((name, value));
    }
    if scanner.is_empty() { Ok(fields) } else { Err(BAD) }
}

/// `None` at the end mark.
fn length(scanner: &mut Scanner<'_>) -> RdbResult<Option<u64>> {
    Ok(match scanner.byte()? {
        255 => None,
        254 => Some(u32::from_le_bytes(scanner.array()?).into()),
        length => Some(length.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_left_behind_is_passed_over() {
        let bytes = b"\x02\x01a\x02\x01bcX\x02de\x00\x00\xff";
        assert_eq!(fields(bytes).unwrap(), [(&b"a"[..], &b"bc"[..]), (b"de", b"")]);
        assert!(fields(b"\x01\x01a\xff").is_err());
    }
}
