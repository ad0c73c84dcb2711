//! Bounds on the answers of a server: their bytes, their elements and their nesting, counted before they are parsed.
//!
//! The parser keeps an answer until it is complete, in a buffer of the announced length and in a value of some sixty
//! bytes for each element. So an answer is refused when it announces, or has sent, more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Arg, Cmd};

use crate::error::TOO_MUCH;

/// The bytes of an answer before the login is over: a greeting, a list of modules, an error.
pub(super) const BEFORE_LOGIN: u64 = 1 << 20;
/// The bytes of an answer that carries no value: names, settings, statistics.
pub(super) const WITHOUT_VALUES: u64 = 32 << 20;
/// The bytes of an answer that carries values. Redis accepts no value of more than 512 MiB unless it is configured to.
pub(super) const WITH_VALUES: u64 = 1 << 30;
/// The bytes of answers without values to commands that were sent together.
pub(super) const TOGETHER: u64 = 2 * WITHOUT_VALUES;
/// The place of an element in memory.
const ELEMENT: u64 = 64;
/// The longest line: a status, an error, a number.
const LINE: u64 = 64 * 1024;
/// The deepest nesting. Redis nests eight levels in `COMMAND DOCS`; each level takes a part of the stack.
const DEPTH: usize = 32;

/// How much a server may answer on one connection.
pub(super) trait Bounds: Send + Sync {
    /// The bytes of the answer in progress. Asked only when it has more than any answer may have.
    fn most(&self) -> u64;
}

/// The bounds of a connection that only listens: its messages are no values.
#[derive(Debug, Default)]
pub(super) struct Listening {
    is_logged_in: AtomicBool,
}

impl Listening {
    pub(super) fn log_in(&self) {
        self.is_logged_in.store(true, Ordering::Release);
    }
}

impl Bounds for Listening {
    fn most(&self) -> u64 {
        match self.is_logged_in.load(Ordering::Acquire) {
            false => BEFORE_LOGIN,
            true => WITHOUT_VALUES,
        }
    }
}

/// Whether a command's answer may be as long as values are.
pub(super) fn carries_values(command: &Cmd) -> bool {
    let Some(Arg::Simple(verb)) = command.args_iter().next() else { return false };
    match verb.iter().any(u8::is_ascii_lowercase) {
        false => !is_without_values(verb),
        true => !is_without_values(&verb.to_ascii_uppercase()),
    }
}

/// Whether the answers to a command carry no values. Compared byte by byte, since each request is looked at.
#[rustfmt::skip]
pub(super) fn is_without_values(verb: &[u8]) -> bool {
    matches!(
        verb,
        b"ACL" | b"ASKING" | b"AUTH" | b"CLIENT" | b"CLUSTER" | b"COMMAND" | b"CONFIG" | b"COPY" | b"DBSIZE"
        | b"DEL" | b"ECHO" | b"EXISTS" | b"EXPIRE" | b"FLUSHDB" | b"FUNCTION" | b"HELLO" | b"HLEN" | b"HSET"
        | b"INCRBY" | b"INFO" | b"LATENCY" | b"LLEN" | b"MEMORY" | b"MIGRATE" | b"MODULE" | b"MOVE" | b"MULTI"
        | b"OBJECT" | b"PERSIST" | b"PEXPIRE" | b"PEXPIREAT" | b"PEXPIRETIME" | b"PING" | b"PTTL" | b"PUBLISH"
        | b"RANDOMKEY" | b"READONLY" | b"RENAME" | b"RESTORE" | b"ROLE" | b"SCAN" | b"SCARD" | b"SCRIPT"
        | b"SELECT" | b"SET" | b"SLOWLOG" | b"STRLEN" | b"TIME" | b"TTL" | b"TYPE" | b"UNLINK" | b"UNWATCH"
        | b"WAIT" | b"WATCH" | b"XGROUP" | b"XLEN" | b"ZADD" | b"ZCARD"
    )
}

/// Reads a server's bytes beside the parser and counts.
pub(super) struct AnswerWatch {
    bounds: Arc<dyn Bounds>,
    part: Part,
    /// The elements that each open list lacks.
    open: Vec<u64>,
    /// The bytes that the answer in progress takes.
    answer: u64,
}

