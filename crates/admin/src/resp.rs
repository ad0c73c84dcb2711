//! Encodes and decodes commands in Redis's protocol where no client library is used.

use bytes::{Buf, Bytes, BytesMut};

/// A command in wire format.
pub(crate) fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// The longest command in bytes: Redis takes no argument of more than 512 MiB unless it is configured to.
const MAX_COMMAND: usize = 1 << 30;

/// Takes a complete command from the front of `buffer`: its arguments and its length in bytes. If
/// it is incomplete, the inner error is the minimum number of bytes needed.
pub(crate) fn take_command(
    buffer: &mut BytesMut,
) -> Result<Result<(Vec<Bytes>, usize), usize>, &'static str> {
    const NONE: &str = "the server sent something that is not a command";
    let Some((count, mut at)) = header(buffer, 0, b'*').map_err(|()| NONE)? else {
        return Ok(Err(buffer.len() + 1));
    };
    let mut spans = Vec::new();
    const TOO_LONG: &str = "the server sent a command that is longer than any";
    if count > MAX_COMMAND {
        return Err(TOO_LONG);
    }
    for _ in 0..count {
        let Some((length, start)) = header(buffer, at, b'$').map_err(|()| NONE)? else {
            return Ok(Err(buffer.len() + 1));
        };
        let end = start.checked_add(length).ok_or(NONE)?;
        spans.push((start, end));
        at = end.checked_add(2).ok_or(NONE)?;
        if at > MAX_COMMAND {
            return Err(TOO_LONG);
        }
        if at > buffer.len() {
            return Ok(Err(at));
        }
    }
    let mut whole = buffer.split_to(at).freeze();
    let arguments = spans.into_iter().map(|(start, end)| whole.slice(start..end)).collect();
    whole.advance(at);
    Ok(Ok((arguments, at)))
}

/// The number after `mark` at `at`, and the position after its line.
fn header(bytes: &[u8], at: usize, mark: u8) -> Result<Option<(usize, usize)>, ()> {
    const LONGEST: usize = 24;
    let Some(line) = bytes.get(at..) else { return Ok(None) };
    let Some(length) = line.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
        return if line.len() < LONGEST { Ok(None) } else { Err(()) };
    };
    let text = line[..length].strip_prefix(&[mark]).and_then(|text| text.strip_suffix(b"\r"));
    let number = text
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse().ok())
        .ok_or(())?;
    Ok(Some((number, at + length + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_when_it_is_whole() {
        let sent = [command(&["SET", "a\r\nb", ""]), command(&["PING"])].concat();
        let mut buffer = BytesMut::new();
        let mut taken = Vec::new();
        for byte in sent {
            buffer.extend_from_slice(&[byte]);
            match take_command(&mut buffer).unwrap() {
                Ok((arguments, _)) => taken.push(arguments),
                Err(needed) => assert!(needed > buffer.len()),
            }
        }
        assert_eq!(taken, [vec!["SET", "a\r\nb", ""], vec!["PING"]]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_none_is_an_error() {
        for bytes in [
            "+OK\r\n",
            "*x\r\n",
            "*1\r\n+a\r\n",
            "*1\r\n$-1\r\n",
            "HTTP/1.1 400 Bad Request",
            "*2000000000\r\n",
            "*1\r\n$2000000000\r\n",
        ] {
            assert!(take_command(&mut BytesMut::from(bytes)).is_err(), "{bytes}");
        }
    }
}
