//! Prompts for the usual jobs.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role,
};

/// The longest argument of a prompt, in characters.
const MAX_ARGUMENT: usize = 200;

/// A job: its name, title, one argument with its default, and what to do.
struct Job {
    name: &'static str,
    title: &'static str,
    argument: Option<(&'static str, &'static str)>,
    text: &'static str,
}

const JOBS: [Job; 4] = [
    Job {
        name: "what_fills_my_redis",
        title: "What fills my Redis?",
        argument: None,
        text: "Find out what fills this Redis. Call monitor_memory_usage with detailed true, then analyze_keys for the \
               largest database, and explain_key for its biggest keys. Report each database with its bytes and its share, \
               the patterns and programs behind them, keys without a TTL that should have one, and what could be done, \
               the safest first. Change nothing.",
    },
    Job {
        name: "separate_database",
        title: "Separate a shared database",
        argument: Some(("database", "0")),
        text: "Plan how to take the database {} apart. Read the resource compartment://docs/separate, call plan_separation \
               for it, and doctor for the servers that keys would go to. Report the groups by verdict (move, drain, \
               stay), the programs whose settings change, and the order of steps. If the user agrees to a step, plan it \
               with migrate_keys and show the plan before anything is moved; back up first.",
    },
    Job {
        name: "batch_is_stuck",
        title: "Why is a batch stuck?",
        argument: Some(("batch", "the newest one")),
        text: "Find out why the batch {} does not go on. Call batch_progress without a batch and then for it, list_tasks \
               with status failed and dead, and health_check. Report stages without workers, documents that are stuck, and \
               failures by error with their likely cause. If failed documents can be retried, plan it with retry_failed \
               and show the plan before it is acted on.",
    },
    Job {
        name: "free_memory_safely",
        title: "Free memory safely",
        argument: Some(("how_much", "as much as is safe")),
        text: "Free memory of this Redis: {}. Call monitor_memory_usage with detailed true and doctor first. Prefer, in \
               this order: old keys of caches (cleanup_old_cache), budgets of caches, then keys that the user confirms \
               can go. Never propose to evict or flush a durable database. For each step make a dry run, show its plan \
               with the counts, and act only if the user agrees. Afterwards compare the memory before and after.",
    },
];

/// Every prompt.
pub(crate) fn list() -> Vec<Prompt> {
    let prompt = |job: &Job| {
        let argument = job.argument.map(|(name, default)| {
            vec![
                PromptArgument::new(name)
                    .with_description(format!("{default} if it is not given"))
                    .with_required(false),
            ]
        });
        Prompt::new(job.name, Some(job.title), argument).with_title(job.title)
    };
    JOBS.iter().map(prompt).collect()
}

/// The prompt of that name with its argument.
///
/// # Errors
/// For a name that no prompt has, and for an argument that is no text or too long.
pub(crate) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    let Some(job) = JOBS.iter().find(|job| job.name == request.name) else {
        return Err(ErrorData::invalid_params("there is no prompt of this name", None));
    };
    let text = match job.argument {
        None => job.text.to_owned(),
        Some((name, default)) => {
            let given = request.arguments.as_ref().and_then(|given| given.get(name));
            let given = match given {
                None => default,
                Some(value) => value
                    .as_str()
                    .filter(|text| text.chars().count() <= MAX_ARGUMENT)
                    .ok_or_else(|| {
                    ErrorData::invalid_params(
                        format!("{name} is a text of at most {MAX_ARGUMENT} characters"),
                        None,
                    )
                })?,
            };
            job.text.replace("{}", &compartment_admin::printable(given))
        }
    };
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(job.title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_takes_its_place_in_the_text() {
        let text = |request: &GetPromptRequestParams| {
            let result = get(request).unwrap();
            serde_json::to_value(&result.messages[0].content).unwrap()["text"].to_string()
        };
        let plain = GetPromptRequestParams::new("separate_database");
        assert!(text(&plain).contains("the database 0 apart"));
        let arguments = serde_json::json!({"database": "main\u{202e}"});
        let named = plain.with_arguments(arguments.as_object().unwrap().clone());
        assert!(text(&named).contains("the database main\\\\xe2"));
        assert!(get(&GetPromptRequestParams::new("other")).is_err());
        assert_eq!(list().len(), JOBS.len());
    }
}
