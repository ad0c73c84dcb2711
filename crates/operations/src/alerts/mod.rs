//! Alerts: checks of health that stay bad become alerts, which go to a webhook, a program or the log.
//!
//! [`Alerting`] decides and touches nothing; [`Deliverer`] delivers, in tasks of its own.

mod alert;
mod alerting;
mod command;
mod delivery;
mod webhook;

pub use alert::{Alert, AlertState};
pub use alerting::Alerting;
pub use delivery::{Deliverer, TOKEN_VARIABLE};
