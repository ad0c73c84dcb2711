//! The work of each tool, a file for each subject.

pub(crate) mod arguments;
mod cache;
mod changes;
mod databases;
mod explain;
mod keys;
pub(crate) mod results;
mod separation;
mod wellness;
mod work;

use rmcp::model::{CallToolResult, JsonObject};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::{Answer, Problem, complete};
use crate::caller::Called;
use crate::serving::Serving;

/// Calls the tool of that name, which the catalog has.
pub(crate) async fn call(
    server: &Serving,
    name: &str,
    arguments: JsonObject,
    called: &Called,
) -> Answer<CallToolResult> {
    let say = |answer: Said| Ok(complete(&answer.0, &answer.1, server.secrets()));
    match name {
        "list_databases" => say(databases::list(server, read(arguments)?).await?),
        "database_stats" => say(databases::figures(server, read(arguments)?).await?),
        "monitor_memory_usage" => say(databases::memory(server, read(arguments)?).await?),
        "analyze_keys" => say(keys::analysis(server, read(arguments)?).await?),
        "explain_key" => say(explain::explain(server, read(arguments)?).await?),
        "health_check" => say(wellness::health(server, read(arguments)?).await?),
        "doctor" => say(wellness::doctor(server, read(arguments)?).await?),
        "cache_stats" => say(cache::figures(server, read(arguments)?).await?),
        "batch_progress" => say(work::batches(server, read(arguments)?).await?),
        "list_tasks" => say(work::tasks(server, read(arguments)?).await?),
        "plan_separation" => say(separation::propose(server, read(arguments)?).await?),
        name => say(changes::call(server, name, arguments, called).await?),
    }
}

/// A new report of that kind; `None` for a kind that is not there.
pub(crate) async fn report(server: &Serving, kind: &str) -> Option<Answer<Value>> {
    let made = match kind {
        "health" => wellness::health(server, arguments::Nothing {}).await,
        "doctor" => wellness::doctor(server, arguments::Nothing {}).await,
        _ => return None,
    };
    Some(made.map(|said| said.1))
}

/// A sentence for people, and the fields.
pub(crate) struct Said(pub(crate) String, pub(crate) Value);

impl Said {
    /// An answer with these fields.
    pub(crate) fn new<T: Serialize>(sentence: impl Into<String>, fields: &T) -> Answer<Self> {
        Ok(Self(sentence.into(), serde_json::to_value(fields)?))
    }
}

/// Reads the arguments of a tool.
pub(crate) fn read<T: DeserializeOwned>(arguments: JsonObject) -> Answer<T> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        Problem(format!(
            "the arguments are wrong: {error}; the tool's input schema has their names"
        ))
    })
}
