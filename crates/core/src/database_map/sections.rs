//! The sections of a map that hold settings, and not databases.

use super::alerts::AlertSettings;
use super::cache::CacheSettings;
use super::documents::DocumentsSettings;
use super::front::FrontSettings;
use super::health::HealthSettings;
use super::housekeeping::HousekeepingSettings;
use super::ledger::LedgerSettings;
use super::roles::Roles;
use super::warming::WarmingSettings;
use super::worker::WorkerSettings;

/// The settings of a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sections {
    pub(super) cache: CacheSettings,
    pub(super) warming: WarmingSettings,
    pub(super) worker: WorkerSettings,
    pub(super) documents: DocumentsSettings,
    pub(super) ledger: LedgerSettings,
    pub(super) health: HealthSettings,
    pub(super) alerts: AlertSettings,
    pub(super) housekeeping: HousekeepingSettings,
    pub(super) roles: Roles,
    pub(super) front: FrontSettings,
}
