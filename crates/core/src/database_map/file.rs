//! Reads `compartment.toml` into a map; an error about an unknown key names the nearest known one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::alerts::AlertSection;
use super::cache::{CacheSection, PolicySection};
use super::documents::DocumentsSection;
use super::environment::policy;
use super::front::FrontSection;
use super::health::HealthSection;
use super::housekeeping::HousekeepingSection;
use super::ledger::LedgerSection;
use super::problem::{nearest, wrong};
use super::quantity::{Size, Span};
use super::tls_files::TlsFiles;
use super::warming::WarmingSection;
use super::worker::WorkerSection;
use super::{ByEnvironment, DatabaseMapBuilder, Instance, InstanceUrl, Preset, Role};
use crate::{Contract, DatabaseKind, Error, Placement, Previous, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    preset: Option<String>,
    environment: Option<String>,
    #[serde(default)]
    instances: BTreeMap<String, InstanceSection>,
    #[serde(default)]
    databases: BTreeMap<String, DatabaseSection>,
    #[serde(default)]
    keys: BTreeMap<String, KeySection>,
    cache: Option<CacheSection>,
    warming: Option<WarmingSection>,
    worker: Option<WorkerSection>,
    documents: Option<DocumentsSection>,
    ledger: Option<LedgerSection>,
    health: Option<HealthSection>,
    alerts: Option<AlertSection>,
    housekeeping: Option<HousekeepingSection>,
    front: Option<FrontSection>,
    #[serde(default)]
    roles: BTreeMap<Role, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceSection {
    url: String,
    max_connections: Option<u32>,
    connect_timeout: Option<Span>,
    response_timeout: Option<Span>,
    retries: Option<u32>,
    tls_ca: Option<PathBuf>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    max_memory: Option<Size>,
    eviction_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseSection {
    instance: Option<String>,
    index: Option<u32>,
    prefix: Option<String>,
    kind: DatabaseKind,
    default_ttl: Option<Span>,
    memory_budget: Option<Size>,
    #[serde(default)]
    shared: bool,
    previous: Option<PreviousSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviousSection {
    index: Option<u32>,
    prefix: Option<String>,
    #[serde(default)]
    patterns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySection {
    template: String,
    database: String,
    #[serde(default)]
    ttl: ByEnvironment<Span>,
    #[serde(default)]
    policy: PolicySection,
}

impl DatabaseMapBuilder {
    /// Reads the text of a `compartment.toml`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] with the line, and for an unknown key the nearest known
    /// one. The offending line itself is not quoted: it may hold a password.
    pub fn toml(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| explain(&error, text))?;
        let mut builder = match &file.preset {
            Some(name) => Self::preset(name.parse::<Preset>()?),
            None => Self::default(),
        };
        builder.environment = file.environment;
        for (name, section) in file.instances {
            let instance = section
                .into_instance()
                .map_err(|error| wrong(format!("instances.{name}: {}", error.message())))?;
            builder.instances.insert(name, instance);
        }
        let only_instance = builder.primary_name();
        for (name, section) in file.databases {
            let contract = section.into_contract(&name, only_instance.as_deref())?;
            builder.databases.insert(name, contract);
        }
        for (name, section) in file.keys {
            let ttl = section.ttl.map(|span| span.0);
            builder = builder.key(&name, &section.template, section.database, ttl)?;
            builder = builder.policy(&name, section.policy.into())?;
        }
        if let Some(section) = file.cache {
            builder = builder.cache(section.into());
        }
        if let Some(section) = file.warming {
            builder = builder.warming(section.0);
        }
        if let Some(section) = file.worker {
            builder = builder.worker(section.0);
        }
        if let Some(section) = file.documents {
            builder = builder.documents(section.into());
        }
        if let Some(section) = file.ledger {
            builder = builder.ledger(section.into_settings()?);
        }
        if let Some(section) = file.health {
            builder = builder.health(section.into());
        }
        if let Some(section) = file.alerts {
            builder = builder.alerts(section.into());
        }
        if let Some(section) = file.housekeeping {
            builder = builder.housekeeping(section.0);
        }
        if let Some(section) = file.front {
            builder = builder.front(section.into());
        }
        builder = builder.roles(file.roles.into());
        Ok(builder)
    }
}

impl InstanceSection {
    fn into_instance(self) -> Result<Instance> {
        let mut instance = Instance::new(&self.url)?;
        instance.max_connections = self.max_connections.unwrap_or(instance.max_connections);
        instance.connect_timeout = self.connect_timeout.map_or(instance.connect_timeout, |s| s.0);
        instance.response_timeout =
            self.response_timeout.map_or(instance.response_timeout, |s| s.0);
        instance.retries = self.retries.unwrap_or(instance.retries);
        instance.tls =
            TlsFiles { ca: self.tls_ca, certificate: self.tls_certificate, key: self.tls_key };
        instance.expected_max_memory = self.max_memory.map(|size| size.0);
        instance.expected_eviction_policy =
            self.eviction_policy.map(|value| policy("eviction_policy", &value)).transpose()?;
        instance.check()?;
        Ok(instance)
    }
}

impl DatabaseSection {
    fn into_contract(self, name: &str, only_instance: Option<&str>) -> Result<Contract> {
        let instance = match (self.instance, only_instance) {
            (Some(instance), _) => instance,
            (None, Some(only)) => only.to_owned(),
            // Without any instance the caller adds `primary`; the whole map is checked at the end.
            (None, None) => "primary".to_owned(),
        };
        let place = |what: &str, index: Option<u32>, prefix: Option<String>| match (index, prefix) {
            (Some(index), None) => Ok(Placement::Index { instance: instance.clone(), index }),
            (index, Some(prefix)) if !prefix.is_empty() => Ok(Placement::Prefix {
                instance: instance.clone(),
                index: index.unwrap_or(0),
                prefix,
            }),
            _ => Err(wrong(format!("databases.{name}{what}: set an index or a prefix"))),
        };
        let placement = place("", self.index, self.prefix)?;
        let previous = match self.previous {
            None => None,
            Some(before) => Some(
                Previous::all(place(".previous", before.index, before.prefix)?)
                    .matching(before.patterns),
            ),
        };
        let mut contract = Contract::new(name, self.kind).placement(placement);
        contract.default_ttl = self.default_ttl.map(|span| span.0);
        contract.memory_budget = self.memory_budget.map(|size| size.0);
        contract.is_shared = self.shared;
        contract.previous = previous;
        contract.check()?;
        Ok(contract)
    }
}

/// The parser's message with the line, without the line's text, and with the nearest known key.
fn explain(error: &toml::de::Error, text: &str) -> Error {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| format!("line {}: ", before.matches('\n').count() + 1))
        .unwrap_or_default();
    // A value of the wrong type is quoted, and may be a URL.
    let message = match error.message() {
        message if message.contains("://") => InstanceUrl::hide_login(message),
        message => message.to_owned(),
    };
    // serde says: unknown field `indx`, expected one of `index`, `kind`
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_choice = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let hint = match quoted.next() {
        Some(unknown) if is_choice => nearest(unknown, &quoted.collect::<Vec<_>>())
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default(),
        _ => String::new(),
    };
    wrong(format!("{line}{message}{hint}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::DatabaseMap;

    const FILE: &str = r#"
        environment = "production"

        [instances.primary]
        url = "redis://127.0.0.1:6379"
        max_connections = 20
        response_timeout = "1s 500ms"

        [databases]
        broker = { index = 0, kind = "durable" }
        cache = { index = 2, kind = "cache", default_ttl = "2d", memory_budget = "512MiB" }

        [keys.doc_ocr_result]
        template = "doc:ocr_result:{document_uuid}"
        database = "cache"
        ttl = { default = "7d", production = "3d" }
    "#;

    fn read(text: &str) -> Result<DatabaseMap> {
        DatabaseMapBuilder::toml(text)?.build()
    }

    #[test]
    fn the_file_of_the_readme_is_read() {
        let map = read(FILE).unwrap();
        let cache = map.database("cache").unwrap();
        assert_eq!(cache.placement.index(), 2);
        assert_eq!(cache.memory_budget, Some(512 * 1024 * 1024));
        assert_eq!(cache.default_ttl, Some(Duration::from_secs(2 * 86_400)));
        assert_eq!(map.ttl_of("doc_ocr_result"), Some(Duration::from_secs(3 * 86_400)));
        assert_eq!(map.instances()["primary"].response_timeout, Duration::from_millis(1_500));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_the_line() {
        let error = read(&FILE.replace("index = 2", "indx = 2")).unwrap_err().to_string();
        assert!(error.contains("line 11") && error.contains("did you mean `index`?"), "{error}");
        let error = read(&FILE.replace("\"cache\", default", "\"cash\", default")).unwrap_err();
        assert!(error.to_string().contains("did you mean `cache`?"), "{error}");
        let error = read(&FILE.replace("[keys.", "[key.")).unwrap_err().to_string();
        assert!(error.contains("did you mean `keys`?"), "{error}");
    }

    #[test]
    fn an_error_beside_a_password_does_not_show_it() {
        let text = FILE.replace("redis://", "redis://:s3cret@").replace("url", "ulr");
        let error = read(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        let error = read(&FILE.replace("redis://", "http://:s3cret@")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        for (from, to) in [
            ("max_connections = 20", "max_connections = \"redis://:s3cret@h\""),
            ("\"1s 500ms\"", "\"redis://:s3cr\\\" et@h\""),
            ("kind = \"durable\"", "kind = \"redis://:s3cret@h\""),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr"), "{error}");
        }
        let error = read(&FILE.replace("\"redis://", "5 #redis://:s3cret@")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }

    #[test]
    fn wrong_values_say_what_would_be_right() {
        for (from, to, says) in [
            ("\"2d\"", "\"two days\"", "not a duration"),
            ("512MiB", "many", "not a size"),
            ("index = 2, ", "", "set an index"),
            ("index = 2, ", "prefix = \"\", ", "set an index"),
            ("max_connections = 20", "max_connections = 0", "at least one"),
            ("max_connections = 20", "retries = 4000000", "the maximum is 1000"),
            ("max_connections = 20", "connect_timeout = \"0s\"", "between 1ms and 1day"),
            (
                "response_timeout = \"1s 500ms\"",
                "response_timeout = \"200y\"",
                "between 1ms and 1day",
            ),
            ("database = \"cache\"", "database = \"cace\"", "did you mean \"cache\"?"),
            ("{document_uuid}", "{document_uuid", "without a }"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn a_database_may_be_on_its_way_from_another_place() {
        let from = "index = 2, previous = { index = 0, patterns = [\"page:*\"] }";
        let map = read(&FILE.replace("index = 2", from)).unwrap();
        let previous = map.database("cache").unwrap().previous.clone().unwrap();
        assert_eq!(previous.placement.index(), 0);
        assert!(previous.concerns("page:1") && !previous.concerns("celery"));
        let read_back = read(&map.to_toml()).unwrap();
        assert_eq!(read_back, map);
        let same = FILE.replace("index = 2", "index = 2, previous = { index = 2 }");
        let error = read(&same).unwrap_err().to_string();
        assert!(error.contains("cache") && error.contains("previous"), "{error}");
    }

    #[test]
    fn a_file_may_start_from_a_preset() {
        let map = read(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n\
             [databases]\ncache = { index = 7, kind = \"cache\", default_ttl = \"1h\" }",
        )
        .unwrap();
        assert_eq!(map.databases().len(), 6);
        assert_eq!(map.database("cache").unwrap().placement.index(), 7);
    }
}
