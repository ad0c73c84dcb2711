//! Figures of all processes of a fleet: requests, bytes, latency and lock time-outs of each database.

pub use compartment_core::Latencies;
pub use compartment_core::metrics::{
    ClientMetrics, ClientMetricsPublisher, ClientProcess, ConnectionUse, PublisherOptions,
};
