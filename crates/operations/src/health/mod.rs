//! Every check of a deployment: of its servers, its fleet, and the pipeline's work.

mod fleet;
mod work;

use std::time::Duration;

use compartment_admin::Deployment;
use compartment_admin::health::check_servers;
pub use compartment_admin::health::{Check, Health, HealthState};
use compartment_admin::stats::{Stats, StatsOptions};

use crate::{Operations, Result, StatsReader, time};

impl Operations {
    /// Every check. A server that needs longer than `timeout` for an answer counts as one that does not answer.
    ///
    /// # Errors
    /// [`crate::OperationsError::Configuration`] for a map without a server.
    pub async fn health(&self, timeout: Duration) -> Result<Health> {
        let Ok(deployment) = tokio::time::timeout(timeout, self.deployment()).await else {
            return Ok(Health::of(vec![no_answer(timeout)]));
        };
        let deployment = deployment?;
        let mut reader = StatsReader::new(self);
        let mut options = StatsOptions::default();
        options.is_brief = true;
        match tokio::time::timeout(timeout, reader.servers(&deployment, options)).await {
            Ok(found) => Ok(self.checks(&deployment, &found, timeout).await),
            Err(_) => Ok(Health::of(vec![no_answer(timeout)])),
        }
    }

    /// Every check, for a look that was just taken.
    pub(crate) async fn checks(
        &self,
        deployment: &Deployment,
        found: &Stats,
        timeout: Duration,
    ) -> Health {
        // Boxed, as every reader of figures holds their state.
        let mut checks = Box::pin(check_servers(deployment, found, timeout)).await;
        if deployment.instances.iter().all(|one| one.server.is_ok()) {
            checks.extend(Box::pin(work::check(self, timeout)).await);
        }
        Health::of(checks)
    }
}

fn no_answer(timeout: Duration) -> Check {
    let message = format!(
        "no answer within {}: a server is busy, stopped, or behind a broken network",
        time(timeout)
    );
    Check::new("connection", "all instances", HealthState::Critical, message)
}
