//! Redis servers of one test's own: standalone, a cluster, a Sentinel group.

mod cluster;
mod process;
mod sentinel;
mod test_redis;
mod tls;

pub use cluster::TestCluster;
pub use sentinel::TestSentinel;
pub use test_redis::{TestRedis, TestRedisBuilder};
pub use tls::TlsCertificates;
