//! A reply of a server, taken apart: for those that are put together, counted or changed.

use bytes::Bytes;

/// A reply with all that is in it. Most replies are passed on as bytes and never become a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A short text without line ends, such as `OK`.
    Simple(Bytes),
    /// An error: its code, a space, its sentence.
    Error(Bytes),
    /// A whole number.
    Integer(i64),
    /// Bytes of any kind.
    Bulk(Bytes),
    /// Nothing, where a string could be.
    Null,
    /// Nothing, where an array could be. RESP3 has one kind of nothing.
    NullArray,
    /// Values in order.
    Array(Vec<Tree>),
    /// Pairs of a key and a value. A flat array in RESP2.
    Map(Vec<(Tree, Tree)>),
    /// Values without an order. An array in RESP2.
    Set(Vec<Tree>),
    /// A message that no request asked for.
    Push(Vec<Tree>),
    /// A number with a point, as the server wrote it.
    Double(Bytes),
    /// Yes or no. An integer in RESP2.
    Boolean(bool),
    /// A whole number of any length, as the server wrote it.
    BigNumber(Bytes),
    /// A text with three letters that name its form, and a colon, before it.
    Verbatim(Bytes),
    /// An error that may hold any bytes.
    BlobError(Bytes),
}

impl Tree {
    /// A string of bytes.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// The text of a simple string, a bulk string, or a verbatim string without its form.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) => Some(text),
            Self::Verbatim(text) => Some(without_form(text)),
            _ => None,
        }
    }

    /// The whole number.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The values of an array, a set, or a message.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a map, or of an array in which keys and values take turns; none of anything else.
    pub fn pairs(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let (map, flat): (&[(Self, Self)], &[Self]) = match self {
            Self::Map(pairs) => (pairs, &[]),
            Self::Array(items) => (&[], items),
            _ => (&[], &[]),
        };
        let flat = flat.chunks_exact(2).filter_map(|pair| pair.first().zip(pair.last()));
        map.iter().map(|(key, value)| (key, value)).chain(flat)
    }

    /// The value that belongs to a name in the pairs.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Self> {
        self.pairs().find(|(key, _)| key.text() == Some(name.as_bytes())).map(|(_, value)| value)
    }

    /// The error's text, if this is one.
    #[must_use]
    pub fn error(&self) -> Option<&[u8]> {
        match self {
            Self::Error(text) | Self::BlobError(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::NullArray)
    }
}

/// A verbatim string's text, after its three letters and the colon.
pub(super) fn without_form(text: &[u8]) -> &[u8] {
    text.get(4..).unwrap_or(text)
}
