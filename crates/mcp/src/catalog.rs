//! The tools: names, descriptions, schemas, annotations, and what each needs.

use std::sync::Arc;

use compartment_operations::changes::Tier;
use rmcp::handler::server::common::schema_for_input;
use rmcp::handler::server::common::schema_for_output;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde_json::Value;

use crate::tools::{arguments as takes, results as gives};

/// What a tool is, and what it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    title: &'static str,
    description: &'static str,
    pub(crate) effect: Effect,
    input: fn() -> Arc<JsonObject>,
    output: fn() -> Arc<JsonObject>,
    /// Commands without which it cannot work on a server.
    pub(crate) needs: &'static [&'static [&'static str]],
}

/// What a tool does to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It reads.
    Reads,
    /// It changes, if one of these tiers is allowed; whether it can lose data.
    Changes(&'static [Tier], bool),
}

impl Definition {
    const fn reads(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        input: fn() -> Arc<JsonObject>,
        output: fn() -> Arc<JsonObject>,
    ) -> Self {
        Self { name, title, description, effect: Effect::Reads, input, output, needs: &[] }
    }

    const fn needs(mut self, commands: &'static [&'static [&'static str]]) -> Self {
        self.needs = commands;
        self
    }

    /// The tool as the protocol lists it.
    pub(crate) fn tool(&self) -> Tool {
        let (reads, destroys) = match self.effect {
            Effect::Reads => (true, false),
            Effect::Changes(_, destroys) => (false, destroys),
        };
        // A plan is acted on once, so that a repeated call changes nothing more.
        let annotations = ToolAnnotations::with_title(self.title)
            .read_only(reads)
            .destructive(destroys)
            .idempotent(true)
            .open_world(false);
        Tool::new(self.name, self.description, (self.input)())
            .with_title(self.title)
            .with_raw_output_schema((self.output)())
            .with_annotations(annotations)
    }
}

fn input<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    without_formats(&schema_for_input::<T>().unwrap_or_default())
}

fn output<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    without_formats(&schema_for_output::<T>())
}

/// The schema without formats such as `uint64`: no standard has them, and clients complain.
fn without_formats(schema: &JsonObject) -> Arc<JsonObject> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if fields.get("format").is_some_and(Value::is_string) {
                    fields.remove("format");
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut schema = Value::Object(schema.clone());
    strip(&mut schema);
    match schema {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::default(),
    }
}

/// How a changing tool is used; the end of its description.
macro_rules! by_plan {
    ($what:literal) => {
        concat!(
            $what,
            " Call it with dry_run true (the default) first: it changes nothing and returns a plan with a plan_id. Show \
             the plan to the user. To act, repeat the same arguments with dry_run false and the plan_id. A plan is valid \
             for five minutes and once; if anything moved, it is refused and a new dry run is needed."
        )
    };
}

const fn changes(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    input: fn() -> Arc<JsonObject>,
) -> Definition {
    let output = output::<gives::ChangeResult>;
    Definition { name, title, description, effect, input, output, needs: &[] }
}

