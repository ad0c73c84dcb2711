//! Adds what a process counts of its databases to the figures of the fleet, at an interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::client_metrics::{COUNTERS, ClientProcess, ConnectionUse, PROCESS, growth};
use crate::random::random;
use crate::{
    Clock, Databases, Error, ErrorKind, Result, Role, SetOptions, SystemClock, Timestamp,
    TrafficSnapshot,
};

/// How often a process publishes.
const EVERY: Duration = Duration::from_secs(10);
/// After this many missed intervals a process is no longer listed.
const MISSED: u32 = 3;

/// How a process publishes its figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublisherOptions {
    /// How often; default 10 s.
    pub every: Duration,
    /// The clock; by default the system's.
    pub clock: Arc<dyn Clock>,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self { every: EVERY, clock: Arc::new(SystemClock) }
    }
}

impl PublisherOptions {
    /// Sets how often.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// Publishes the counters of all databases of a process in the map's database of the role `metrics`, until it is
/// dropped. It keeps the databases open.
///
/// Each time costs two small requests for every counter that has grown. A metrics database that is away loses counts,
/// and disturbs nothing else.
///
/// ```
/// use compartment_core::metrics::{ClientMetricsPublisher, PublisherOptions};
/// use compartment_core::{Databases, Result};
///
/// async fn serve(databases: &Databases) -> Result<()> {
///     let publisher = ClientMetricsPublisher::start(databases, PublisherOptions::default())?;
///     // … work, with `compartment stats` showing it …
///     publisher.publish().await
/// }
/// ```
#[derive(Debug)]
pub struct ClientMetricsPublisher {
    publication: Arc<Publication>,
    task: AbortHandle,
}

impl Drop for ClientMetricsPublisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Publication {
    databases: Databases,
    options: PublisherOptions,
    /// The name of this process in the metrics database.
    process: String,
    /// When this process began to count.
    started: Timestamp,
    /// The counters at the last addition, by database. Locked for a whole publication: two would add the same growth.
    said: Mutex<BTreeMap<String, TrafficSnapshot>>,
}

impl ClientMetricsPublisher {
    /// Starts publishing. The first time is one interval from now.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] if the map has no database of the role `metrics`; [`ErrorKind::Configuration`] outside
    /// of a tokio runtime, and for an interval of zero.
    pub fn start(databases: &Databases, options: PublisherOptions) -> Result<Self> {
        databases.role(Role::Metrics)?;
        let wrong = |what| Error::new(ErrorKind::Configuration, "publish metrics", what);
        if options.every.is_zero() {
            return Err(wrong("the interval is zero"));
        }
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| wrong("call this inside of a tokio runtime"))?;
        let publication = Arc::new(Publication {
            databases: databases.clone(),
            started: options.clock.now(),
            options,
            process: format!("{:x}", random()),
            said: Mutex::default(),
        });
        let task = runtime.spawn(publish_regularly(Arc::clone(&publication))).abort_handle();
        Ok(Self { publication, task })
    }

    /// Publishes now. Call it at the end of `main`, so that the last seconds count too.
    ///
    /// # Errors
    /// The metrics database's.
    pub async fn publish(&self) -> Result<()> {
        self.publication.publish().await
    }
}

async fn publish_regularly(publication: Arc<Publication>) {
    loop {
        publication.options.clock.sleep(publication.options.every).await;
        if let Err(error) = publication.publish().await {
            tracing::debug!(%error, "the counters of this process could not be published");
        }
    }
}

impl Publication {
    async fn publish(&self) -> Result<()> {
        let metrics = self.databases.role(Role::Metrics)?;
        let mut said = self.said.lock().await;
        let at = self.options.clock.now();
        // The repeatable request first: an unavailable database is noticed before anything is added.
        let state = PROCESS.codec().encode(&self.state(at.as_millis()))?;
        let key = PROCESS.key(&[&self.process])?;
        let expiring = SetOptions::expiring(self.options.every.saturating_mul(MISSED));
        metrics.key_value().set(key.as_str(), state, expiring).await?;
        for database in self.databases.iter() {
            let (name, now) = (database.name(), database.traffic().snapshot());
            let before = said.get(name).copied();
            let grown = growth(before.unwrap_or_default(), now);
            if grown.is_empty() {
                continue;
            }
            if before.is_none() {
                COUNTERS.begin(metrics, name, self.started).await?;
            }
            // A failure from here on loses counts rather than counting them twice.
            said.insert(name.to_owned(), now);
            COUNTERS.add(metrics, name, at, grown.clone(), grown).await?;
        }
        Ok(())
    }

    fn state(&self, at_ms: u64) -> ClientProcess {
        let mut connections: BTreeMap<String, ConnectionUse> = BTreeMap::new();
        for database in self.databases.iter() {
            let instance = database.contract().placement.instance();
            let max = self.databases.map().instances().get(instance);
            let max = max.map_or(0, |instance| u64::from(instance.max_connections));
            let used = connections.entry(instance.to_owned()).or_default();
            *used = ConnectionUse::new(used.taken + database.traffic().snapshot().connections, max);
        }
        connections.retain(|_, used| used.taken > 0);
        ClientProcess { pid: std::process::id(), at_ms, connections }
    }
}
