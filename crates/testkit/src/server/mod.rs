//! Servers for a single test: Redis standalone, as a cluster and with Sentinel; PostgreSQL.

mod cluster;
mod postgres;
mod process;
mod program;
mod sentinel;
mod slot_move;
mod test_redis;
mod tls;

pub use cluster::TestCluster;
pub use postgres::TestPostgres;
pub use program::{SERVER_VARIABLE, ServerProgram};
pub use sentinel::TestSentinel;
pub use slot_move::SlotMove;
pub use test_redis::{TestRedis, TestRedisBuilder};
pub use tls::TlsCertificates;
