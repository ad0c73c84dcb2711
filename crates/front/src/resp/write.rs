//! Writes requests and the front's own replies.

use bytes::{Bytes, BytesMut};

/// Digits of a `u64`, and a sign.
const DIGITS: usize = 20;

fn header(kind: u8, number: u64, out: &mut BytesMut) {
    let mut digits = [0; DIGITS];
    let mut at = DIGITS;
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// The head of an array of `count` elements: of a request, or of a reply.
pub fn array(count: usize, out: &mut BytesMut) {
    header(b'*', count as u64, out);
}

/// A string of bytes.
pub fn bulk(bytes: &[u8], out: &mut BytesMut) {
    header(b'$', bytes.len() as u64, out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A request of these words.
pub fn request<'a>(
    words: impl IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    out: &mut BytesMut,
) {
    let words = words.into_iter();
    array(words.len(), out);
    for word in words {
        bulk(word, out);
    }
}

/// The bytes of a request of these words.
#[must_use]
pub fn frame(words: &[&[u8]]) -> Bytes {
    let mut frame = BytesMut::new();
    request(words.iter().copied(), &mut frame);
    frame.freeze()
}

/// A number.
pub fn integer(value: i64, out: &mut BytesMut) {
    if value < 0 {
        out.extend_from_slice(b":-");
        let mut rest = BytesMut::new();
        header(b':', value.unsigned_abs(), &mut rest);
        out.extend_from_slice(&rest[1..]);
    } else {
        header(b':', value.unsigned_abs(), out);
    }
}

/// A status, such as `OK`.
pub fn simple(text: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"+");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// An error: its first word is its kind, as programs know it. Line ends in the text are written as spaces.
pub fn error(text: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"-");
    let one_line = text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
    out.extend(one_line);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_those_of_the_protocol() {
        let mut out = BytesMut::new();
        request([b"GET".as_slice(), b"a\r\n"], &mut out);
        integer(0, &mut out);
        integer(-15, &mut out);
        integer(1234, &mut out);
        simple("OK", &mut out);
        error("ERR a\r\nb", &mut out);
        let wanted =
            "*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n:0\r\n:-15\r\n:1234\r\n+OK\r\n-ERR a  b\r\n";
        assert_eq!(&out[..], wanted.as_bytes());
    }
}
