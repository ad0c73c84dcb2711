//! The number and size of a database's keys.

use std::fmt;

use async_trait::async_trait;

use crate::Result;

/// Keys and bytes of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Keys, those expired but not yet removed included.
    pub keys: u64,
    /// Bytes that keys and values take in memory, the store's own overhead included.
    pub bytes: u64,
    /// Whether `bytes` was counted; else it is an estimate from a sample of keys.
    pub is_exact: bool,
}

impl Usage {
    /// A usage as a backend found it.
    #[must_use]
    pub const fn new(keys: u64, bytes: u64, is_exact: bool) -> Self {
        Self { keys, bytes, is_exact }
    }
}

/// Looks at one database as a whole, without touching its keys' idle time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UsageStore: fmt::Debug + Send + Sync + 'static {
    /// Keys and bytes; on Redis the bytes are a sample's mean times the keys.
    async fn usage(&self) -> Result<Usage>;
}
