//! Lines of the protocol, and the whole numbers in them.

/// Whether a line ends in the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its length without the two bytes that end it.
    Ends(usize),
    /// Its end is not there yet.
    More,
    /// It is longer than it may be.
    TooLong,
}

/// The line at the beginning of `bytes`; it ends with `\r\n`.
pub(crate) fn line(bytes: &[u8], longest: usize) -> Line {
    // Lines are short: a length of up to ten digits.
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|byte| *byte == b'\r') {
        let at = from + found;
        match bytes.get(at + 1) {
            Some(b'\n') => return Line::Ends(at),
            Some(_) => from = at + 1,
            None => break,
        }
    }
    if bytes.len() > longest { Line::TooLong } else { Line::More }
}

/// A whole number in decimal digits, with a sign if it is negative; `None` if it is none, or too large.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_servers_read_them() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("512", Some(512)),
            ("", None),
            ("-", None),
            ("1x", None),
            ("+1", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
        ] {
            assert_eq!(number(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn lines_end_with_both_bytes() {
        assert_eq!(line(b"ab\r\nc", 10), Line::Ends(2));
        assert_eq!(line(b"a\rb\r\n", 10), Line::Ends(3));
        assert_eq!(line(b"ab\r", 10), Line::More);
        assert_eq!(line(b"abcdef", 3), Line::TooLong);
    }
}
