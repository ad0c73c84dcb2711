//! Django settings.

use compartment::{Contract, DatabaseKind, DatabaseMap};

use super::address::{named, seconds};
use super::python_url;
use crate::exit_code::CliError;

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = python_url::passwords(map)?;
    text.push_str("# settings.py\nCACHES = {\n");
    let sessions = named(map, &["sessions", "session"]);
    let is_sessions = |one: &Contract| sessions.is_some_and(|found| found.name == one.name);
    let caches = map.databases().iter().filter(|one| one.kind == DatabaseKind::Cache);
    let caches = caches.filter(|one| !is_sessions(one)).chain(sessions);
    for (at, contract) in caches.enumerate() {
        let alias = if at == 0 && !is_sessions(contract) { "default" } else { &contract.name };
        text.push_str(&format!(
            "    \"{alias}\": {{\n        \"BACKEND\": \"django.core.cache.backends.redis.RedisCache\",\n        \
             \"LOCATION\": {},\n",
            python_url::url(map, contract)?
        ));
        if let Some(ttl) = contract.default_ttl {
            text.push_str(&format!("        \"TIMEOUT\": {},  # seconds\n", seconds(ttl)));
        }
        text.push_str("    },\n");
    }
    text.push_str(
        "}\n# cache.clear() is FLUSHDB: with an index of its own it clears the cache and nothing else.\n",
    );
    if let Some(contract) = sessions {
        text.push_str(&format!("SESSION_CACHE_ALIAS = \"{}\"\n", contract.name));
    }
    for (setting, names) in [
        ("CELERY_BROKER_URL", ["broker", "queue"]),
        ("CELERY_RESULT_BACKEND", ["results", "result"]),
    ] {
        if let Some(contract) = named(map, &names) {
            text.push_str(&format!("{setting} = {}\n", python_url::url(map, contract)?));
        }
    }
    Ok(text)
}
