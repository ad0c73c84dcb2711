//! Bounds on the memory that decoding takes: a few bytes can announce, or expand to, far more than they are.
//!
//! A value is measured in its encoded form before it is decoded: its bytes, and the places that its parts take in
//! memory. The measure needs no memory of its own, and stops at the bound.

use crate::MAX_DECODED_BYTES;

/// The depth up to which values are decoded, in both formats: a deeper one could fill the stack.
pub const MAX_NESTING: usize = 128;

/// What a value, a text or a list counts for besides its bytes: the size of a value of any type.
const PART: u64 = 32;
/// What a map counts for: most maps in memory have room for some entries more than they hold.
const MAP: u64 = 320;
/// What the smallest map counts for, which is one byte: no value counts for more than this for each byte.
const MOST_FOR_A_BYTE: u64 = 1 + PART + MAP;

/// The memory that decoding one value may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimit {
    /// Bytes after decompression.
    pub(crate) bytes: usize,
    /// Bytes after decompression, and the places of the value's parts.
    pub(crate) memory: u64,
}

impl DecodeLimit {
    /// The limit of [`Codec::decode`](crate::Codec::decode): [`MAX_DECODED_BYTES`] after decompression, and any number
    /// of parts.
    pub const DEFAULT: Self = Self { bytes: MAX_DECODED_BYTES, memory: u64::MAX };

    /// The limit for entries of at most `bytes` bytes: four times as much after decompression, and eight times as
    /// much with the places of the value's parts. A part counts for 32 bytes, a map for 320 more.
    #[must_use]
    pub fn of_entries(bytes: usize) -> Self {
        let memory = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        Self { bytes: bytes.saturating_mul(4).min(MAX_DECODED_BYTES), memory }
    }

    /// Whether a decompressed value in JSON keeps the limit.
    pub(crate) fn allows_json(self, json: &[u8]) -> bool {
        self.allows_any(json.len()) || self.allows(json.len(), json_parts(json))
    }

    /// Whether a decompressed value in MessagePack keeps the limit.
    pub(crate) fn allows_message_pack(self, bytes: &[u8]) -> bool {
        self.allows_any(bytes.len()) || self.allows(bytes.len(), MessagePackParts { rest: bytes })
    }

    /// Whether every value of this length keeps the limit.
    pub(crate) fn allows_any(self, length: usize) -> bool {
        (length as u64).saturating_mul(MOST_FOR_A_BYTE) <= self.memory
    }

    fn allows(self, length: usize, parts: impl Iterator<Item = Part>) -> bool {
        let mut left = self.memory.checked_sub(length as u64);
        for part in parts {
            let place = match part {
                Part::Map => PART + MAP,
                Part::Other => PART,
            };
            left = left.and_then(|left| left.checked_sub(place));
            if left.is_none() {
                break;
            }
        }
        left.is_some()
    }
}

/// A part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Map,
    Other,
}

/// The parts of a JSON text. Damaged JSON yields some parts too; its decoding fails later.
fn json_parts(json: &[u8]) -> impl Iterator<Item = Part> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let byte = *json.get(at)?;
            at += 1;
            match byte {
                b'{' => return Some(Part::Map),
                b'[' => return Some(Part::Other),
                b'"' => {
                    at += text_length(json.get(at..)?);
                    return Some(Part::Other);
                }
                b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' | b']' | b'}' => {}
                _ => {
                    let rest = json.get(at..)?;
                    at += rest.iter().take_while(|byte| is_of_a_word(**byte)).count();
                    return Some(Part::Other);
                }
            }
        }
    })
}

/// The length of a text with its closing quote.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'\\' => 2,
            b'"' => return at + 1,
            _ => 1,
        };
    }
    rest.len()
}

/// Whether a byte continues a number, or one of the words `true`, `false` and `null`.
fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-')
}

/// The parts of a MessagePack value. It ends where the bytes do, whatever lengths are announced.
struct MessagePackParts<'a> {
    rest: &'a [u8],
}

