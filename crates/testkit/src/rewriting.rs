//! Rewrites some commands on their way to a server.

use crate::resp::encode;

/// The commands to rewrite.
#[derive(Debug, Default)]
pub(crate) struct Rewriting {
    ignores_index: bool,
    /// Command names in capitals, each with the script that answers instead.
    scripts: Vec<(Vec<u8>, String)>,
}

impl Rewriting {
    /// Rewrites every `SELECT n` to `SELECT 0`.
    pub(crate) fn ignore_index(&mut self) {
        self.ignores_index = true;
    }

    /// Rewrites every command of this name to an `EVAL` with its arguments.
    pub(crate) fn answer_by(&mut self, command: &str, script: &str) {
        self.scripts.push((command.to_ascii_uppercase().into_bytes(), script.to_owned()));
    }

    /// Makes the server's clock appear this many milliseconds ahead to clients.
    pub(crate) fn clock_ahead(&mut self, milliseconds: i64) {
        let ahead = format!("local ahead = {milliseconds}\n");
        let time = "local now = redis.call('TIME')
            local ms = now[1] * 1000 + math.floor(now[2] / 1000) + ahead
            return { string.format('%.0f', math.floor(ms / 1000)),
                     string.format('%.0f', ms % 1000 * 1000 + now[2] % 1000) }";
        let told = "local at = redis.call('PEXPIRETIME', ARGV[1])
            return at < 0 and at or at + ahead";
        // A past time must stay a time: zero and negative values have other meanings.
        let taken = "local at = tonumber(ARGV[2])
            if at > 0 then ARGV[2] = string.format('%.0f', math.max(at - ahead, 1)) end
            return redis.pcall(NAME, unpack(ARGV))";
        self.answer_by("TIME", &(ahead.clone() + time));
        self.answer_by("PEXPIRETIME", &(ahead.clone() + told));
        for name in ["RESTORE", "PEXPIREAT"] {
            let script = taken.replace("NAME", &format!("'{name}'"));
            self.answer_by(name, &(ahead.clone() + &script));
        }
    }

    /// The bytes to forward after `more` has arrived; `buffer` holds an incomplete command. `None` if nothing is
    /// rewritten.
    pub(crate) fn pass(&self, buffer: &mut Vec<u8>, more: &[u8]) -> Option<Vec<u8>> {
        if !self.ignores_index && self.scripts.is_empty() {
            return None;
        }
        buffer.extend_from_slice(more);
        let mut passed = Vec::new();
        let mut at = 0;
        while let Some((command, next)) = parse_command(buffer, at) {
            match self.rewritten(&command) {
                Some(other) => passed.extend(other),
                None => passed.extend_from_slice(&buffer[at..next]),
            }
            at = next;
        }
        buffer.drain(..at);
        Some(passed)
    }

    fn rewritten(&self, command: &[&[u8]]) -> Option<Vec<u8>> {
        let (name, arguments) = command.split_first()?;
        let name = name.to_ascii_uppercase();
        if self.ignores_index && name == b"SELECT" && arguments.len() == 1 {
            return Some(encode(&[b"SELECT".as_slice(), b"0"]));
        }
        let (_, script) = self.scripts.iter().rev().find(|(of, _)| *of == name)?;
        let mut words = vec![b"EVAL".as_slice(), script.as_bytes(), b"0"];
        words.extend(arguments);
        Some(encode(&words))
    }
}

/// The arguments of the command at `at` and the position behind it, if it is complete.
pub(crate) fn parse_command(buffer: &[u8], at: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (count, mut at) = parse_length(buffer, at, b'*')?;
    let mut arguments = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, from) = parse_length(buffer, at, b'$')?;
        arguments.push(buffer.get(from..from + length)?);
        at = from + length + 2;
    }
    (at <= buffer.len()).then_some((arguments, at))
}

fn parse_length(buffer: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let rest = buffer.get(at..)?.strip_prefix(&[mark])?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let length = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((length, at + 1 + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_rewritten_even_when_they_come_in_pieces() {
        let sent = [
            encode(&["SELECT", "7"]),
            encode(&["SET", "SELECT", "7\r\n"]),
            encode(&["select", "12"]),
            encode(&["time"]),
            encode(&["TIMER", "x"]),
        ]
        .concat();
        let wanted = [
            encode(&["SELECT", "0"]),
            encode(&["SET", "SELECT", "7\r\n"]),
            encode(&["SELECT", "0"]),
            encode(&["EVAL", "return 1", "0"]),
            encode(&["TIMER", "x"]),
        ]
        .concat();
        let mut rewriting = Rewriting::default();
        assert_eq!(rewriting.pass(&mut Vec::new(), &sent), None);
        rewriting.ignore_index();
        rewriting.answer_by("TIME", "return 1");
        for size in 1..sent.len() {
            let (mut buffer, mut passed) = (Vec::new(), Vec::new());
            for piece in sent.chunks(size) {
                passed.extend(rewriting.pass(&mut buffer, piece).unwrap());
            }
            assert_eq!(passed, wanted, "in pieces of {size}");
            assert!(buffer.is_empty());
        }
    }
}
