//! The parts of a [`DatabaseMap`](crate::DatabaseMap): servers, their addresses, and the settings of caches and ledgers.

pub use compartment_core::{
    AlertSettings, Bounds, ByEnvironment, CacheBounds, CacheSettings, HealthSettings, Host,
    HousekeepingSettings, Instance, InstanceUrl, KeyRule, LedgerAddress, LedgerSettings,
    Overridden, PolicyRule, Previous, Role, Roles, Scheme, TlsFiles, TtlByEnvironment,
    WarmingSettings, Webhook, WorkerSettings,
};
