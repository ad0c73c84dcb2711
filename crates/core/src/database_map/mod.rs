//! The map of databases: their placements, and the rules that a map must meet.

mod alerts;
mod by_environment;
mod cache;
mod deployed;
mod documents;
mod environment;
mod fields;
mod file;
mod front;
mod health;
mod host;
mod housekeeping;
mod instance;
mod ledger;
mod login;
mod overridden;
mod passwords;
mod preset;
mod problem;
mod quantity;
mod query;
mod roles;
mod rules;
mod section_access;
mod sections;
mod service_url;
mod text;
mod tls_files;
mod url;
mod warming;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

pub use alerts::{AlertSettings, Webhook};
pub use by_environment::{ByEnvironment, TtlByEnvironment};
pub use cache::{Bounds, CacheBounds, CacheSettings, PolicyRule};
pub use documents::{DocumentsSettings, ModelSettings, OcrServiceSettings};
pub use front::{FrontContract, FrontLogin, FrontRoute, FrontSettings, FrontTls, FrontUser};
pub use health::HealthSettings;
pub use host::Host;
pub use housekeeping::HousekeepingSettings;
pub use instance::Instance;
pub use ledger::{LedgerAddress, LedgerSettings};
pub use overridden::Overridden;
pub use preset::Preset;
pub use roles::{Role, Roles};
pub use service_url::ServiceUrl;
pub use tls_files::TlsFiles;
pub use url::{InstanceUrl, Scheme};
pub use warming::WarmingSettings;
pub use worker::WorkerSettings;

pub(crate) use problem::nearest;
use problem::{unknown, wrong};
use rules::{check_apart, check_name, check_previous, check_whole};
use sections::Sections;

use crate::contract::check_ttl;
use crate::{Contract, Result, Template};

/// A rule of `[keys]` for one template, of this program or another one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeyRule {
    /// The template of the keys.
    pub template: Template,
    /// The database of the keys.
    pub database: String,
    /// The lifetime of the keys.
    pub ttl: TtlByEnvironment,
    /// How the values are cached.
    pub policy: PolicyRule,
}

/// The named databases of an installation. Immutable once built, and valid.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{Contract, DatabaseKind, DatabaseMap, Instance};
///
/// let map = DatabaseMap::builder()
///     .instance("primary", Instance::new("redis://127.0.0.1:6379")?)
///     .database(Contract::new("jobs", DatabaseKind::Durable).with_index(1))
///     .database(
///         Contract::new("pages", DatabaseKind::Cache)
///             .with_index(2)
///             .default_ttl(Duration::from_secs(3_600)),
///     )
///     .build()?;
/// assert_eq!(map.databases().len(), 2);
/// # Ok::<(), compartment_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseMap {
    instances: BTreeMap<String, Instance>,
    databases: Vec<Contract>,
    keys: BTreeMap<String, KeyRule>,
    sections: Sections,
    environment: String,
    overridden: Vec<Overridden>,
    notes: Vec<String>,
}

impl DatabaseMap {
    /// A builder for an empty map.
    #[must_use]
    pub fn builder() -> DatabaseMapBuilder {
        DatabaseMapBuilder::default()
    }

    /// A preset on one instance.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] for an invalid URL.
    pub fn preset(preset: Preset, url: &str) -> Result<Self> {
        DatabaseMapBuilder::preset(preset).instance("primary", Instance::new(url)?).build()
    }

    /// The databases, in the order of instance, index, prefix and name.
    #[must_use]
    pub fn databases(&self) -> &[Contract] {
        &self.databases
    }

