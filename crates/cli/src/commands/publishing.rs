//! Publishes what a command counts of its databases, for `stats` and `health`, and ends the command's work on them.

use std::time::Duration;

use compartment::Databases;
use compartment::metrics::{ClientMetricsPublisher, PublisherOptions};

/// How long the last counts may take.
const LAST_COUNTS: Duration = Duration::from_secs(2);

/// How long unfinished work may take, such as the return of a lock whose request was dropped on the way. Without an
/// answer until then, the lock is free when its lease ends.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Publishes until it is ended or dropped. A map without a metrics database gets no figures.
pub(super) struct Publishing {
    databases: Databases,
    publisher: Option<ClientMetricsPublisher>,
}

impl Publishing {
    pub(super) fn start(databases: &Databases) -> Self {
        let publisher = ClientMetricsPublisher::start(databases, PublisherOptions::default()).ok();
        Self { databases: databases.clone(), publisher }
    }

    /// Finishes the work on the databases that nobody waits for, and publishes the last counts. A database that is away
    /// is not waited for.
    pub(super) async fn end(self) {
        if let Err(error) = self.databases.close(LAST_WORK).await {
            tracing::warn!(%error, "some work was not finished in time");
        }
        let Some(publisher) = self.publisher else { return };
        match tokio::time::timeout(LAST_COUNTS, publisher.publish()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the last counts were not published"),
            Err(_) => tracing::debug!("the last counts were not published in time"),
        }
    }
}
