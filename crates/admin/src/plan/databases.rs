//! Chooses a database of the map for a purpose.

use compartment_core::{Contract, DatabaseKind, DatabaseMap};

use crate::Purpose;

/// Usual names of databases for a purpose, the best first.
fn names(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Broker => &["broker", "queue", "queues", "jobs", "tasks"],
        Purpose::Results => &["results", "result"],
        Purpose::Cache => &["cache", "caches"],
        Purpose::Sessions => &["sessions", "session"],
        Purpose::RateLimit => &["rate_limit", "rate-limit", "ratelimit", "limits"],
        Purpose::Locks => &["locks", "lock"],
        Purpose::Batch => &["batch", "batches"],
        Purpose::Metrics => &["metrics", "stats", "analytics"],
        Purpose::Knowledge => &["knowledge", "documents", "vectors"],
        Purpose::Conversations => &["conversations", "main"],
        Purpose::Bus => &["bus", "channels"],
        Purpose::Unknown => &[],
    }
}

/// The kind of database for a purpose, if a single database of that kind is enough to choose it.
fn kind(purpose: Purpose) -> Option<DatabaseKind> {
    match purpose {
        Purpose::Cache => Some(DatabaseKind::Cache),
        Purpose::RateLimit | Purpose::Locks => Some(DatabaseKind::Coordination),
        _ => None,
    }
}

/// The database for a purpose: by its name, otherwise the only one of the purpose's kind.
pub(super) fn database_for(purpose: Purpose, map: &DatabaseMap) -> Option<&Contract> {
    if let Some(found) = names(purpose).iter().find_map(|name| map.database(name)) {
        return Some(found);
    }
    let kind = kind(purpose)?;
    let mut fitting = map.databases().iter().filter(|contract| contract.kind == kind);
    fitting.next().filter(|_| fitting.next().is_none())
}

/// The purpose and database that the words of a pattern suggest for keys without a known producer.
pub(super) fn suggested<'a>(
    patterns: &[String],
    map: &'a DatabaseMap,
) -> Option<(Purpose, &'a Contract)> {
    let text = patterns.join(" ").to_ascii_lowercase();
    // Text in braces is a placeholder, not a word.
    let outside = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, after)| after));
    let joined = outside.collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = joined.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let says = |options: &[&str]| words.iter().any(|word| options.contains(word));
    let purpose = if says(&["cache", "cached", "caches"]) {
        Purpose::Cache
    } else if says(&["session", "sessions", "sess"]) {
        Purpose::Sessions
    } else if says(&["rate", "ratelimit", "limit", "limiter", "throttle"]) {
        Purpose::RateLimit
    } else if says(&["lock", "locks", "mutex"]) {
        Purpose::Locks
    } else if says(&["metric", "metrics", "stat", "stats", "counter", "counters"]) {
        Purpose::Metrics
    } else if says(&["batch", "batches"]) {
        Purpose::Batch
    } else if says(&["result", "results"]) {
        Purpose::Results
    } else {
        Purpose::Unknown
    };
    if let Some(contract) = database_for(purpose, map) {
        return Some((purpose, contract));
    }
    // A word that is the name of a database: `prompts:…`.
    let named = |contract: &&Contract| {
        let one = contract.name.strip_suffix('s').unwrap_or(&contract.name);
        words.iter().any(|word| *word == contract.name || (one.len() > 3 && *word == one))
    };
    map.databases().iter().find(named).map(|contract| (Purpose::Unknown, contract))
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment_core::Preset;

    #[test]
    fn purposes_find_their_database_in_both_presets() {
        let pipeline = DatabaseMap::preset(Preset::Pipeline, "redis://h").unwrap();
        let assistant = DatabaseMap::preset(Preset::Assistant, "redis://h").unwrap();
        let found = |purpose, map| database_for(purpose, map).map(|one| one.name.as_str());
        assert_eq!(found(Purpose::Broker, &pipeline), Some("broker"));
        assert_eq!(found(Purpose::Locks, &pipeline), Some("rate_limit"));
        assert_eq!(found(Purpose::Sessions, &pipeline), None);
        assert_eq!(found(Purpose::Knowledge, &assistant), Some("knowledge"));
        assert_eq!(found(Purpose::Metrics, &assistant), Some("analytics"));
        assert_eq!(found(Purpose::Conversations, &assistant), Some("main"));
        let guess = |pattern: &str, map| {
            suggested(&[pattern.to_owned()], map).map(|(_, one)| one.name.as_str())
        };
        assert_eq!(guess("app:cache:{id}", &pipeline), Some("cache"));
        assert_eq!(guess("prompt:{uuid}", &assistant), Some("prompts"));
        assert_eq!(guess("ratelimit:{int}", &pipeline), Some("rate_limit"));
        assert_eq!(guess("doc:{cache}:text", &pipeline), None);
    }
}
