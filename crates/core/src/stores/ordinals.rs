//! Ordinals as text, for example `0-99,104`, as events store them.

use std::fmt::Write as _;

use crate::{Error, ErrorKind, Result};

/// More than any fact can have; a text with more was not written by a backend.
const MOST: usize = 100_000;

/// Ordinals as text, in the given order; consecutive ones become a range.
#[must_use]
pub fn ordinals_to_text(ordinals: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = ordinals.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| last.checked_add(1) == Some(*next)) {
            last = next;
        }
        if !text.is_empty() {
            text.push(',');
        }
        // Writing into a string cannot fail.
        let _ =
            if first == last { write!(text, "{first}") } else { write!(text, "{first}-{last}") };
    }
    text
}

/// Parses ordinals from text.
///
/// # Errors
/// [`ErrorKind::Decode`] for text in another form, or with more ordinals than a fact can have.
pub fn ordinals_from_text(text: &str) -> Result<Vec<u32>> {
    let mut ordinals = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else {
            return Err(unreadable(part));
        };
        let count = (last as usize).saturating_sub(first as usize);
        if last < first || ordinals.len().saturating_add(count) >= MOST {
            return Err(unreadable(part));
        }
        ordinals.extend(first..=last);
    }
    Ok(ordinals)
}

fn unreadable(part: &str) -> Error {
    let what = format!("{part:?} is neither an ordinal nor a short range of ordinals");
    Error::new(ErrorKind::Decode, "read ordinals", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_read_back_in_their_order() {
        let cases: [(&[u32], &str); 5] = [
            (&[], ""),
            (&[7], "7"),
            (&[0, 1, 2, 104], "0-2,104"),
            (&[3, 2, 1, 2], "3,2,1-2"),
            (&[u32::MAX - 1, u32::MAX], "4294967294-4294967295"),
        ];
        for (ordinals, text) in cases {
            assert_eq!(ordinals_to_text(ordinals), text);
            assert_eq!(ordinals_from_text(text).unwrap(), ordinals);
        }
    }

    #[test]
    fn what_is_no_ordinals_is_a_decode_error() {
        for text in ["x", "1-", "5-4", "-1", "0-4294967295", "1,2,x", "4294967296"] {
            assert_eq!(ordinals_from_text(text).unwrap_err().kind(), ErrorKind::Decode, "{text}");
        }
    }
}
