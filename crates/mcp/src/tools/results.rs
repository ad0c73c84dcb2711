//! The results of the tools. Lists are cut, and say how many more there are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DatabaseList {
    /// The databases of the map.
    pub(crate) databases: Vec<DatabaseLine>,
    /// The servers.
    pub(crate) instances: Vec<InstanceLine>,
    /// Numbered databases with keys that the map does not name.
    pub(crate) unnamed: Vec<UnnamedLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DatabaseLine {
    pub(crate) name: String,
    /// cache, durable or coordination.
    pub(crate) kind: String,
    pub(crate) instance: String,
    pub(crate) index: u32,
    /// The prefix of its keys; empty where it has an index to itself.
    pub(crate) prefix: String,
    pub(crate) keys: Option<u64>,
    /// Estimated bytes of its keys.
    pub(crate) bytes: Option<u64>,
    pub(crate) default_ttl_seconds: Option<u64>,
    pub(crate) memory_budget_bytes: Option<u64>,
    /// The templates of its keys.
    pub(crate) templates: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InstanceLine {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Why it cannot be reached.
    pub(crate) problem: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UnnamedLine {
    pub(crate) instance: String,
    pub(crate) index: u32,
    pub(crate) keys: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DatabaseFigures {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) keys: Option<u64>,
    /// Whether keys is a count; an estimate where a prefix shares its index.
    pub(crate) keys_are_exact: bool,
    pub(crate) keys_with_ttl: Option<u64>,
    pub(crate) average_ttl_seconds: Option<u64>,
    /// Estimated bytes, with the interval that holds the true sum in 95 of 100 looks.
    pub(crate) bytes: Option<u64>,
    pub(crate) bytes_low: Option<u64>,
    pub(crate) bytes_high: Option<u64>,
    pub(crate) budget_bytes: Option<u64>,
    /// The share of the budget in use, 1 for all.
    pub(crate) budget_used: Option<f64>,
    /// Keys more, or fewer, since the last look.
    pub(crate) grown_keys: Option<i64>,
    pub(crate) grown_bytes: Option<i64>,
    pub(crate) grown_over_seconds: Option<f64>,
    pub(crate) connections: Option<u64>,
    pub(crate) patterns: Vec<PatternLine>,
    pub(crate) biggest_keys: Vec<BigKeyLine>,
    pub(crate) requests_per_second: Option<f64>,
    pub(crate) mean_latency_us: Option<u64>,
    pub(crate) hit_rate: Option<f64>,
    /// Figures that cannot be shown, and why.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PatternLine {
    pub(crate) pattern: String,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BigKeyLine {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MemoryUsage {
    pub(crate) servers: Vec<ServerMemory>,
    pub(crate) databases: Vec<DatabaseMemory>,
    /// Figures that cannot be shown, and why.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServerMemory {
    pub(crate) instance: String,
    pub(crate) node: String,
    pub(crate) used_bytes: Option<u64>,
    /// 0 for no limit.
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) machine_bytes: Option<u64>,
    pub(crate) fragmentation: Option<f64>,
    pub(crate) policy: Option<String>,
    pub(crate) evicted_keys: Option<u64>,
    pub(crate) expired_keys: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DatabaseMemory {
    pub(crate) name: String,
    pub(crate) keys: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) bytes_low: Option<u64>,
    pub(crate) bytes_high: Option<u64>,
    pub(crate) budget_bytes: Option<u64>,
    pub(crate) budget_used: Option<f64>,
    /// With detailed only.
    pub(crate) patterns: Vec<PatternLine>,
    /// With detailed only.
    pub(crate) biggest_keys: Vec<BigKeyLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyAnalysis {
    pub(crate) database: String,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    /// exact, sampled, or unknown where the server does not report sizes.
    pub(crate) measured: String,
    pub(crate) seconds: f64,
    /// The groups, most memory first.
    pub(crate) groups: Vec<GroupLine>,
    pub(crate) more_groups: u64,
    pub(crate) biggest_keys: Vec<BigKeyLine>,
    pub(crate) clients: Vec<ClientLine>,
    pub(crate) more_clients: u64,
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GroupLine {
    pub(crate) name: String,
    /// The program that writes the keys; empty if it is not known.
    pub(crate) producer: String,
    /// Whether the producer is a guess.
    pub(crate) perhaps: bool,
    pub(crate) purpose: String,
    /// The database that the map assigns.
    pub(crate) database: Option<String>,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    pub(crate) keys_with_ttl: u64,
    pub(crate) types: BTreeMap<String, u64>,
    pub(crate) globs: Vec<String>,
    pub(crate) note: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ClientLine {
    pub(crate) who: String,
    pub(crate) connections: u64,
    pub(crate) blocked: u64,
    pub(crate) last_commands: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HealthReport {
    /// ok, warning or critical.
    pub(crate) state: String,
    pub(crate) made: String,
    /// The checks, the worst first.
    pub(crate) checks: Vec<CheckLine>,
    pub(crate) more_checks: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckLine {
    pub(crate) name: String,
    pub(crate) subject: String,
    /// ok, unknown, warning or critical.
    pub(crate) state: String,
    pub(crate) figure: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DoctorReport {
    /// The findings, the most serious first.
    pub(crate) findings: Vec<FindingLine>,
    pub(crate) more_findings: u64,
    /// Parts that could not be looked at, and why.
    pub(crate) unknown: Vec<String>,
    pub(crate) instances: u64,
    pub(crate) databases: u64,
    pub(crate) keys_looked_at: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FindingLine {
    pub(crate) code: String,
    /// notice, warning or critical.
    pub(crate) severity: String,
    pub(crate) instance: String,
    pub(crate) databases: Vec<String>,
    /// Some of the keys.
    pub(crate) keys: Vec<String>,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) cure: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CacheFigures {
    pub(crate) database: String,
    pub(crate) keys: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) budget_bytes: Option<u64>,
    pub(crate) window_seconds: u64,
    /// Reads that were answered from the cache, 0 to 1; null if no program has published any.
    pub(crate) hit_rate: Option<f64>,
    pub(crate) templates: Vec<TemplateLine>,
    pub(crate) more_templates: u64,
    pub(crate) processes: u64,
    pub(crate) invalidations: u64,
    pub(crate) breaker_opened: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TemplateLine {
    pub(crate) template: String,
    pub(crate) hit_rate: Option<f64>,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) loads: u64,
    pub(crate) failed_loads: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BatchReport {
    /// The batches, the newest first; without an argument only.
    pub(crate) batches: Vec<BatchLine>,
    pub(crate) more_batches: u64,
    /// The batch that was asked for.
    pub(crate) batch: Option<BatchDetail>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BatchLine {
    pub(crate) name: String,
    /// open, running, paused, completed or cancelled.
    pub(crate) status: String,
    pub(crate) total: u64,
    pub(crate) done: u64,
    pub(crate) dead: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BatchDetail {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) pipeline: String,
    pub(crate) total: u64,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) stages: Vec<StageLine>,
    /// Failed documents by stage and error code, the largest group first.
    pub(crate) failures: Vec<FailureLine>,
    pub(crate) more_failures: u64,
    pub(crate) running: Vec<RunningLine>,
    pub(crate) more_running: u64,
    /// Documents in progress for more than two minutes.
    pub(crate) stuck: u64,
    /// Stages that no live worker serves.
    pub(crate) unserved_stages: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StageLine {
    pub(crate) stage: String,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) claimed: u64,
    pub(crate) ready: u64,
    pub(crate) delayed: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureLine {
    pub(crate) stage: String,
    pub(crate) code: String,
    pub(crate) example: String,
    pub(crate) documents: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunningLine {
    pub(crate) worker: String,
    pub(crate) document: String,
    pub(crate) stage: String,
    pub(crate) for_seconds: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskReport {
    /// Rows of the ledger.
    pub(crate) tasks: Vec<TaskLine>,
    pub(crate) dead_letters: Vec<DeadLetterLine>,
    /// Whether there may be more: ask again with offset, or a narrower filter.
    pub(crate) may_be_more: bool,
    /// False where no ledger is read: then there are dead letters only.
    pub(crate) has_ledger: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskLine {
    pub(crate) batch: String,
    pub(crate) stage: String,
    pub(crate) number: u64,
    pub(crate) document: Option<String>,
    pub(crate) status: String,
    pub(crate) worker: String,
    pub(crate) retries: u32,
    pub(crate) error: Option<String>,
    pub(crate) took_ms: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeadLetterLine {
    pub(crate) stage: String,
    pub(crate) queue: String,
    pub(crate) id: u64,
    pub(crate) attempts: u32,
    pub(crate) died_ms: u64,
    pub(crate) error: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyExplanation {
    pub(crate) key: String,
    /// Where the key is, or would be by its template.
    pub(crate) places: Vec<KeyPlace>,
    /// Databases that could not be asked, and why.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeyPlace {
    pub(crate) database: String,
    pub(crate) kind: String,
    pub(crate) instance: String,
    pub(crate) index: u32,
    /// Whether the key is there now.
    pub(crate) exists: bool,
    /// The template of the map that its name fits.
    pub(crate) template: Option<String>,
    /// The database that the template assigns; another one means that the key is misplaced.
    pub(crate) belongs_to: Option<String>,
    /// The rule of the database for its keys, in a sentence.
    pub(crate) contract: String,
    /// The program that writes keys of this form; empty if it is not known.
    pub(crate) written_by: String,
    pub(crate) key_type: Option<String>,
    pub(crate) ttl_seconds: Option<i64>,
    pub(crate) bytes: Option<u64>,
    /// The beginning of the value, if it was asked for and may be shown.
    pub(crate) value: Option<String>,
    /// Why the value is not shown.
    pub(crate) value_hidden: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SeparationPlan {
    pub(crate) from: String,
    pub(crate) keys: u64,
    pub(crate) groups: Vec<PlannedGroup>,
    pub(crate) more_groups: u64,
    pub(crate) notes: Vec<String>,
    /// Settings to change in programs when their keys move.
    pub(crate) settings: Vec<String>,
    pub(crate) more_settings: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlannedGroup {
    pub(crate) name: String,
    pub(crate) producer: String,
    pub(crate) purpose: String,
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    /// move: at any time; drain: when its programs are stopped; stay.
    pub(crate) verdict: String,
    /// The database that it would move to.
    pub(crate) to: String,
    pub(crate) globs: Vec<String>,
    /// Groups of one set move together.
    pub(crate) together: String,
    pub(crate) notes: Vec<String>,
}

/// A plan, or what was done.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct ChangeResult {
    /// Whether nothing was changed.
    pub(crate) dry_run: bool,
    /// The plan of a dry run.
    pub(crate) plan: Option<PlanLine>,
    /// What was done.
    pub(crate) done: Option<DoneLine>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanLine {
    /// The id to act on it; null if it is refused.
    pub(crate) plan_id: Option<String>,
    pub(crate) summary: String,
    /// Patterns with counts, queues, stages.
    pub(crate) touches: Vec<String>,
    pub(crate) count: u64,
    pub(crate) server: String,
    /// A digest of everything that was counted.
    pub(crate) digest: String,
    /// Reasons for a refusal.
    pub(crate) refusals: Vec<String>,
    pub(crate) valid_for_seconds: u64,
    /// What to do next.
    pub(crate) next: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DoneLine {
    pub(crate) plan_id: String,
    pub(crate) summary: String,
    pub(crate) count: u64,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) notes: Vec<String>,
}
