//! Reads replies: where each ends, however its bytes arrive, and its value.

use redis::{PushKind, RedisError, RedisResult, Value};

use super::answers::{AnswerWatch, TOGETHER, TooMuch};

/// The bytes that the server has sent, until they are replies.
pub(super) struct Replies {
    watch: AnswerWatch,
    /// Bytes from the socket, in `..filled`; the rest is room.
    bytes: Vec<u8>,
    filled: usize,
    /// The start of the reply in progress.
    start: usize,
    /// Its bytes before this were seen by the watch.
    seen: usize,
    /// The bytes of replies since a request was sent.
    together: u64,
    /// Whether somebody listens: messages are handed on one by one, however many come.
    listens: bool,
}

/// Room for the bytes of one read.
const ROOM: usize = 64 * 1024;
/// A reply that needed more room gives it back.
const KEEP: usize = 1 << 20;

/// Why the replies cannot be read on.
#[derive(Debug)]
pub(super) enum Unreadable {
    TooMuch,
    NoReply(RedisError),
}

impl From<TooMuch> for Unreadable {
    fn from(_: TooMuch) -> Self {
        Self::TooMuch
    }
}

impl From<RedisError> for Unreadable {
    fn from(error: RedisError) -> Self {
        Self::NoReply(error)
    }
}

impl Replies {
    pub(super) fn new(watch: AnswerWatch, listens: bool) -> Self {
        let bytes = vec![0; ROOM];
        Self { watch, bytes, filled: 0, start: 0, seen: 0, together: 0, listens }
    }

    /// Where the next bytes of the socket go.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.filled {
            (self.start, self.seen, self.filled) = (0, 0, 0);
            if self.bytes.len() > KEEP {
                self.bytes = vec![0; ROOM];
            }
        } else if self.bytes.len() - self.filled < ROOM / 4 {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.seen -= self.start;
            self.filled -= self.start;
            self.start = 0;
            if self.bytes.len() - self.filled < ROOM / 4 {
                let more = (self.bytes.len() * 2).max(ROOM);
                self.bytes.resize(more, 0);
            }
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// Notes that the socket filled so many bytes of the room.
    pub(super) fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// The next whole reply; `None` if its end has not arrived.
    ///
    /// # Errors
    /// If the server sends more than it may, or no replies.
    pub(super) fn next(&mut self) -> Result<Option<Value>, Unreadable> {
        let arrived = self.bytes.get(..self.filled).unwrap_or_default();
        let reply = arrived.get(self.start..).unwrap_or_default();
        if reply.is_empty() {
            return Ok(None);
        }
        // The usual reply is one line or one text, and has arrived as a whole.
        if self.seen == self.start
            && let Some((value, length)) = short(reply)
        {
            self.start += length;
            self.seen = self.start;
            self.count(length)?;
            return Ok(Some(value));
        }
        let unseen = arrived.get(self.seen..).unwrap_or_default();
        let (length, is_whole) = self.watch.see_one(unseen)?;
        self.seen += length;
        if !is_whole {
            return Ok(None);
        }
        let whole = arrived.get(self.start..self.seen).unwrap_or_default();
        let length = whole.len();
        self.start = self.seen;
        let value = Reader { bytes: whole }.value()?;
        if !(self.listens && matches!(value, Value::Push { .. })) {
            self.count(length)?;
        }
        Ok(Some(value))
    }

    /// Requests were sent since replies were last read: replies are counted from here.
    pub(super) fn asked(&mut self) {
        self.together = 0;
    }

    /// Bounds the replies to requests that were sent together and carry no values.
    fn count(&mut self, length: usize) -> Result<(), TooMuch> {
        self.together += length as u64;
        let is_too_much = self.together > TOGETHER && self.watch.carries_no_values();
        if is_too_much { Err(TooMuch) } else { Ok(()) }
    }
}

/// The longest text that is read without the watch: shorter than any bound.
const SHORT: usize = ROOM;

/// A reply of one line or one text at the start of the bytes, and its length, if it is there as a whole.
fn short(bytes: &[u8]) -> Option<(Value, usize)> {
    let kind = *bytes.first()?;
    if !matches!(kind, b'+' | b':' | b'$') {
        return None;
    }
    let line = line_of(bytes.get(1..)?)?;
    let next = 1 + line.len() + 2;
    match kind {
        b'+' => Some((status(line).ok()?, next)),
        b':' => Some((Value::Int(number(line)?), next)),
        _ => {
            let length = number(line)?;
            if length < 0 {
                return Some((Value::Nil, next));
            }
            let length = usize::try_from(length).ok().filter(|length| *length <= SHORT)?;
            let text = bytes.get(next..next + length + 2)?;
            let text = text.strip_suffix(b"\r\n")?;
            Some((Value::BulkString(text.to_vec()), next + length + 2))
        }
    }
}

/// The line at the start of the bytes, without its end.
fn line_of(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.get(..end)?.strip_suffix(b"\r")
}

fn number(line: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match line.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, line),
    };
    // Eighteen digits fit.
    if digits.is_empty() || digits.len() > 18 {
        return std::str::from_utf8(line).ok()?.parse().ok();
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -value } else { value })
}

