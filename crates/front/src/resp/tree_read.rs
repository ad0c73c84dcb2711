//! Reading a reply of a server into a tree.

use bytes::Bytes;

use super::Tree;

/// How deep values may lie in each other. Redis's own deepest answer, that of `COMMAND`, has 9 levels.
const MAX_DEPTH: usize = 128;

/// For how many values room is made before the first was read: a server may say any number.
const MAX_ROOM: usize = 1_024;

/// Bytes that are no reply of Redis's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// No value begins with this byte.
    Kind(u8),
    /// A number or a length is none, or is out of bounds.
    Number,
    /// A string is not followed by a line's end.
    End,
    /// Values lie deeper in each other than 128 levels.
    Depth,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(byte) => write!(f, "no reply begins with the byte 0x{byte:02x}"),
            Self::Number => f.write_str("a number or a length in the reply is not valid"),
            Self::End => f.write_str("a string in the reply does not end where its length says"),
            Self::Depth => write!(f, "the reply has more than {MAX_DEPTH} levels"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Tree {
    /// Reads the reply that the bytes begin with, and says how many bytes it took. Attributes are skipped.
    /// Nothing if the reply is not complete yet.
    ///
    /// # Errors
    ///
    /// If the bytes are no reply: the connection can then not be used any further.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut reader = Reader { bytes, at: 0 };
        match reader.value(0) {
            Ok(tree) => Ok(Some((tree, reader.at))),
            Err(Stop::Incomplete) => Ok(None),
            Err(Stop::Malformed(malformed)) => Err(malformed),
        }
    }
}

/// Why reading stopped.
enum Stop {
    Incomplete,
    Malformed(Malformed),
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Tree, Stop> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Depth.into());
        }
        loop {
            let kind = *self.bytes.get(self.at).ok_or(Stop::Incomplete)?;
            self.at += 1;
            if kind == b'|' {
                // An attribute says something about the value after it.
                let _ = self.map(depth)?;
                continue;
            }
            return self.of_kind(kind, depth);
        }
    }

    fn of_kind(&mut self, kind: u8, depth: usize) -> Result<Tree, Stop> {
        Ok(match kind {
            b'+' => Tree::Simple(Bytes::copy_from_slice(self.line()?)),
            b'-' => Tree::Error(Bytes::copy_from_slice(self.line()?)),
            b',' => Tree::Double(Bytes::copy_from_slice(self.line()?)),
            b'(' => Tree::BigNumber(Bytes::copy_from_slice(self.line()?)),
            b':' => Tree::Integer(self.number()?),
            b'$' => self.blob()?.map_or(Tree::Null, Tree::Bulk),
            b'=' => self.blob()?.map_or(Tree::Null, Tree::Verbatim),
            b'!' => self.blob()?.map_or(Tree::Null, Tree::BlobError),
            b'*' => self.values(depth)?.map_or(Tree::NullArray, Tree::Array),
            b'~' => self.values(depth)?.map_or(Tree::NullArray, Tree::Set),
            b'>' => self.values(depth)?.map_or(Tree::NullArray, Tree::Push),
            b'%' => Tree::Map(self.map(depth)?),
            b'_' => {
                let _ = self.line()?;
                Tree::Null
            }
            b'#' => match self.line()? {
                b"t" => Tree::Boolean(true),
                b"f" => Tree::Boolean(false),
                _ => return Err(Malformed::Number.into()),
            },
            other => return Err(Malformed::Kind(other).into()),
        })
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::Incomplete)?;
        self.at += end + 2;
        Ok(rest.get(..end).unwrap_or_default())
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let line = std::str::from_utf8(self.line()?).map_err(|_| Malformed::Number)?;
        Ok(line.parse().map_err(|_| Malformed::Number)?)
    }

    /// A length or a count. Nothing for -1.
    fn length(&mut self) -> Result<Option<usize>, Stop> {
        match self.number()? {
            -1 => Ok(None),
            length => Ok(Some(usize::try_from(length).map_err(|_| Malformed::Number)?)),
        }
    }

    fn blob(&mut self) -> Result<Option<Bytes>, Stop> {
        let Some(length) = self.length()? else { return Ok(None) };
        let end = self.at.checked_add(length).ok_or(Malformed::Number)?;
        let blob = self.bytes.get(self.at..end).ok_or(Stop::Incomplete)?;
        let after = self.bytes.get(end..end.saturating_add(2)).ok_or(Stop::Incomplete)?;
        if after != b"\r\n" {
            return Err(Malformed::End.into());
        }
        self.at = end + 2;
        Ok(Some(Bytes::copy_from_slice(blob)))
    }

    fn values(&mut self, depth: usize) -> Result<Option<Vec<Tree>>, Stop> {
        let Some(count) = self.length()? else { return Ok(None) };
        let mut values = Vec::with_capacity(self.room(count));
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(Some(values))
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Tree, Tree)>, Stop> {
        let count = self.length()?.ok_or(Malformed::Number)?;
        let mut pairs = Vec::with_capacity(self.room(count));
        for _ in 0..count {
            pairs.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(pairs)
    }

    /// Room for as many values, but for no more than the bytes that are there can hold: each takes three.
    fn room(&self, count: usize) -> usize {
        count.min((self.bytes.len() - self.at) / 3).min(MAX_ROOM)
    }
}