/// Every tool.
pub(crate) const TOOLS: &[Definition] = &[
    Definition::reads(
        "list_databases",
        "List databases",
        "The named databases of this Redis deployment, with kind, place, number of keys, estimated bytes, TTL and memory \
         budget, and numbered databases with keys that have no name.",
        input::<takes::Nothing>,
        output::<gives::DatabaseList>,
    ),
    Definition::reads(
        "database_stats",
        "Figures of one database",
        "Keys, bytes with their interval, growth, budget, connections, patterns and biggest keys of one database, and \
         requests and latency where programs publish them.",
        input::<takes::OfDatabase>,
        output::<gives::DatabaseFigures>,
    ),
    Definition::reads(
        "monitor_memory_usage",
        "Memory in use",
        "Memory of each server against its limit, and of each database against its budget. With detailed true also the \
         patterns and the biggest keys of each database.",
        input::<takes::MonitorMemoryUsage>,
        output::<gives::MemoryUsage>,
    ),
    Definition::reads(
        "analyze_keys",
        "Keys by pattern and program",
        "Walks one database: groups of keys by pattern, the program that writes them, their memory, types and TTLs, and \
         the clients connected. Takes seconds for a million keys.",
        input::<takes::AnalyzeKeys>,
        output::<gives::KeyAnalysis>,
    )
    .needs(&[&["SCAN", "0"]]),
    Definition::reads(
        "health_check",
        "Health",
        "Every check of the servers and of the pipeline's work against its threshold: state, figure, and what to do.",
        input::<takes::Nothing>,
        output::<gives::HealthReport>,
    ),
    Definition::reads(
        "doctor",
        "Findings and cures",
        "Holds the servers against the contracts of their databases, and names the cure of each fault.",
        input::<takes::Nothing>,
        output::<gives::DoctorReport>,
    ),
    Definition::reads(
        "cache_stats",
        "Figures of a cache",
        "Hit rate, loads and templates of one cache as its programs count them, and its size against its budget.",
        input::<takes::CacheStats>,
        output::<gives::CacheFigures>,
    ),
    Definition::reads(
        "batch_progress",
        "Progress of a batch",
        "Stages, failures by error, documents in progress and stuck ones of one batch. Without a batch: the batches there \
         are.",
        input::<takes::BatchProgress>,
        output::<gives::BatchReport>,
    ),
    Definition::reads(
        "list_tasks",
        "Tasks and dead letters",
        "Rows of the ledger and dead letters of queues, filtered by batch, stage, status and error. Their data is not \
         shown.",
        input::<takes::ListTasks>,
        output::<gives::TaskReport>,
    ),
    Definition::reads(
        "explain_key",
        "Explain a key",
        "Says of one key which database, template and contract it belongs to, which program writes it, its type, TTL and \
         memory. Its value is shown only with show_value true, and never where the name speaks of a secret.",
        input::<takes::ExplainKey>,
        output::<gives::KeyExplanation>,
    ),
    Definition::reads(
        "plan_separation",
        "Plan a separation",
        "Proposes a named database for each group of keys of one database, such as index 0, with the reason and the steps \
         before it moves. Changes nothing; migrate_keys moves keys.",
        input::<takes::PlanSeparation>,
        output::<gives::SeparationPlan>,
    )
    .needs(&[&["SCAN", "0"]]),
    changes(
        "cleanup_old_cache",
        "Remove old keys",
        by_plan!("Removes keys of a cache that are older than a number of hours, by TTL or time since the last use."),
        Effect::Changes(&[Tier::Cache, Tier::Keys], true),
        input::<takes::CleanupOldCache>,
    )
    .needs(&[&["EVAL", "return 1", "0"], &["UNLINK", "k"]]),
    changes(
        "set_memory_limit",
        "Set the memory limit",
        by_plan!(
            "Sets maxmemory and maxmemory-policy of a server until it restarts. Refused where the policy could evict keys \
             of a durable database, unless force is true."
        ),
        Effect::Changes(&[Tier::Limits], true),
        input::<takes::SetMemoryLimit>,
    )
    .needs(&[&["CONFIG", "SET", "maxmemory", "0"]]),
    changes(
        "migrate_keys",
        "Move keys",
        by_plan!(
            "Moves keys that match a pattern from one database to another, with a journal by which the move can be taken \
             back. Names that exist in the target stay."
        ),
        Effect::Changes(&[Tier::Keys], true),
        input::<takes::MigrateKeys>,
    )
    .needs(&[&["RESTORE", "k", "0", "v"], &["UNLINK", "k"]]),
    changes(
        "backup_database",
        "Back up a database",
        by_plan!("Writes one database to a new RDB file in the folder for backups. Never replaces a file."),
        Effect::Changes(&[Tier::Backup], false),
        input::<takes::BackupDatabase>,
    )
    .needs(&[&["DUMP", "k"]]),
    changes(
        "flush_database",
        "Remove all keys of a database",
        by_plan!(
            "Removes the keys of one database, or those that match a pattern, for good. A database that is not a cache needs \
             yes_really with the database's name."
        ),
        Effect::Changes(&[Tier::Cache, Tier::Keys], true),
        input::<takes::FlushDatabase>,
    )
    .needs(&[&["UNLINK", "k"]]),
    changes(
        "retry_failed",
        "Retry failed documents",
        by_plan!("Processes the failed documents of a batch again: all, those of one stage, or those with one error."),
        Effect::Changes(&[Tier::Batches], false),
        input::<takes::RetryFailed>,
    )
    .needs(&[&["EVAL", "return 1", "0"]]),
];

/// The tool of that name.
pub(crate) fn tool(name: &str) -> Option<&'static Definition> {
    TOOLS.iter().find(|tool| tool.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_four_annotations_and_both_schemas() {
        assert_eq!(TOOLS.len(), 17);
        for tool in TOOLS.iter().map(Definition::tool) {
            let hints = tool.annotations.unwrap();
            let all = [
                hints.read_only_hint,
                hints.destructive_hint,
                hints.idempotent_hint,
                hints.open_world_hint,
            ];
            assert!(all.iter().all(Option::is_some), "{}", tool.name);
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
            let output = serde_json::to_string(&tool.output_schema).unwrap();
            assert!(
                output.contains(r#""type":"object""#) && !output.contains("uint64"),
                "{output}"
            );
        }
    }

    #[test]
    fn a_change_is_a_dry_run_unless_it_is_said_otherwise() {
        let changing = TOOLS.iter().filter(|tool| tool.effect != Effect::Reads);
        for tool in changing.map(Definition::tool) {
            let properties = &tool.input_schema["properties"];
            assert_eq!(properties["dry_run"]["default"], true, "{}", tool.name);
            assert!(properties.get("plan_id").is_some(), "{}", tool.name);
        }
        let property = |name: &str, field: &str| {
            tool(name).unwrap().tool().input_schema["properties"][field].clone()
        };
        assert_eq!(property("set_memory_limit", "policy")["default"], "allkeys-lru");
        assert_eq!(property("monitor_memory_usage", "detailed")["default"], false);
        let required = |name: &str| tool(name).unwrap().tool().input_schema["required"].clone();
        assert_eq!(required("cleanup_old_cache"), serde_json::json!(["older_than_hours"]));
        assert_eq!(required("set_memory_limit"), serde_json::json!(["max_memory_mb"]));
    }
}
