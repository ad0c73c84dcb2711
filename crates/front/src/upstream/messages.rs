//! What a server sends without being asked: messages of channels.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What was published.
    Message,
    /// That a subscription to a channel or a pattern begins or ends.
    Subscription,
    /// That a subscription to a channel of a shard begins or ends.
    OfShard,
}

/// Whether a reply's first bytes say whether it is a message of a channel: its first word is whole.
pub(super) fn says_what_it_is(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    match (first.first(), second) {
        (Some(b'*'), None) => false,
        (Some(b'*'), Some(second)) if second.is_empty() || second.starts_with(b"$") => {
            // The word's line has ended when another one begins.
            lines.next().is_some() && lines.next().is_some()
        }
        _ => true,
    }
}

/// The kind of a message of a channel, by its first word.
pub(super) fn message_kind(reply: &[u8]) -> Option<Kind> {
    let at = reply.iter().position(|byte| *byte == b'\n')? + 1;
    let rest = reply[at..].strip_prefix(b"$")?;
    let at = rest.iter().position(|byte| *byte == b'\n')? + 1;
    let rest = &rest[at..];
    let word = &rest[..rest.iter().position(|byte| *byte == b'\r')?];
    match word {
        b"message" | b"pmessage" | b"smessage" => Some(Kind::Message),
        b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe" => Some(Kind::Subscription),
        b"ssubscribe" | b"sunsubscribe" => Some(Kind::OfShard),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_is_is_said_by_its_first_word() {
        let message = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n";
        for length in 1..message.len() {
            let is_said = says_what_it_is(&message[..length]);
            assert_eq!(
                is_said,
                message_kind(&message[..length]).is_some() && length > 16,
                "{length}"
            );
        }
        assert!(says_what_it_is(b"+OK"));
        assert!(says_what_it_is(b"*2\r\n:1\r\n"));
    }
}
