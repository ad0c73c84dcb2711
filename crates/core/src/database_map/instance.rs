//! One server (or memory), and the settings of its connections.

use std::time::Duration;

use super::problem::wrong;
use super::tls_files::TlsFiles;
use super::url::InstanceUrl;
use crate::Result;

/// One server (or memory) that hosts databases, and the settings of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// The instance's address.
    pub url: InstanceUrl,
    /// The maximum number of connections of this process to the instance, over all its databases;
    /// default 50.
    pub max_connections: u32,
    /// Time limit for opening a connection; default 2 s.
    pub connect_timeout: Duration,
    /// Time limit for one answer; default 5 s. (The 500 ms of redis-rs also expire when this process is
    /// starved of CPU.)
    pub response_timeout: Duration,
    /// How often a safe request is repeated after a transient failure; default 3.
    pub retries: u32,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// The expected `maxmemory` of the server, in bytes; it is checked, not set.
    pub expected_max_memory: Option<u64>,
    /// The expected `maxmemory-policy` of the server; it is checked, not set.
    pub expected_eviction_policy: Option<String>,
}

impl Instance {
    /// An instance at `url` with default settings.
    ///
    /// # Errors
    /// As [`InstanceUrl::parse`].
    pub fn new(url: &str) -> Result<Self> {
        let url = InstanceUrl::parse(url)?;
        Ok(Self {
            tls: url.tls_files(),
            url,
            max_connections: 50,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            retries: 3,
            expected_max_memory: None,
            expected_eviction_policy: None,
        })
    }
}

/// The longest time-out: a day, since nobody waits longer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
const MAX_RETRIES: u32 = 1_000;

impl Instance {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] with the setting and its bounds.
    pub fn check(&self) -> Result<()> {
        for (name, timeout) in
            [("connect_timeout", self.connect_timeout), ("response_timeout", self.response_timeout)]
        {
            if timeout < Duration::from_millis(1) || timeout > LONGEST_TIMEOUT {
                return Err(wrong(format!(
                    "{name} is {timeout:?}; it must be between 1ms and 1day"
                )));
            }
        }
        if self.max_connections == 0 {
            return Err(wrong("max_connections is 0: at least one is needed"));
        }
        if self.retries > MAX_RETRIES {
            return Err(wrong(format!(
                "retries is {}; the maximum is {MAX_RETRIES}",
                self.retries
            )));
        }
        Ok(())
    }
}
