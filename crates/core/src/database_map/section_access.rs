//! A reader and a setter for each section of a map that holds settings.

use super::{
    AlertSettings, CacheSettings, DatabaseMap, DatabaseMapBuilder, DocumentsSettings,
    FrontSettings, HealthSettings, HousekeepingSettings, LedgerSettings, Roles, WarmingSettings,
    WorkerSettings,
};

impl DatabaseMap {
    /// The settings of `[cache]`, for every cache.
    #[must_use]
    pub fn cache(&self) -> &CacheSettings {
        &self.sections.cache
    }

    /// The settings of `[warming]`.
    #[must_use]
    pub fn warming(&self) -> &WarmingSettings {
        &self.sections.warming
    }

    /// The settings of `[worker]`, for every worker.
    #[must_use]
    pub fn worker(&self) -> &WorkerSettings {
        &self.sections.worker
    }

    /// The settings of `[documents]`.
    #[must_use]
    pub fn documents(&self) -> &DocumentsSettings {
        &self.sections.documents
    }

    /// The databases by role.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.sections.roles
    }

    /// The thresholds of `[health]`.
    #[must_use]
    pub fn health(&self) -> &HealthSettings {
        &self.sections.health
    }

    /// The settings of `[alerts]`.
    #[must_use]
    pub fn alerts(&self) -> &AlertSettings {
        &self.sections.alerts
    }

    /// The settings of `[housekeeping]`.
    #[must_use]
    pub fn housekeeping(&self) -> &HousekeepingSettings {
        &self.sections.housekeeping
    }

    /// The settings of `[front]`.
    #[must_use]
    pub fn front(&self) -> &FrontSettings {
        &self.sections.front
    }

    /// The settings of `[ledger]`.
    #[must_use]
    pub fn ledger(&self) -> &LedgerSettings {
        &self.sections.ledger
    }
}

impl DatabaseMapBuilder {
    /// Sets the settings of every cache.
    #[must_use]
    pub fn cache(mut self, settings: CacheSettings) -> Self {
        self.sections.cache = settings;
        self
    }

    /// Sets which documents `compartment warm` reads.
    #[must_use]
    pub fn warming(mut self, settings: WarmingSettings) -> Self {
        self.sections.warming = settings;
        self
    }

    /// Sets the settings of every worker.
    #[must_use]
    pub fn worker(mut self, settings: WorkerSettings) -> Self {
        self.sections.worker = settings;
        self
    }

    /// Sets the services that read documents.
    #[must_use]
    pub fn documents(mut self, settings: DocumentsSettings) -> Self {
        self.sections.documents = settings;
        self
    }

    /// Sets the settings of the ledger.
    #[must_use]
    pub fn ledger(mut self, settings: LedgerSettings) -> Self {
        self.sections.ledger = settings;
        self
    }

    /// Sets the thresholds of `compartment health`.
    #[must_use]
    pub fn health(mut self, settings: HealthSettings) -> Self {
        self.sections.health = settings;
        self
    }

    /// Sets when checks become alerts, and where alerts go.
    #[must_use]
    pub fn alerts(mut self, settings: AlertSettings) -> Self {
        self.sections.alerts = settings;
        self
    }

    /// Sets how house is kept.
    #[must_use]
    pub fn housekeeping(mut self, settings: HousekeepingSettings) -> Self {
        self.sections.housekeeping = settings;
        self
    }

    /// Sets where the front listens, who may use it, and where each key lives.
    #[must_use]
    pub fn front(mut self, settings: FrontSettings) -> Self {
        self.sections.front = settings;
        self
    }

    /// Sets the databases by role.
    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.sections.roles = roles;
        self
    }
}