    /// The contract of one database.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&Contract> {
        self.databases.iter().find(|contract| contract.name == name)
    }

    /// The instances by name.
    #[must_use]
    pub fn instances(&self) -> &BTreeMap<String, Instance> {
        &self.instances
    }

    /// The rules of `[keys]` by name.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<String, KeyRule> {
        &self.keys
    }

    /// The environment that selects TTLs and policies; `default` unless set.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Notes on the configuration, such as settings without effect.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The TTL of the template `name` in this environment, if `[keys]` sets one.
    #[must_use]
    pub fn ttl_of(&self, name: &str) -> Option<Duration> {
        self.keys.get(name).and_then(|rule| rule.ttl.get(&self.environment))
    }

    /// Whether two databases would share keys if both were on one server, without both declaring `shared = true`. The
    /// instances' names are ignored, because two of them may lead to one server.
    #[must_use]
    pub fn would_overlap(first: &Contract, second: &Contract) -> bool {
        rules::overlap(first, second)
    }

    /// The names of the other databases with the placement of `contract`.
    #[must_use]
    pub fn sharing_with(&self, contract: &Contract) -> Vec<&str> {
        self.databases
            .iter()
            .filter(|other| other.name != contract.name && other.placement == contract.placement)
            .map(|other| other.name.as_str())
            .collect()
    }
}

/// Builds a [`DatabaseMap`], from code, a preset, a file or the environment, in that order: later values win.
#[derive(Clone, Debug, Default)]
pub struct DatabaseMapBuilder {
    instances: BTreeMap<String, Instance>,
    databases: BTreeMap<String, Contract>,
    keys: BTreeMap<String, KeyRule>,
    sections: Sections,
    environment: Option<String>,
    overridden: Vec<Overridden>,
    notes: Vec<String>,
}

impl DatabaseMapBuilder {
    /// Adds or replaces an instance.
    #[must_use]
    pub fn instance(mut self, name: impl Into<String>, instance: Instance) -> Self {
        self.instances.insert(name.into(), instance);
        self
    }

    /// Adds or replaces a database.
    #[must_use]
    pub fn database(mut self, contract: Contract) -> Self {
        self.databases.insert(contract.name.clone(), contract);
        self
    }

    /// Adds or replaces a rule for the keys of `template`.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn key(
        mut self,
        name: impl Into<String>,
        template: &str,
        database: impl Into<String>,
        ttl: TtlByEnvironment,
    ) -> Result<Self> {
        let (template, database) = (Template::parse(template)?, database.into());
        let rule = KeyRule { template, database, ttl, policy: PolicyRule::default() };
        self.keys.insert(name.into(), rule);
        Ok(self)
    }

    /// Sets how the keys of the template `name` are cached.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] if [`DatabaseMapBuilder::key`] has not added the template.
    pub fn policy(mut self, name: &str, policy: PolicyRule) -> Result<Self> {
        let Some(rule) = self.keys.get_mut(name) else {
            let known: Vec<&str> = self.keys.keys().map(String::as_str).collect();
            return Err(unknown("key template", name, &known, "policy"));
        };
        rule.policy = policy;
        Ok(self)
    }

    /// Sets the environment whose TTLs and policies apply.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Changes the URL of the primary instance, keeping its other settings.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] for an invalid URL.
    pub fn url(mut self, url: &str) -> Result<Self> {
        let parsed = InstanceUrl::parse(url)?;
        match self.primary_name() {
            Some(name) => {
                if let Some(instance) = self.instances.get_mut(&name) {
                    let tls = parsed.tls_files();
                    if tls != TlsFiles::default() {
                        instance.tls = tls;
                    }
                    instance.url = parsed;
                }
            }
            None => {
                self.instances.insert("primary".into(), Instance::new(url)?);
            }
        }
        Ok(self)
    }

    /// The instance that the environment and `url` refer to: `primary`, or the only one.
    fn primary_name(&self) -> Option<String> {
        if self.instances.contains_key("primary") {
            return Some("primary".into());
        }
        match self.instances.len() {
            1 => self.instances.keys().next().cloned(),
            _ => None,
        }
    }

    /// Checks the configuration and builds the map.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] naming the problem: no databases, an unknown instance or database, two
    /// databases with one placement that do not both declare it, a prefix inside another.
    pub fn build(self) -> Result<DatabaseMap> {
        if self.databases.is_empty() {
            return Err(wrong("there are no databases: add [databases], or use a preset"));
        }
        let instances: Vec<&str> = self.instances.keys().map(String::as_str).collect();
        for (name, instance) in &self.instances {
            let checked = instance.check();
            checked.map_err(|error| wrong(format!("instances.{name}: {}", error.message())))?;
            check_whole(name, instance)?;
        }
        for (name, rule) in &self.keys {
            for ttl in rule.ttl.values() {
                check_ttl(&format!("keys.{name}.ttl"), *ttl)?;
            }
        }
        for contract in self.databases.values() {
            check_name(&contract.name)?;
            contract.check()?;
            let instance = contract.placement.instance();
            if !self.instances.contains_key(instance) {
                return Err(unknown("instance", instance, &instances, &contract.name));
            }
            check_previous(contract)?;
        }
        let mut databases: Vec<Contract> = self.databases.into_values().collect();
        databases.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        for (at, first) in databases.iter().enumerate() {
            for second in &databases[at + 1..] {
                check_apart(first, second)?;
            }
        }
        let names: Vec<&str> = databases.iter().map(|contract| contract.name.as_str()).collect();
        for (key, rule) in &self.keys {
            if !names.contains(&rule.database.as_str()) {
                return Err(unknown("database", &rule.database, &names, key));
            }
        }
        for (role, database) in self.sections.roles.told() {
            if !names.contains(&database) {
                return Err(unknown("database", database, &names, &format!("roles.{role}")));
            }
        }
        self.sections.front.check(&databases)?;
        let mut notes = self.notes;
        notes.extend(self.sections.front.notes(&databases));
        Ok(DatabaseMap {
            instances: self.instances,
            databases,
            keys: self.keys,
            sections: self.sections,
            environment: self.environment.unwrap_or_else(|| "default".into()),
            overridden: self.overridden,
            notes,
        })
    }
}

