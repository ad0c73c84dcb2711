//! Publishes what a command counts of its databases, for `stats` and `health`.

use std::time::Duration;

use compartment::Databases;
use compartment::metrics::{ClientMetricsPublisher, PublisherOptions};

/// How long the last counts may take.
const LAST_COUNTS: Duration = Duration::from_secs(2);

/// Publishes until it is ended or dropped. A map without a metrics database gets no figures.
pub(super) struct Publishing(Option<ClientMetricsPublisher>);

impl Publishing {
    pub(super) fn start(databases: &Databases) -> Self {
        Self(ClientMetricsPublisher::start(databases, PublisherOptions::default()).ok())
    }

    /// Publishes the last counts. A metrics database that is away is not waited for.
    pub(super) async fn end(self) {
        let Some(publisher) = self.0 else { return };
        match tokio::time::timeout(LAST_COUNTS, publisher.publish()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the last counts were not published"),
            Err(_) => tracing::debug!("the last counts were not published in time"),
        }
    }
}