fn status(line: &[u8]) -> RedisResult<Value> {
    if line == b"OK" {
        return Ok(Value::Okay);
    }
    let text = std::str::from_utf8(line).map_err(|_| unreadable())?;
    Ok(Value::SimpleString(text.to_owned()))
}

fn unreadable() -> RedisError {
    (redis::ErrorKind::Parse, "the reply is not of Redis's protocol").into()
}

/// Reads the values of a reply that has arrived as a whole. The watch has bounded its length and its nesting.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> RedisResult<Value> {
        let whole = self.bytes;
        let kind = *self.take(1)?.first().ok_or_else(unreadable)?;
        let line = line_of(self.bytes).ok_or_else(unreadable)?;
        self.take(line.len() + 2)?;
        let one_line = whole.get(..line.len() + 3).unwrap_or_default();
        match kind {
            b'+' => status(line),
            b':' => Ok(Value::Int(number(line).ok_or_else(unreadable)?)),
            b'$' => {
                let Some(length) = length_of(line)? else { return Ok(Value::Nil) };
                let text = self.take(length)?;
                self.take(2)?;
                Ok(Value::BulkString(text.to_vec()))
            }
            b'*' | b'~' => {
                let Some(count) = length_of(line)? else { return Ok(Value::Nil) };
                let values = self.values(count)?;
                Ok(if kind == b'*' { Value::Array(values) } else { Value::Set(values) })
            }
            b'>' => {
                let mut data = self.values(length_of(line)?.unwrap_or_default())?;
                if data.is_empty() {
                    return Err(unreadable());
                }
                let kind = push_kind(&data.remove(0)).ok_or_else(unreadable)?;
                Ok(Value::Push { kind, data })
            }
            b'%' => {
                let Some(count) = length_of(line)? else { return Ok(Value::Nil) };
                Ok(Value::Map(self.pairs(count)?))
            }
            b'|' => {
                let attributes = self.pairs(length_of(line)?.unwrap_or_default())?;
                Ok(Value::Attribute { data: Box::new(self.value()?), attributes })
            }
            b'_' => Ok(Value::Nil),
            // An error in a text, and a text with its form: as redis-rs has them.
            b'!' | b'=' => {
                let Some(length) = length_of(line)? else { return Ok(Value::Nil) };
                self.take(length + 2)?;
                let all = whole.get(..one_line.len() + length + 2);
                redis::parse_redis_value(all.ok_or_else(unreadable)?)
            }
            // Errors, fractions, truths and long numbers.
            b'-' | b',' | b'#' | b'(' => redis::parse_redis_value(one_line),
            _ => Err(unreadable()),
        }
    }

    fn values(&mut self, count: usize) -> RedisResult<Vec<Value>> {
        // Each element has at least three bytes.
        let mut values = Vec::with_capacity(count.min(self.bytes.len() / 3 + 1));
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn pairs(&mut self, count: usize) -> RedisResult<Vec<(Value, Value)>> {
        let mut pairs = Vec::with_capacity(count.min(self.bytes.len() / 6 + 1));
        for _ in 0..count {
            pairs.push((self.value()?, self.value()?));
        }
        Ok(pairs)
    }

    fn take(&mut self, count: usize) -> RedisResult<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(unreadable)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// The announced length; `None` if there is no value.
fn length_of(line: &[u8]) -> RedisResult<Option<usize>> {
    let length = number(line).ok_or_else(unreadable)?;
    Ok(usize::try_from(length).ok())
}

fn push_kind(value: &Value) -> Option<PushKind> {
    let name = match value {
        Value::BulkString(name) => String::from_utf8(name.clone()).ok()?,
        Value::SimpleString(name) => name.clone(),
        _ => return None,
    };
    Some(match name.as_str() {
        "message" => PushKind::Message,
        "pmessage" => PushKind::PMessage,
        "smessage" => PushKind::SMessage,
        "subscribe" => PushKind::Subscribe,
        "psubscribe" => PushKind::PSubscribe,
        "ssubscribe" => PushKind::SSubscribe,
        "unsubscribe" => PushKind::Unsubscribe,
        "punsubscribe" => PushKind::PUnsubscribe,
        "sunsubscribe" => PushKind::SUnsubscribe,
        "invalidate" => PushKind::Invalidate,
        _ => PushKind::Other(name),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::answers::Listening;

    fn replies() -> Replies {
        let bounds = Listening::default();
        bounds.log_in();
        Replies::new(AnswerWatch::new(Arc::new(bounds)), false)
    }

    /// The values that are whole once these bytes have arrived too.
    fn arrive(replies: &mut Replies, mut bytes: &[u8]) -> Result<Vec<Value>, Unreadable> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            let room = replies.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            replies.filled(count);
            bytes = &bytes[count..];
            while let Some(value) = replies.next()? {
                values.push(value);
            }
        }
        Ok(values)
    }

    /// All values, if the bytes arrive in parts of this size.
    fn read(bytes: &[u8], part: usize) -> Result<Vec<Value>, Unreadable> {
        let (mut replies, mut values) = (replies(), Vec::new());
        for part in bytes.chunks(part) {
            values.extend(arrive(&mut replies, part)?);
        }
        Ok(values)
    }

    fn bulk(kind: char) -> impl Fn(Vec<u8>) -> Vec<u8> {
        move |text| {
            let mut bytes = format!("{kind}{}\r\n", text.len()).into_bytes();
            bytes.extend(text);
            bytes.extend(b"\r\n");
            bytes
        }
    }

    fn reply() -> impl Strategy<Value = Vec<u8>> {
        let text = || proptest::collection::vec(any::<u8>(), 0..40);
        let leaf = prop_oneof![
            4 => text().prop_map(bulk('$')),
            2 => any::<i64>().prop_map(|n| format!(":{n}\r\n").into_bytes()),
            2 => "[a-zA-Z ]{0,20}".prop_map(|line| format!("+{line}\r\n").into_bytes()),
            1 => "(ERR|MOVED|WRONGTYPE|NOPERM) [a-z 0-9:.]{1,20}".prop_map(|line| format!("-{line}\r\n").into_bytes()),
            1 => "[a-z]{3}:[a-z ]{0,20}".prop_map(|text| bulk('=')(text.into_bytes())),
            1 => "[A-Z]{3} [a-z ]{0,20}".prop_map(|text| bulk('!')(text.into_bytes())),
            1 => prop_oneof![Just("$-1"), Just("*-1"), Just("_"), Just("#t"), Just(",1.5"), Just("+OK"),
                Just("(3492890328409238509324850943850943825024385")]
                .prop_map(|line| format!("{line}\r\n").into_bytes()),
        ];
        let list = |kind: &'static str, of: usize| {
            move |values: Vec<Vec<u8>>| {
                let count = values.len() / of;
                let mut bytes = format!("{kind}{count}\r\n").into_bytes();
                bytes.extend(values[..count * of].concat());
                bytes
            }
        };
        leaf.prop_recursive(4, 60, 6, move |inner| {
            let values = || proptest::collection::vec(inner.clone(), 0..6);
            prop_oneof![
                values().prop_map(list("*", 1)),
                values().prop_map(list("~", 1)),
                values().prop_map(list("%", 2)),
            ]
        })
    }

    proptest! {
        /// redis-rs's own parser is the oracle.
        #[test]
        fn replies_are_read_as_redis_rs_reads_them(
            all in proptest::collection::vec(reply(), 1..12),
            part in 1_usize..200,
        ) {
            let expected: Vec<Value> =
                all.iter().map(|bytes| redis::parse_redis_value(bytes).unwrap()).collect();
            prop_assert_eq!(read(&all.concat(), part).unwrap(), expected);
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300), part in 1_usize..50) {
            let _ = read(&bytes, part);
        }
    }

    #[test]
    fn a_long_text_arrives_in_parts_and_its_room_is_given_back() {
        let mut bytes = b"$3000000\r\n".to_vec();
        bytes.extend(vec![b'x'; 3_000_000]);
        bytes.extend(b"\r\n:7\r\n");
        assert_eq!(read(&bytes, 50_000).unwrap()[1], Value::Int(7));
        let mut replies = replies();
        replies.bytes = vec![0; KEEP * 2];
        assert_eq!(replies.room().len(), ROOM);
    }

    #[test]
    fn replies_without_values_are_bounded_together_until_more_is_asked() {
        let mut page = b"$60000\r\n".to_vec();
        page.extend(vec![b'x'; 60_000]);
        page.extend(b"\r\n");
        let passes = |asks: bool| {
            let mut replies = replies();
            (0..2_000).all(|_| {
                if asks {
                    replies.asked();
                }
                arrive(&mut replies, &page).is_ok_and(|values| values.len() == 1)
            })
        };
        assert!(passes(true));
        assert!(!passes(false));
    }

    #[test]
    fn messages_without_end_are_taken_only_where_somebody_listens() {
        let mut messages = b">2\r\n+x\r\n$20000\r\n".to_vec();
        messages.resize(messages.len() + 20_000, b'y');
        messages.extend(b"\r\n");
        let passes = |listens: bool| {
            let mut replies = replies();
            replies.listens = listens;
            (0..4_000)
                .all(|_| arrive(&mut replies, &messages).is_ok_and(|values| values.len() == 1))
        };
        assert!(passes(true));
        assert!(!passes(false));
    }

    #[test]
    fn pushes_have_their_kind() {
        let values = read(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", 7).unwrap();
        let Value::Push { kind, data } = &values[0] else { panic!("{values:?}") };
        assert_eq!((kind, data.len()), (&PushKind::Message, 2));
    }

    #[test]
    fn what_is_no_reply_is_said() {
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b":x\r\n", b"$x\r\n", b">0\r\n"] {
            let error = read(bytes, 100);
            assert!(
                matches!(error, Err(Unreadable::NoReply(_))),
                "{} {error:?}",
                bytes.escape_ascii()
            );
        }
    }
}