fn sort_key(contract: &Contract) -> (&str, u32, &str, &str) {
    let placement = &contract.placement;
    (placement.instance(), placement.index(), placement.prefix(), &contract.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseKind, Placement};

    fn two(first: Contract, second: Contract) -> Result<DatabaseMap> {
        DatabaseMap::builder()
            .instance("primary", Instance::new("memory://").unwrap())
            .database(first)
            .database(second)
            .build()
    }

    fn prefixed(name: &str, prefix: &str) -> Contract {
        let placement =
            Placement::Prefix { instance: "primary".into(), index: 0, prefix: prefix.into() };
        Contract::new(name, DatabaseKind::Durable).placement(placement)
    }

    #[test]
    fn two_names_share_an_index_only_when_both_say_so() {
        let mut a = Contract::new("a", DatabaseKind::Durable);
        let mut b = Contract::new("b", DatabaseKind::Durable);
        let error = two(a.clone(), b.clone()).unwrap_err().to_string();
        assert!(error.contains("shared = true"), "{error}");
        a.is_shared = true;
        assert!(two(a.clone(), b.clone()).is_err());
        b.is_shared = true;
        let map = two(a, b).unwrap();
        assert_eq!(map.sharing_with(map.database("a").unwrap()), ["b"]);
    }

    #[test]
    fn prefixes_must_not_contain_each_other() {
        assert!(two(prefixed("a", "a:"), prefixed("b", "b:")).is_ok());
        assert!(two(prefixed("a", "a:"), prefixed("b", "a:b:")).is_err());
        assert!(two(prefixed("a", "a:"), Contract::new("b", DatabaseKind::Durable)).is_err());
    }

    #[test]
    fn an_unknown_instance_or_database_names_the_nearest() {
        let placement = Placement::Index { instance: "primry".into(), index: 0 };
        let contract = Contract::new("a", DatabaseKind::Durable).placement(placement);
        let error =
            two(contract, Contract::new("b", DatabaseKind::Durable)).unwrap_err().to_string();
        assert!(error.contains(r#"did you mean "primary"?"#), "{error}");
    }

    #[test]
    fn ttls_follow_the_environment() {
        let day = Duration::from_secs(86_400);
        let ttl = TtlByEnvironment::everywhere(day * 7).in_environment("production", day * 3);
        let map = DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("memory://").unwrap())
            .key("doc_state", "doc:state:{id}", "cache", ttl)
            .unwrap();
        assert_eq!(map.clone().build().unwrap().ttl_of("doc_state"), Some(day * 7));
        let production = map.environment("production").build().unwrap();
        assert_eq!(production.ttl_of("doc_state"), Some(day * 3));
        assert_eq!(production.ttl_of("other"), None);
    }
}
