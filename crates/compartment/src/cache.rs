//! A typed read-through cache: see [`compartment_cache`].

pub use compartment_cache::{
    BoxError, BreakerState, Cache, CacheMetrics, CacheOptions, CachePolicy, Cached, Delivery,
    FleetMetrics, LoadError, Loaded, Lookup, ProcessMetrics, SharedError, Stored, TemplateMetrics,
    WarmOptions, WarmReport,
};
