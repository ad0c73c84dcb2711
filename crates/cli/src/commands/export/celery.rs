//! A Celery configuration module.

use compartment::DatabaseMap;

use super::address::{named, seconds};
use super::python_url;
use crate::exit_code::CliError;

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = python_url::passwords(map)?;
    text.push_str("# celeryconfig.py: app.config_from_object(\"celeryconfig\")\n");
    if let Some(broker) = named(map, &["broker", "queue", "main"]) {
        text.push_str(&format!("broker_url = {}\n", python_url::url(map, broker)?));
    }
    if let Some(results) = named(map, &["results", "result"]) {
        text.push_str(&format!("result_backend = {}\n", python_url::url(map, results)?));
        if let Some(ttl) = results.default_ttl {
            text.push_str(&format!("result_expires = {}  # seconds\n", seconds(ttl)));
        }
    }
    if let Some(instance) = map.instances().values().next() {
        text.push_str(&format!("redis_max_connections = {}\n", instance.max_connections));
    }
    text.push_str(
        "# Remote control goes over channels that carry the database's number: move the whole\n\
         # fleet at once, or workers on the old number are no longer reached.\n",
    );
    Ok(text)
}
