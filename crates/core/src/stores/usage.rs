//! The number and size of a database's keys.

use std::fmt;

use async_trait::async_trait;

use crate::Result;

/// Keys and bytes of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Keys, including those that expired and are not removed yet.
    pub keys: u64,
    /// Memory of keys and values in bytes, including the store's overhead.
    pub bytes: u64,
    /// Whether `bytes` was counted; otherwise it is an estimate from a sample of keys.
    pub is_exact: bool,
}

impl Usage {
    /// A usage; for backends.
    #[must_use]
    pub const fn new(keys: u64, bytes: u64, is_exact: bool) -> Self {
        Self { keys, bytes, is_exact }
    }
}

/// Measures one database as a whole, without changing its keys' idle time.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UsageStore: fmt::Debug + Send + Sync + 'static {
    /// Keys and bytes; on Redis the bytes are the mean of a sample times the number of keys.
    async fn usage(&self) -> Result<Usage>;
}
