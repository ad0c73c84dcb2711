//! Bounds on the answers of a server: their bytes, their elements and their nesting, counted before they are parsed.
//!
//! The parser keeps an answer until it is complete, in a buffer of the announced length and in a value of some sixty
//! bytes for each element. So an answer is refused when it announces, or has sent, more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redis::{Arg, Cmd};

use crate::error::TOO_MUCH;

/// The bytes of an answer before the login is over: a greeting, a list of modules, an error.
const BEFORE_LOGIN: u64 = 1 << 20;
/// The bytes of an answer that carries no value: names, settings, statistics.
const WITHOUT_VALUES: u64 = 32 << 20;
/// The bytes of an answer that carries values. Redis accepts no value of more than 512 MiB unless it is configured to.
const WITH_VALUES: u64 = 1 << 30;
/// The answers without values to commands that were sent together, compared with one of them.
const TOGETHER: u64 = 2;
/// The place of an element in memory.
const ELEMENT: u64 = 64;
/// The longest line: a status, an error, a number.
const LINE: u64 = 64 * 1024;
/// The deepest nesting. Redis nests eight levels in `COMMAND DOCS`; each level takes a part of the stack.
const DEPTH: usize = 32;

/// How much a server may answer on one connection.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    is_logged_in: AtomicBool,
    /// Commands in progress whose answers carry values.
    with_values: AtomicUsize,
}

impl Allowed {
    pub(super) fn log_in(&self) {
        self.is_logged_in.store(true, Ordering::Release);
    }

    /// Allows the answers to `commands`, as long as the result is held.
    pub(super) fn expect<'a>(
        self: &Arc<Self>,
        mut commands: impl Iterator<Item = &'a Cmd>,
    ) -> Option<Expected> {
        commands.any(carries_values).then(|| {
            self.with_values.fetch_add(1, Ordering::AcqRel);
            Expected { allowed: Arc::clone(self), is_answered: false }
        })
    }

    /// The bytes of one answer, and of the answers to commands that were sent together.
    fn bytes(&self) -> (u64, u64) {
        if !self.is_logged_in.load(Ordering::Acquire) {
            (BEFORE_LOGIN, BEFORE_LOGIN)
        } else if self.with_values.load(Ordering::Acquire) > 0 {
            (WITH_VALUES, u64::MAX)
        } else {
            (WITHOUT_VALUES, WITHOUT_VALUES * TOGETHER)
        }
    }
}

/// Commands in progress whose answers carry values.
pub(super) struct Expected {
    allowed: Arc<Allowed>,
    is_answered: bool,
}

impl Expected {
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        // An answer whose caller gave up may still arrive.
        if self.is_answered {
            self.allowed.with_values.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Whether a command's answer may be as long as values are.
fn carries_values(command: &Cmd) -> bool {
    let mut arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let Some(verb) = arguments.next() else { return false };
    let upper = || verb.iter().map(u8::to_ascii_uppercase);
    WITHOUT.binary_search_by(|known| known.bytes().cmp(upper())).is_err()
}

/// Commands whose answers carry no values.
#[rustfmt::skip]
const WITHOUT: [&str; 58] = [
    "ACL", "ASKING", "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "COPY", "DBSIZE", "DEL", "ECHO", "EXISTS",
    "EXPIRE", "FLUSHDB", "FUNCTION", "HELLO", "HLEN", "HSET", "INCRBY", "INFO", "LATENCY", "LLEN", "MEMORY",
    "MIGRATE", "MODULE", "MOVE", "MULTI", "OBJECT", "PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME", "PING", "PTTL",
    "PUBLISH", "RANDOMKEY", "READONLY", "RENAME", "RESTORE", "ROLE", "SCAN", "SCARD", "SCRIPT", "SELECT", "SET",
    "SLOWLOG", "STRLEN", "TIME", "TTL", "TYPE", "UNLINK", "UNWATCH", "WAIT", "WATCH", "XGROUP", "XLEN", "ZADD",
    "ZCARD",
];

/// Reads a server's bytes beside the parser and counts.
#[derive(Debug)]
pub(super) struct AnswerWatch {
    allowed: Arc<Allowed>,
    part: Part,
    /// The elements that each open list lacks.
    open: Vec<u64>,
    /// The bytes that the answer in progress takes, and that answers since the last command have taken.
    answer: u64,
    answers: u64,
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
    pub(super) fn new(allowed: Arc<Allowed>) -> Self {
        Self { allowed, part: Part::Start, open: Vec::new(), answer: 0, answers: 0 }
    }

    /// A command is being sent.
    pub(super) fn asked(&mut self) {
        self.answers = 0;
    }

    /// Counts bytes that the server has sent.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> Result<(), TooMuch> {
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
        }
        Ok(())
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
        self.answers = self.answers.saturating_add(bytes);
        let (most, together) = self.allowed.bytes();
        if self.answer > most || self.answers > together { Err(TooMuch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(commands: &[Cmd]) -> (AnswerWatch, Option<Expected>) {
        let allowed = Arc::new(Allowed::default());
        allowed.log_in();
        let expected = allowed.expect(commands.iter());
        (AnswerWatch::new(allowed), expected)
    }

    fn without_values() -> AnswerWatch {
        watch(&[redis::cmd("INFO")]).0
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
    }

    #[test]
    fn values_may_be_longer_while_they_are_asked_for() {
        for command in ["GET", "DUMP", "MGET", "EVALSHA", "XRANGE", "hgetall"] {
            let (mut watch, expected) = watch(&[redis::cmd("TYPE"), redis::cmd(command)]);
            assert_eq!(watch.see(b"$536870912\r\n"), Ok(()), "{command}");
            expected.unwrap().answered();
            assert_eq!(watch.allowed.bytes().0, WITHOUT_VALUES);
        }
        let (watch, expected) = watch(&[redis::cmd("GET")]);
        drop(expected);
        assert_eq!(watch.allowed.bytes().0, WITH_VALUES, "its answer may still arrive");
        assert_eq!(AnswerWatch::new(Arc::default()).see(b"$1048577\r\n"), Err(TooMuch));
    }

    #[test]
    fn lines_nesting_and_answers_without_end_are_refused() {
        let mut line = without_values();
        assert_eq!(line.see(b"+"), Ok(()));
        assert_eq!((0..70).try_for_each(|_| line.see(&[b'a'; 1024])), Err(TooMuch));
        assert_eq!(without_values().see(&b"*1\r\n".repeat(DEPTH)), Ok(()));
        assert_eq!(without_values().see(&b"*1\r\n".repeat(DEPTH + 1)), Err(TooMuch));
        let mut answers = without_values();
        assert_eq!(
            (0..2_000).try_for_each(|_| answers.see(&b"+OK\r\n".repeat(1_000))),
            Err(TooMuch)
        );
        let mut asked = without_values();
        for _ in 0..2_000 {
            asked.asked();
            assert_eq!(asked.see(&b"+OK\r\n".repeat(1_000)), Ok(()));
        }
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
    fn the_list_of_commands_is_sorted() {
        assert!(WITHOUT.is_sorted());
    }
}
