//! Sends an alert to a webhook: one POST of JSON, without following redirects.

use std::time::Duration;

use compartment::database_map::Webhook;
use compartment_https::{Call, Endpoint, NoAnswer};

use super::Alert;
use crate::{OperationsError, Result};

/// Why an alert did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotSent {
    pub(super) why: String,
    /// Whether another attempt may succeed.
    pub(super) is_worth_another: bool,
}

/// The way to a webhook.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    endpoint: Endpoint,
    /// The address without its path, which may be a secret.
    pub(super) shown: String,
}

impl Sender {
    /// # Errors
    /// [`OperationsError::Configuration`] for an address or a token that cannot be used.
    pub(super) fn new(webhook: &Webhook, token: Option<&str>, timeout: Duration) -> Result<Self> {
        let shown = webhook.to_string();
        let endpoint = Endpoint::new(webhook.url(), token, timeout).map_err(|error| {
            OperationsError::Configuration(format!("alerts.webhook {shown}: {error}"))
        })?;
        Ok(Self { endpoint, shown })
    }

    /// Sends an alert once.
    pub(super) async fn send(&self, alert: &Alert) -> Result<(), NotSent> {
        let call = Call::post("", "application/json", alert.as_json().to_string());
        let again = |why: String| NotSent { why, is_worth_another: true };
        let answer = self.endpoint.tell(call).await.map_err(|error| match error {
            NoAnswer::TimedOut(limit) => again(format!("no answer within {}", crate::time(limit))),
            other => again(other.to_string()),
        })?;
        if answer.status.is_success() {
            return Ok(());
        }
        let why = format!("it answers {}", answer.status);
        Err(NotSent { why, is_worth_another: answer.is_worth_another() })
    }
}
