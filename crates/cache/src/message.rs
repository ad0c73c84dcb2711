//! Messages between the caches of a fleet, as bytes.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::second::envelope::is_too_long;
use crate::stamps::Stamp;

/// The first byte; it changes with the layout.
const VERSION: u8 = 1;
const KEY: u8 = 0;
const STAMP: u8 = 1;

/// One announcement to other processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A key was written or removed, or its load ended without a result.
    Key(String),
    /// A stamp has a new number.
    Stamp(Arc<str>, Stamp),
}

/// The announcements of one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The sender; a process ignores its own messages.
    pub(crate) sender: u64,
    pub(crate) news: Vec<News>,
}

impl Message {
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(16 + self.news.len() * 64);
        bytes.put_u8(VERSION);
        bytes.put_u64_le(self.sender);
        for news in &self.news {
            let (kind, name, stamp) = match news {
                News::Key(key) => (KEY, key.as_str(), None),
                News::Stamp(name, stamp) => (STAMP, &**name, Some(*stamp)),
            };
            bytes.put_u8(kind);
            bytes.put_u32_le(u32::try_from(name.len()).unwrap_or(u32::MAX));
            bytes.put_slice(name.as_bytes());
            if let Some(stamp) = stamp {
                bytes.put_slice(&stamp.to_bytes());
            }
        }
        bytes.freeze()
    }

    /// Decodes a message; `None` if this version cannot read it. The receiver must then distrust its first tier,
    /// because the content is unknown.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, rest) = bytes.split_first()? else { return None };
        let (sender, mut rest) = rest.split_first_chunk()?;
        let mut news = Vec::new();
        while let Some((&kind, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (name, after) = after.split_at_checked(length)?;
            let name = std::str::from_utf8(name).ok()?;
            rest = match kind {
                KEY => {
                    news.push(News::Key(name.to_owned()));
                    after
                }
                STAMP if is_too_long(name) => return None,
                STAMP => {
                    let (stamp, after) = after.split_at_checked(Stamp::BYTES)?;
                    news.push(News::Stamp(name.into(), Stamp::read(stamp)?));
                    after
                }
                _ => return None,
            };
        }
        Some(Self { sender: u64::from_le_bytes(*sender), news })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn news() -> impl Strategy<Value = News> {
        prop_oneof![
            ".{0,40}".prop_map(News::Key),
            (".{0,40}", any::<u64>(), any::<bool>()).prop_map(|(name, token, no_cache)| {
                News::Stamp(name.into(), Stamp { token, no_cache })
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_message_reads_back(sender: u64, news in prop::collection::vec(news(), 0..8)) {
            let message = Message { sender, news };
            prop_assert_eq!(Message::read(&message.to_bytes()), Some(message));
        }

        #[test]
        fn any_bytes_are_a_message_or_nothing(mut bytes: Vec<u8>, marked: bool) {
            if marked {
                bytes.insert(0, VERSION);
            }
            let _ = Message::read(&bytes);
        }
    }
}