impl std::fmt::Debug for AnswerWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (part, open, answer) = (&self.part, &self.open, &self.answer);
        let mut shown = f.debug_struct("AnswerWatch");
        shown
            .field("part", part)
            .field("open", open)
            .field("answer", answer)
            .finish_non_exhaustive()
    }
}

/// The part of an answer whose bytes come next.
#[derive(Clone, Copy, Debug)]
enum Part {
    Start,
    Line {
        kind: u8,
        length: u64,
        number: Number,
    },
    /// Bytes of a text, with its end.
    Text(u64),
    /// This is not the protocol, and the parser will say so.
    Unknown,
}

/// The number of a line, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    value: u64,
    is_negative: bool,
    is_other: bool,
}

impl Number {
    fn read(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                match self.value.checked_mul(10).and_then(|value| value.checked_add(digit)) {
                    Some(value) => self.value = value,
                    None => self.is_other = true,
                }
            }
            b'-' => self.is_negative = true,
            b'\r' | b'+' | b' ' => {}
            _ => self.is_other = true,
        }
    }

    /// The announced length; `None` for no value, or if it is not a number.
    fn length(self) -> Option<u64> {
        (!self.is_negative && !self.is_other).then_some(self.value)
    }
}

/// An answer that passes a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(TOO_MUCH)
    }
}

impl std::error::Error for TooMuch {}

impl AnswerWatch {
    pub(super) fn new(bounds: Arc<dyn Bounds>) -> Self {
        Self { bounds, part: Part::Start, open: Vec::new(), answer: 0 }
    }

    /// Whether nothing that was asked for carries values.
    pub(super) fn carries_no_values(&self) -> bool {
        self.bounds.most() < WITH_VALUES
    }

    /// Counts bytes that the server has sent.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> Result<(), TooMuch> {
        while !bytes.is_empty() {
            let (length, _) = self.see_one(bytes)?;
            bytes = bytes.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Counts bytes that the server has sent, up to the end of an answer. Returns their number, and whether an answer
    /// ends there. Bytes that are no answer end where they are.
    pub(super) fn see_one(&mut self, all: &[u8]) -> Result<(usize, bool), TooMuch> {
        let mut bytes = all;
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.part {
                Part::Start => {
                    bytes = rest;
                    // The elements of a list were counted when it was announced.
                    if self.open.is_empty() {
                        self.take(ELEMENT)?;
                    }
                    self.part = match first {
                        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' | b'$' | b'!' | b'='
                        | b'*' | b'~' | b'>' | b'%' | b'|' => {
                            Part::Line { kind: first, length: 0, number: Number::default() }
                        }
                        _ => Part::Unknown,
                    };
                }
                Part::Line { kind, length, number } => {
                    bytes = rest;
                    *length += 1;
                    if *length > LINE {
                        return Err(TooMuch);
                    }
                    if first == b'\n' {
                        let (kind, length, number) = (*kind, *length, *number);
                        self.take(length)?;
                        self.line(kind, number)?;
                    } else {
                        number.read(first);
                    }
                }
                Part::Text(left) => {
                    let length = (*left).min(bytes.len() as u64);
                    *left -= length;
                    let is_over = *left == 0;
                    bytes = bytes.get(length as usize..).unwrap_or_default();
                    if is_over {
                        self.complete();
                    }
                }
                Part::Unknown => {
                    self.take(bytes.len() as u64)?;
                    bytes = &[];
                }
            }
            if matches!(self.part, Part::Start) && self.open.is_empty() {
                return Ok((all.len() - bytes.len(), true));
            }
        }
        Ok((all.len(), matches!(self.part, Part::Unknown)))
    }

