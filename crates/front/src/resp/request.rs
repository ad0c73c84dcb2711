//! Requests of programs: a state machine that finds the next request in the bytes so far.

use bytes::Bytes;

use super::arguments::Arguments;
use super::inline::split_line;
use super::number::{Line, line, number};
use super::protocol_error::ProtocolError;

/// The longest line of a request: a request written as a line, or the length of an argument. As servers have it.
const LONGEST_LINE: usize = 64 << 10;
/// The most arguments of a request, as servers have it.
const MOST_ARGUMENTS: i64 = 1 << 31;

fn malformed<T>(text: &str) -> Result<T, ProtocolError> {
    Err(ProtocolError::new(text))
}

/// How far the bytes so far reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// A request ends after this many bytes. [`RequestParser::arguments`] has it, unless it is empty.
    Request(usize),
}

/// A request that outlives the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Request {
    frame: Bytes,
    ranges: Vec<(u32, u32)>,
}

impl Request {
    /// Its bytes, as a server reads them.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Its name and arguments.
    #[must_use]
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments::new(&self.frame, &self.ranges)
    }
}

/// Finds requests in bytes that come in pieces. Each byte is looked at once.
#[derive(Debug)]
pub struct RequestParser {
    /// Where the next thing to read begins.
    at: usize,
    /// Arguments that are still to come.
    to_come: u32,
    /// The length of the argument that is read now.
    length: Option<usize>,
    ranges: Vec<(u32, u32)>,
    /// A request that came as a line, written as servers want it.
    rewritten: Option<Vec<u8>>,
    /// Whether the request that was found has ended, so that the next call begins anew.
    is_found: bool,
    max_argument: usize,
}

impl RequestParser {
    /// `max_argument` bounds an argument, in bytes.
    #[must_use]
    pub fn new(max_argument: u64) -> Self {
        Self {
            at: 0,
            to_come: 0,
            length: None,
            ranges: Vec::new(),
            rewritten: None,
            is_found: false,
            max_argument: usize::try_from(max_argument.min(u64::from(u32::MAX) >> 1))
                .unwrap_or(usize::MAX),
        }
    }

