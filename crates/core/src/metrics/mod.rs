//! Figures of all processes of a fleet, added up in the database `metrics`.
//!
//! A process publishes what it counts with [`ClientMetricsPublisher`]; anybody reads the sum with
//! [`ClientMetrics::read`]. [`FleetCounters`] is the form in which such figures are stored, for libraries that have
//! more of them, such as the cache.

mod client_metrics;
mod fleet_counters;
#[cfg(feature = "tokio")]
mod publisher;

pub use client_metrics::{ClientMetrics, ClientProcess, ConnectionUse};
pub use fleet_counters::{Additions, FleetCounters, FleetCounts, LONGEST_WINDOW, list_processes};
#[cfg(feature = "tokio")]
pub use publisher::{ClientMetricsPublisher, PublisherOptions};
