//! The stores on Redis: see [`compartment_redis`].

pub use compartment_redis::{RedisBackend, RedisConfig, ServerInfo, Topology};
