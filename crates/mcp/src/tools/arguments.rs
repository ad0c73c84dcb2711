//! The arguments of the tools. A name that a tool does not have is refused, so that no argument is lost by its spelling.

use schemars::JsonSchema;
use serde::Deserialize;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfDatabase {
    /// The database: a name from list_databases.
    pub(crate) database: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorMemoryUsage {
    /// Also the patterns and the biggest keys of each database.
    #[serde(default)]
    pub(crate) detailed: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnalyzeKeys {
    /// The database: a name from list_databases, or an index of the primary server such as 0.
    pub(crate) database: String,
    /// The most groups to list, up to 100.
    #[serde(default = "groups")]
    pub(crate) limit: u32,
}

fn groups() -> u32 {
    20
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheStats {
    /// The cache database; the first one of the map if it is not given.
    #[serde(default)]
    pub(crate) database: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchProgress {
    /// The batch; without it the batches are listed.
    #[serde(default)]
    pub(crate) batch: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListTasks {
    /// Only tasks of this batch.
    #[serde(default)]
    pub(crate) batch: Option<String>,
    /// Only tasks of this stage.
    #[serde(default)]
    pub(crate) stage: Option<String>,
    /// Only tasks with this status: done, failed, dead or retried.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// Only tasks whose error contains this text.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// The most rows, up to 200.
    #[serde(default = "rows")]
    pub(crate) limit: u32,
    /// How many rows of the ledger to skip.
    #[serde(default)]
    pub(crate) offset: u64,
}

fn rows() -> u32 {
    50
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainKey {
    /// The name of the key. A byte that is not text is written \xNN.
    pub(crate) key: String,
    /// The database to look in; every database of the map if it is not given.
    #[serde(default)]
    pub(crate) database: Option<String>,
    /// Whether to show the beginning of the value.
    #[serde(default)]
    pub(crate) show_value: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanSeparation {
    /// The database to separate: a name from list_databases, or an index of the primary server.
    #[serde(default = "first_index")]
    pub(crate) from: String,
}

fn first_index() -> String {
    "0".to_owned()
}

/// Whether a change is only planned.
fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CleanupOldCache {
    /// The age in hours from which a key is old.
    pub(crate) older_than_hours: f64,
    /// The database; the first cache of the map if it is not given.
    #[serde(default)]
    pub(crate) database: Option<String>,
    /// Only keys whose names match this Redis glob.
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetMemoryLimit {
    /// The limit in MiB.
    pub(crate) max_memory_mb: u64,
    /// The eviction policy.
    #[serde(default = "least_recently_used")]
    pub(crate) policy: String,
    /// The instance of the map; primary, or the only one, if it is not given.
    #[serde(default)]
    pub(crate) instance: Option<String>,
    /// Whether to accept that keys of durable databases may be evicted, and a limit below the memory in use.
    #[serde(default)]
    pub(crate) force: bool,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}

fn least_recently_used() -> String {
    "allkeys-lru".to_owned()
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MigrateKeys {
    /// The database that the keys leave: a name from list_databases, or an index of the primary server.
    pub(crate) from: String,
    /// The database that they go to.
    pub(crate) to: String,
    /// Only keys whose names match this Redis glob.
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupDatabase {
    /// The database: a name from list_databases.
    pub(crate) database: String,
    /// The name of the new file in the folder for backups, such as cache.rdb.
    pub(crate) file: String,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlushDatabase {
    /// The database: a name from list_databases.
    pub(crate) database: String,
    /// Only keys whose names match this Redis glob.
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    /// The database's name again, for a database that is not a cache.
    #[serde(default)]
    pub(crate) yes_really: Option<String>,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryFailed {
    /// The batch.
    pub(crate) batch: String,
    /// Only documents that failed in this stage.
    #[serde(default)]
    pub(crate) stage: Option<String>,
    /// Only documents whose error begins with this text.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// Whether only to plan it.
    #[serde(default = "yes")]
    pub(crate) dry_run: bool,
    /// The id of the plan to act on, with dry_run false.
    #[serde(default)]
    pub(crate) plan_id: Option<String>,
}
