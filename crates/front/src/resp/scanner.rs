//! Finds where a server's reply ends, without holding or understanding it.

use super::number::{Line, line, number};
use super::protocol_error::ProtocolError;

/// The longest line of a reply: an error or a status.
const LONGEST_LINE: usize = 1 << 20;

/// How far a reply reaches in the bytes that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// This many bytes belong to the reply.
    pub length: usize,
    /// Whether they are its last ones.
    pub is_whole: bool,
}

/// Follows one reply after another. It holds a few numbers only, however large a reply is.
#[derive(Clone, Debug, Default)]
pub struct ReplyScanner {
    /// Elements of the reply that are still to come; 0 between two replies.
    to_come: u64,
    /// Bytes of the current string that are still to come, its line end included.
    skip: usize,
}

impl ReplyScanner {
    /// Goes on in `bytes`. If the length is 0, more bytes are needed before anything can be said.
    ///
    /// # Errors
    /// If the bytes are no reply.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scanned, ProtocolError> {
        let mut at = 0;
        if self.is_between() {
            self.to_come = 1;
        }
        loop {
            let skipped = self.skip.min(bytes.len() - at);
            at += skipped;
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(Scanned { length: at, is_whole: false });
            }
            if self.to_come == 0 {
                return Ok(Scanned { length: at, is_whole: true });
            }
            let rest = &bytes[at..];
            let Some(&kind) = rest.first() else {
                return Ok(Scanned { length: at, is_whole: false });
            };
            let end = match line(rest, LONGEST_LINE) {
                Line::Ends(end) => end,
                Line::More => return Ok(Scanned { length: at, is_whole: false }),
                Line::TooLong => return Err(ProtocolError::new("too long a line in a reply")),
            };
            at += end + 2;
            self.to_come -= 1;
            match kind {
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
                b'$' | b'=' | b'!' => {
                    if let Some(length) = count(&rest[1..end])? {
                        self.skip = usize::try_from(length)
                            .ok()
                            .and_then(|length| length.checked_add(2))
                            .ok_or_else(|| ProtocolError::new("too long a string in a reply"))?;
                    }
                }
                b'*' | b'~' | b'>' => self.add(count(&rest[1..end])?.unwrap_or(0))?,
                b'%' => self.add(count(&rest[1..end])?.unwrap_or(0).saturating_mul(2))?,
                // Attributes stand before the element that they are about.
                b'|' => self
                    .add(count(&rest[1..end])?.unwrap_or(0).saturating_mul(2).saturating_add(1))?,
                other => {
                    let other = char::from(other).escape_default().to_string();
                    return Err(ProtocolError::new(&format!("a reply with the type '{other}'")));
                }
            }
        }
    }

    /// Whether the next byte begins a reply.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.to_come == 0 && self.skip == 0
    }

    fn add(&mut self, count: u64) -> Result<(), ProtocolError> {
        self.to_come = self
            .to_come
            .checked_add(count)
            .ok_or_else(|| ProtocolError::new("too large a collection in a reply"))?;
        Ok(())
    }
}

/// Whether a reply, by its first bytes, says that nothing was found.
pub(crate) fn is_nothing(piece: &[u8]) -> bool {
    matches!(piece.get(..3), Some(b"$-1" | b"*-1" | b"_\r\n" | b"*0\r" | b"%0\r" | b"~0\r"))
}

/// The count of a string's bytes or a collection's elements; `None` for nothing (-1).
fn count(text: &[u8]) -> Result<Option<u64>, ProtocolError> {
    let count = number(text).ok_or_else(|| ProtocolError::new("a reply with a bad length"))?;
    Ok(u64::try_from(count).ok())
}

/// The elements of a collection's reply, each as its bytes; `None` if it is no whole collection.
#[must_use]
pub fn elements(reply: &[u8]) -> Option<Vec<&[u8]>> {
    if !matches!(reply.first(), Some(b'*' | b'~' | b'>')) {
        return None;
    }
    let Line::Ends(end) = line(reply, LONGEST_LINE) else { return None };
    let count = usize::try_from(number(&reply[1..end])?).ok()?;
    let mut rest = &reply[end + 2..];
    let mut found = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let scanned = ReplyScanner::default().scan(rest).ok()?;
        if !scanned.is_whole {
            return None;
        }
        let (element, after) = rest.split_at(scanned.length);
        found.push(element);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPLIES: [&[u8]; 14] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":-5\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"$5\r\na\r\nbc\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*1\r\n$1\r\na\r\n:1\r\n",
        b"%1\r\n+a\r\n~2\r\n#t\r\n,1.5\r\n",
        b"_\r\n",
        b"|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n",
        b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n=5\r\ntxt:a\r\n",
        b"(3492890328409238509324850943850943825024385\r\n",
    ];

    #[test]
    fn each_reply_ends_where_it_ends() {
        for reply in REPLIES {
            let longer = [reply, b"+next\r\n"].concat();
            let scanned = ReplyScanner::default().scan(&longer).unwrap();
            assert_eq!(scanned, Scanned { length: reply.len(), is_whole: true });
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in
            [b"x\r\n".as_slice(), b"$a\r\n", b"*9223372036854775808\r\n", b"GET / HTTP\r\n"]
        {
            ReplyScanner::default().scan(bytes).unwrap_err();
        }
        let nested = b"*9223372036854775807\r\n".repeat(3);
        ReplyScanner::default().scan(&nested).unwrap_err();
    }

    #[test]
    fn the_elements_of_a_collection_are_its_parts() {
        let reply = b"*3\r\n+OK\r\n*1\r\n:1\r\n$-1\r\n";
        assert_eq!(elements(reply).unwrap(), [b"+OK\r\n".as_slice(), b"*1\r\n:1\r\n", b"$-1\r\n"]);
        assert_eq!(elements(b"*-1\r\n"), None);
        assert_eq!(elements(b"-ERR\r\n"), None);
        assert_eq!(elements(b"*2\r\n+OK\r\n"), None);
    }

    proptest! {
        #[test]
        fn pieces_end_where_the_whole_ends(
            picks in prop::collection::vec(0..REPLIES.len(), 1..6),
            cut in 1_usize..9,
        ) {
            let bytes: Vec<u8> = picks.iter().flat_map(|pick| REPLIES[*pick].to_vec()).collect();
            let mut scanner = ReplyScanner::default();
            let (mut held, mut ends, mut passed) = (Vec::new(), Vec::new(), 0);
            for piece in bytes.chunks(cut) {
                held.extend_from_slice(piece);
                while !held.is_empty() {
                    let scanned = scanner.scan(&held).unwrap();
                    held.drain(..scanned.length);
                    passed += scanned.length;
                    if !scanned.is_whole {
                        break;
                    }
                    ends.push(passed);
                }
            }
            let mut wanted = Vec::new();
            let mut total = 0;
            for pick in picks {
                total += REPLIES[pick].len();
                wanted.push(total);
            }
            prop_assert_eq!(ends, wanted);
            prop_assert!(scanner.is_between());
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut scanner = ReplyScanner::default();
            if let Ok(scanned) = scanner.scan(&bytes) {
                prop_assert!(scanned.length <= bytes.len());
            }
        }
    }
}