    /// The end of a line, which may announce a text or a list.
    fn line(&mut self, kind: u8, number: Number) -> Result<(), TooMuch> {
        let is_announced = matches!(kind, b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|');
        let length = number.length();
        let length = match length {
            _ if !is_announced => {
                self.complete();
                return Ok(());
            }
            Some(length) => length,
            // No value, or a form that the parser does not know.
            None if number.is_other => {
                self.part = Part::Unknown;
                return Ok(());
            }
            None => {
                self.complete();
                return Ok(());
            }
        };
        let elements = match kind {
            b'*' | b'~' | b'>' => length,
            b'%' => length.saturating_mul(2),
            b'|' => length.saturating_mul(2).saturating_add(1),
            _ => {
                self.take(length)?;
                self.part = Part::Text(length.saturating_add(2));
                return Ok(());
            }
        };
        if elements == 0 {
            self.complete();
            return Ok(());
        }
        if self.open.len() >= DEPTH {
            return Err(TooMuch);
        }
        // The parser makes room for them at once.
        self.take(elements.saturating_mul(ELEMENT))?;
        self.open.push(elements);
        self.part = Part::Start;
        Ok(())
    }

    /// An element is complete, and perhaps the lists whose last element it was.
    fn complete(&mut self) {
        self.part = Part::Start;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        self.answer = 0;
    }

    fn take(&mut self, bytes: u64) -> Result<(), TooMuch> {
        self.answer = self.answer.saturating_add(bytes);
        let is_too_much = self.answer > BEFORE_LOGIN && self.answer > self.bounds.most();
        if is_too_much { Err(TooMuch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Most(u64);

    impl Bounds for Most {
        fn most(&self) -> u64 {
            self.0
        }
    }

    fn watch(most: u64) -> AnswerWatch {
        AnswerWatch::new(Arc::new(Most(most)))
    }

    fn without_values() -> AnswerWatch {
        watch(WITHOUT_VALUES)
    }

    #[test]
    fn an_answer_is_refused_when_it_announces_too_much() {
        for bytes in [
            &b"$33554433\r\n"[..],
            b"=99999999999\r\n",
            b"!18446744073709551615\r\n",
            b"*600000\r\n",
            b"%300000\r\n",
            b"*2\r\n*300000\r\n*300000\r\n",
            b"|9223372036854775807\r\n",
        ] {
            assert_eq!(without_values().see(bytes), Err(TooMuch), "{}", bytes.escape_ascii());
        }
        for bytes in [&b"$33000000\r\n"[..], b"*500000\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n"] {
            assert_eq!(without_values().see(bytes), Ok(()), "{}", bytes.escape_ascii());
        }
        assert_eq!(watch(WITH_VALUES).see(b"$536870912\r\n"), Ok(()));
        assert_eq!(
            AnswerWatch::new(Arc::<Listening>::default()).see(b"$1048577\r\n"),
            Err(TooMuch)
        );
    }

    #[test]
    fn values_are_told_by_the_command() {
        for command in ["GET", "DUMP", "MGET", "EVALSHA", "XRANGE", "hgetall"] {
            assert!(carries_values(&redis::cmd(command)), "{command}");
        }
        for command in ["TYPE", "SET", "incrby", "Info"] {
            assert!(!carries_values(&redis::cmd(command)), "{command}");
        }
    }

    #[test]
    fn lines_and_nesting_without_end_are_refused() {
        let mut line = without_values();
        assert_eq!(line.see(b"+"), Ok(()));
        assert_eq!((0..70).try_for_each(|_| line.see(&[b'a'; 1024])), Err(TooMuch));
        assert_eq!(without_values().see(&b"*1\r\n".repeat(DEPTH)), Ok(()));
        assert_eq!(without_values().see(&b"*1\r\n".repeat(DEPTH + 1)), Err(TooMuch));
    }

    #[test]
    fn answers_are_counted_one_by_one_however_they_are_cut() {
        let bytes =
            b"*3\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n:1\r\n>2\r\n$1\r\nx\r\n|1\r\n+a\r\n_\r\n,1.5\r\n";
        for size in 1..=bytes.len() {
            let mut watch = without_values();
            for part in bytes.chunks(size) {
                assert_eq!(watch.see(part), Ok(()));
            }
            assert!(watch.open.is_empty() && watch.answer == 0, "{size}: {watch:?}");
        }
    }

    #[test]
    fn commands_are_known_in_either_case() {
        for (verb, carries) in
            [("GET", true), ("evalsha", true), ("ZCARD", false), ("zCard", false)]
        {
            assert_eq!(carries_values(&redis::cmd(verb)), carries, "{verb}");
        }
        assert!(!carries_values(&Cmd::new()));
    }
}
