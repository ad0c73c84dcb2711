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
