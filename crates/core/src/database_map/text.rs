//! Writes a map as the `compartment.toml` that would build it, without passwords.

use std::fmt::Write;

use super::quantity::{size, span};
use super::sections::Sections;
use super::{DatabaseMap, Instance};
use crate::{Contract, Placement};

impl DatabaseMap {
    /// The map as a `compartment.toml`. A password in a URL is written as `***`.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        if self.environment != "default" {
            line(&mut text, format_args!("environment = {}", quoted(&self.environment)));
        }
        for (name, instance) in &self.instances {
            write_instance(&mut text, name, instance);
        }
        line(&mut text, format_args!("\n[databases]"));
        let width = self.databases.iter().map(|c| c.name.len()).max().unwrap_or(0);
        let several = self.instances.len() > 1;
        for contract in &self.databases {
            let fields = database_fields(contract, several);
            line(&mut text, format_args!("{:width$} = {{ {fields} }}", contract.name));
        }
        let Sections {
            cache,
            warming,
            worker,
            documents,
            ledger,
            health,
            alerts,
            housekeeping,
            roles,
            front,
        } = &self.sections;
        write_section(&mut text, "cache", cache.fields());
        write_section(&mut text, "cache.policy", cache.policy.fields());
        write_section(&mut text, "warming", warming.fields());
        write_section(&mut text, "worker", worker.fields());
        write_section(&mut text, "documents.model", documents.model_fields());
        write_section(&mut text, "documents.ocr_service", documents.ocr_service_fields());
        write_section(&mut text, "ledger", ledger.fields());
        write_section(&mut text, "health", health.fields());
        write_section(&mut text, "alerts", alerts.fields());
        write_section(&mut text, "housekeeping", housekeeping.fields());
        let roles = roles.told().map(|(role, database)| (role.name(), quoted(database)));
        write_section(&mut text, "roles", roles.collect());
        write_section(&mut text, "front", front.fields());
        write_section(&mut text, "front.tls", front.tls_fields());
        for user in front.user_fields() {
            write_section(&mut text, "[front.user]", user);
        }
        for route in front.route_fields() {
            write_section(&mut text, "[front.route]", route);
        }
        for (name, rule) in &self.keys {
            line(&mut text, format_args!("\n[keys.{name}]"));
            line(&mut text, format_args!("template = {}", quoted(rule.template.as_str())));
            line(&mut text, format_args!("database = {}", quoted(&rule.database)));
            if let Some(ttl) = rule.ttl.to_field(|ttl| span(*ttl)) {
                line(&mut text, format_args!("ttl = {ttl}"));
            }
            write_section(&mut text, &format!("keys.{name}.policy"), rule.policy.fields());
        }
        text.trim_start().to_owned()
    }
}

/// Writing to a string cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}");
}

/// Quotes the text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn write_instance(text: &mut String, name: &str, instance: &Instance) {
    line(text, format_args!("\n[instances.{name}]"));
    line(text, format_args!("url = {}", quoted(&instance.url.to_string())));
    line(text, format_args!("max_connections = {}", instance.max_connections));
    line(text, format_args!("connect_timeout = {}", span(instance.connect_timeout)));
    line(text, format_args!("response_timeout = {}", span(instance.response_timeout)));
    line(text, format_args!("retries = {}", instance.retries));
    for (key, file) in [
        ("tls_ca", &instance.tls.ca),
        ("tls_certificate", &instance.tls.certificate),
        ("tls_key", &instance.tls.key),
    ] {
        if let Some(file) = file {
            line(text, format_args!("{key} = {}", quoted(&file.display().to_string())));
        }
    }
    if let Some(bytes) = instance.expected_max_memory {
        line(text, format_args!("max_memory = {}", size(bytes)));
    }
    if let Some(policy) = &instance.expected_eviction_policy {
        line(text, format_args!("eviction_policy = {}", quoted(policy)));
    }
}

fn database_fields(contract: &Contract, several: bool) -> String {
    let mut fields = Vec::new();
    if several {
        fields.push(format!("instance = {}", quoted(contract.placement.instance())));
    }
    match &contract.placement {
        Placement::Index { index, .. } => fields.push(format!("index = {index}")),
        Placement::Prefix { index, prefix, .. } => {
            fields.push(format!("index = {index}, prefix = {}", quoted(prefix)));
        }
    }
    fields.push(format!("kind = \"{}\"", contract.kind));
    if let Some(ttl) = contract.default_ttl {
        fields.push(format!("default_ttl = {}", span(ttl)));
    }
    if let Some(bytes) = contract.memory_budget {
        fields.push(format!("memory_budget = {}", size(bytes)));
    }
    if contract.is_shared {
        fields.push("shared = true".into());
    }
    if let Some(previous) = &contract.previous {
        let mut before = match &previous.placement {
            Placement::Index { index, .. } => format!("index = {index}"),
            Placement::Prefix { index, prefix, .. } => {
                format!("index = {index}, prefix = {}", quoted(prefix))
            }
        };
        if !previous.patterns.is_empty() {
            let patterns: Vec<String> = previous.patterns.iter().map(|p| quoted(p)).collect();
            before += &format!(", patterns = [{}]", patterns.join(", "));
        }
        fields.push(format!("previous = {{ {before} }}"));
    }
    fields.join(", ")
}

/// Writes a section that has fields.
fn write_section(text: &mut String, name: &str, fields: Vec<(&'static str, String)>) {
    if fields.is_empty() {
        return;
    }
    line(text, format_args!("\n[{name}]"));
    for (field, value) in fields {
        line(text, format_args!("{field} = {value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseMapBuilder, Preset, TtlByEnvironment};
    use std::time::Duration;

    use super::*;
    use crate::DatabaseKind;

    #[test]
    fn a_map_reads_back_from_its_text() {
        let placement =
            Placement::Prefix { instance: "other".into(), index: 0, prefix: "q:\"".into() };
        let map = DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("redis://10.0.0.1:7000").unwrap())
            .instance("other", Instance::new("memory://").unwrap())
            .database(
                Contract::new("queue", DatabaseKind::Durable)
                    .placement(placement)
                    .memory_budget(1_500),
            )
            .environment("production")
            .key(
                "doc_state",
                "doc:state:{id}",
                "cache",
                TtlByEnvironment::everywhere(Duration::from_secs(90_061))
                    .in_environment("production", Duration::from_secs(3)),
            )
            .unwrap()
            .build()
            .unwrap();
        let text = map.to_toml();
        let read = DatabaseMapBuilder::toml(&text).unwrap().build().unwrap();
        assert_eq!(read, map, "{text}");
    }

    #[test]
    fn a_password_is_not_written() {
        let map = DatabaseMap::preset(Preset::Assistant, "redis://:s3cret@host").unwrap();
        assert!(!map.to_toml().contains("s3cret"));
    }
}
