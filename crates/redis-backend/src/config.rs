//! The settings of a connection to one instance.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Clock, Instance, InstanceUrl, Result, TlsFiles};

/// The settings of a [`crate::RedisBackend`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisConfig {
    /// The addresses of the server, its sentinels or its cluster's nodes.
    pub url: InstanceUrl,
    /// The maximum number of connections of this backend, for all its databases together.
    pub max_connections: u32,
    /// Connections of each database. Small requests of many tasks are pipelined over the first, which is faster than
    /// a pool and than two. The others are for large requests and scans, so that these do not delay small ones.
    pub connections_per_database: u32,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long one answer may take.
    pub response_timeout: Duration,
    /// How often a request that may be repeated is repeated.
    pub retries: u32,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// How often the number of keys of a database with a memory budget is read, so that writes of other programs
    /// are noticed before they exceed it. `None` measures such databases every ten seconds only, which suits a fleet
    /// whose writers all use this library.
    pub budget_poll: Option<Duration>,
    /// A clock for locks and limits instead of the server's; for tests.
    pub clock: Option<Arc<dyn Clock>>,
}

impl RedisConfig {
    /// The settings for `instance` if `databases` databases are opened on it.
    #[must_use]
    pub fn for_instance(instance: &Instance, databases: usize) -> Self {
        let share = instance.max_connections / u32::try_from(databases.max(1)).unwrap_or(u32::MAX);
        Self {
            url: instance.url.clone(),
            max_connections: instance.max_connections,
            connections_per_database: share.clamp(1, 2),
            connect_timeout: instance.connect_timeout,
            response_timeout: instance.response_timeout,
            retries: instance.retries,
            tls: instance.tls.clone(),
            budget_poll: None,
            clock: None,
        }
    }

    /// Checks the settings against the bounds of an [`Instance`].
    pub(crate) fn check(&self) -> Result<()> {
        let mut instance = Instance::new("memory://")?;
        instance.max_connections = self.max_connections;
        instance.connect_timeout = self.connect_timeout;
        instance.response_timeout = self.response_timeout;
        instance.retries = self.retries;
        instance.check()
    }
}
