//! The parts of a [`DatabaseMap`](crate::DatabaseMap): servers, their addresses, and the settings of caches and ledgers.

pub use compartment_core::{
    AlertSettings, Bounds, ByEnvironment, CacheBounds, CacheSettings, DocumentsSettings,
    HealthSettings, Host, HousekeepingSettings, Instance, InstanceUrl, KeyRule, LedgerAddress,
    LedgerSettings, ModelSettings, OcrServiceSettings, Overridden, PolicyRule, Previous, Role,
    Roles, Scheme, ServiceUrl, TlsFiles, TtlByEnvironment, WarmingSettings, Webhook,
    WorkerSettings,
};