impl MessagePackParts<'_> {
    /// Passes over the big-endian length of this width, and over as many bytes.
    fn pass_sized(&mut self, width: usize, more: usize) {
        let Some((length, rest)) = self.rest.split_at_checked(width) else {
            self.rest = &[];
            return;
        };
        let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        self.rest = rest;
        self.pass(length.saturating_add(more));
    }

    fn pass(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }
}

impl Iterator for MessagePackParts<'_> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let (&marker, rest) = self.rest.split_first()?;
        self.rest = rest;
        match marker {
            0x80..=0x8f => return Some(Part::Map),
            0xde => {
                self.pass(2);
                return Some(Part::Map);
            }
            0xdf => {
                self.pass(4);
                return Some(Part::Map);
            }
            0xa0..=0xbf => self.pass(usize::from(marker & 0x1f)),
            0xc4 | 0xd9 => self.pass_sized(1, 0),
            0xc5 | 0xda => self.pass_sized(2, 0),
            0xc6 | 0xdb => self.pass_sized(4, 0),
            0xc7 => self.pass_sized(1, 1),
            0xc8 => self.pass_sized(2, 1),
            0xc9 => self.pass_sized(4, 1),
            0xcc | 0xd0 => self.pass(1),
            0xcd | 0xd1 | 0xd4 | 0xdc => self.pass(2),
            0xd5 => self.pass(3),
            0xca | 0xce | 0xd2 | 0xdd => self.pass(4),
            0xd6 => self.pass(5),
            0xcb | 0xcf | 0xd3 => self.pass(8),
            0xd7 => self.pass(9),
            0xd8 => self.pass(17),
            // Small numbers, small arrays, nil, true, false.
            _ => {}
        }
        Some(Part::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn count(parts: impl Iterator<Item = Part>) -> (usize, usize) {
        parts.fold((0, 0), |(maps, others), part| match part {
            Part::Map => (maps + 1, others),
            Part::Other => (maps, others + 1),
        })
    }

    fn of_message_pack(value: &Value) -> (usize, usize) {
        let bytes = rmp_serde::to_vec_named(value).unwrap();
        count(MessagePackParts { rest: &bytes })
    }

    #[test]
    fn the_parts_of_a_value_are_counted_in_both_formats() {
        let long = "a \"text\" \\ with {[,:]} in it ".repeat(3_000);
        for (value, expected) in [
            (json!(1), (0, 1)),
            (json!([1, -2.5e9, true, false, null]), (0, 6)),
            (json!({"a": {"b": []}, "c": "d"}), (2, 5)),
            (json!([long, "", "\\", "\"", u64::MAX, i64::MIN, 300, 70_000]), (0, 9)),
            (json!(vec![json!({}); 70_000]), (70_000, 1)),
            (json!(vec![json!([]); 300]), (0, 301)),
        ] {
            assert_eq!(count(json_parts(value.to_string().as_bytes())), expected);
            assert_eq!(of_message_pack(&value), expected);
        }
    }

    #[test]
    fn a_value_of_many_small_parts_is_refused_and_one_of_text_is_not() {
        let limit = DecodeLimit::of_entries(10_000);
        let maps = json!(vec![json!({}); 1_000]);
        let text = json!("a".repeat(39_000));
        let numbers = json!(vec![1.5; 1_000]);
        for (value, fits) in [(maps, false), (text, true), (numbers, true)] {
            let json = value.to_string();
            assert_eq!(limit.allows_json(json.as_bytes()), fits);
            let bytes = rmp_serde::to_vec_named(&value).unwrap();
            assert_eq!(limit.allows_message_pack(&bytes), fits);
        }
    }

    #[test]
    fn damaged_bytes_end_the_count() {
        for bytes in [&b"\xdb\xff\xff\xff\xff"[..], b"\xc9\xff", b"\xdf", b"\xcb\x00"] {
            assert_eq!(MessagePackParts { rest: bytes }.count(), 1);
        }
        for json in ["\"abc\\", "[{", "\"", "nul"] {
            assert!(json_parts(json.as_bytes()).count() <= 2);
        }
    }
}