    /// Goes on in `bytes`, which begin with the first byte of the request. After [`Progress::Request`] the caller
    /// takes that many bytes off before it calls again.
    ///
    /// # Errors
    /// If the bytes are no request.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, ProtocolError> {
        if self.is_found {
            self.begin();
        }
        if self.to_come == 0 {
            match bytes.first() {
                None => return Ok(Progress::More),
                Some(b'*') => {}
                Some(_) => return self.inline(bytes),
            }
            let Some(end) = self.line(bytes, "too big mbulk count string")? else {
                return Ok(Progress::More);
            };
            let Some(count) = number(&bytes[1..end]).filter(|count| *count < MOST_ARGUMENTS) else {
                return malformed("invalid multibulk length");
            };
            self.at = end + 2;
            self.to_come = u32::try_from(count).unwrap_or(0);
        }
        while self.to_come > 0 {
            let length = match self.length {
                Some(length) => length,
                None => {
                    let Some(end) = self.line(bytes, "too big bulk count string")? else {
                        return Ok(Progress::More);
                    };
                    let head = bytes.get(self.at).copied().unwrap_or_default();
                    if head != b'$' {
                        let head = char::from(head);
                        return malformed(&format!("expected '$', got '{head}'"));
                    }
                    let length = number(&bytes[self.at + 1..end]);
                    let length = length.and_then(|length| usize::try_from(length).ok());
                    let Some(length) = length.filter(|length| *length <= self.max_argument) else {
                        return malformed("invalid bulk length");
                    };
                    self.at = end + 2;
                    self.length = Some(length);
                    length
                }
            };
            let end = self.at + length;
            if bytes.len() < end + 2 {
                return Ok(Progress::More);
            }
            let (Ok(start), Ok(stop)) = (u32::try_from(self.at), u32::try_from(end)) else {
                return malformed("too big request");
            };
            self.ranges.push((start, stop));
            self.at = end + 2;
            self.length = None;
            self.to_come -= 1;
        }
        self.is_found = true;
        Ok(Progress::Request(self.at))
    }

    /// The request that was found, in the bytes that [`RequestParser::advance`] was given.
    #[must_use]
    pub fn arguments<'a>(&'a self, bytes: &'a [u8]) -> Arguments<'a> {
        Arguments::new(self.rewritten.as_deref().unwrap_or(bytes), &self.ranges)
    }

    /// The bytes of the request that was found, as a server reads them.
    #[must_use]
    pub fn frame<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        match &self.rewritten {
            Some(rewritten) => rewritten,
            None => &bytes[..self.at.min(bytes.len())],
        }
    }

    /// How many more bytes the request needs at least, if that is known: room for them can be made at once.
    #[must_use]
    pub fn wanted(&self, so_far: usize) -> usize {
        self.length.map_or(0, |length| (self.at + length + 2).saturating_sub(so_far))
    }

    /// Whether part of a request was read.
    #[must_use]
    pub fn is_within(&self) -> bool {
        !self.is_found && (self.at > 0 || self.to_come > 0)
    }

    /// The request that was found, with bytes of its own.
    #[must_use]
    pub fn request(&self, bytes: &[u8]) -> Request {
        Request { frame: Bytes::copy_from_slice(self.frame(bytes)), ranges: self.ranges.clone() }
    }

    fn begin(&mut self) {
        self.at = 0;
        self.to_come = 0;
        self.length = None;
        self.rewritten = None;
        self.is_found = false;
        // A request of a million arguments leaves no room behind.
        if self.ranges.capacity() > 64 {
            self.ranges = Vec::new();
        } else {
            self.ranges.clear();
        }
    }

    /// The end of the line at the current position.
    fn line(&self, bytes: &[u8], too_long: &str) -> Result<Option<usize>, ProtocolError> {
        match line(bytes.get(self.at..).unwrap_or_default(), LONGEST_LINE) {
            Line::Ends(length) => Ok(Some(self.at + length)),
            Line::More => Ok(None),
            Line::TooLong => malformed(too_long),
        }
    }

    fn inline(&mut self, bytes: &[u8]) -> Result<Progress, ProtocolError> {
        let looked_at = &bytes[..bytes.len().min(LONGEST_LINE)];
        let Some(end) = looked_at.iter().position(|byte| *byte == b'\n') else {
            if bytes.len() >= LONGEST_LINE {
                return malformed("too big inline request");
            }
            return Ok(Progress::More);
        };
        let text = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let Some(words) = split_line(text) else {
            return malformed("unbalanced quotes in request");
        };
        let mut rewritten = Vec::with_capacity(text.len() + 16 * (words.len() + 1));
        rewritten.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in &words {
            rewritten.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            let start = rewritten.len();
            rewritten.extend_from_slice(word);
            let end = rewritten.len();
            // A line has at most 64 KiB.
            let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            self.ranges.push((at(start), at(end)));
            rewritten.extend_from_slice(b"\r\n");
        }
        self.rewritten = Some(rewritten);
        self.is_found = true;
        Ok(Progress::Request(end + 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut parser = RequestParser::new(1 << 20);
        let mut rest = bytes;
        let mut found = Vec::new();
        while let Progress::Request(length) = parser.advance(rest).unwrap() {
            found.push(parser.arguments(rest).iter().map(<[u8]>::to_vec).collect());
            rest = &rest[length..];
        }
        found
    }

    fn error(bytes: &[u8]) -> String {
        let mut parser = RequestParser::new(1 << 20);
        match parser.advance(bytes) {
            Err(error) => error.to_string(),
            Ok(progress) => panic!("{progress:?}"),
        }
    }

    #[test]
    fn requests_and_lines_are_read() {
        assert_eq!(
            words(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n  set a \"x \\x41\\n\" 'it'\r\n*0\r\n*-1\r\n\r\n"),
            vec![
                vec![b"GET".to_vec(), b"a".to_vec()],
                vec![b"PING".to_vec()],
                vec![b"set".to_vec(), b"a".to_vec(), b"x A\n".to_vec(), b"it".to_vec()],
                vec![],
                vec![],
                vec![],
            ]
            .into_iter()
            .collect::<Vec<Vec<Vec<u8>>>>()
        );
    }

    #[test]
    fn bad_requests_are_refused_as_a_server_does() {
        assert_eq!(error(b"*1\r\nPING\r\n"), "Protocol error: expected '$', got 'P'");
        assert_eq!(error(b"*99999999999\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*x\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*1\r\n$-5\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"*1\r\n$2000000000\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"a \"b\r\n"), "Protocol error: unbalanced quotes in request");
        let long = vec![b'1'; LONGEST_LINE + 1];
        assert_eq!(
            error(&[b"*".as_slice(), &long].concat()),
            "Protocol error: too big mbulk count string"
        );
        assert_eq!(
            error(&[b"*1\r\n$".as_slice(), &long].concat()),
            "Protocol error: too big bulk count string"
        );
        assert_eq!(
            error(&[b"x".as_slice(), &long].concat()),
            "Protocol error: too big inline request"
        );
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_requests(
            requests in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5), 1..5),
            cut in 1_usize..7,
        ) {
            let mut bytes = Vec::new();
            for request in &requests {
                bytes.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
                for word in request {
                    bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                    bytes.extend_from_slice(word);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            prop_assert_eq!(&words(&bytes), &requests);
            let mut parser = RequestParser::new(1 << 20);
            let (mut held, mut found) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                held.extend_from_slice(piece);
                while let Progress::Request(length) = parser.advance(&held).unwrap() {
                    found.push(parser.arguments(&held).iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                    prop_assert_eq!(parser.frame(&held), &held[..length]);
                    held.drain(..length);
                }
            }
            prop_assert_eq!(found, requests);
            prop_assert!(held.is_empty());
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut parser = RequestParser::new(1 << 10);
            let mut rest = bytes.as_slice();
            while let Ok(Progress::Request(length)) = parser.advance(rest) {
                prop_assert!(length > 0 && length <= rest.len());
                let _: usize = parser.arguments(rest).iter().map(<[u8]>::len).sum();
                rest = &rest[length..];
            }
        }
    }
}
