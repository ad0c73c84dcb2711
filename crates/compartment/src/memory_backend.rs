//! The stores in process: see [`compartment_memory`].

pub use compartment_memory::{ENTRY_OVERHEAD, MemoryBackend, MemoryConfig};
