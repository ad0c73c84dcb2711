//! Environment variables that override a map, with names that existing deployments use.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::host::{Host, bracketed};
use super::problem::{nearest, wrong};
use super::{DatabaseMapBuilder, InstanceUrl, Scheme};
use crate::{Placement, Result};

const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

impl DatabaseMapBuilder {
    /// Overrides settings with environment variables: `REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD`,
    /// `REDIS_MAX_CONNECTIONS`, `REDIS_MAX_MEMORY_MB`, `REDIS_EVICTION_POLICY`, `ENVIRONMENT`,
    /// `REDIS_DB_<NAME>` for each database, and `CACHE_ENABLED` (`true` or `false`, `1` or `0`, `yes`
    /// or `no`, `on` or `off`). An empty value counts as unset. [`crate::DatabaseMap::overridden`] tells which did.
    ///
    /// Switches of existing deployments: `REDIS_ENABLE_OPTIMIZATION` (`false`: workers do not keep house, and nothing
    /// is cached or warmed unless its own variable says so); `REDIS_CACHE_WARMING_ENABLED`,
    /// `REDIS_CACHE_WARMING_HOURS` and `REDIS_CACHE_WARMING_LIMIT` (`[warming]`); `STREAM_PREFIX` (the prefix of the
    /// keys of batches), `MAX_STREAM_RETRIES` (attempts of a stage after the first) and
    /// `STREAM_MSG_IDLE_TIMEOUT_MS` (a worker's lease, in milliseconds). `REDIS_MONITOR_ENABLED`
    /// becomes a note.
    ///
    /// `COMPARTMENT_FRONT_LISTEN` has the addresses of the front, with commas between them.
    ///
    /// Host, port and password belong to the instance `primary`, or the only one. `REDIS_PASSWORD_<INSTANCE>` is
    /// the password of the instance of that name, whatever its kind; characters that a variable cannot have are `_`.
    /// A `REDIS_DB_…` for an unknown database, or a password for an
    /// unknown instance, becomes a note: it may belong to another program.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] naming the variable, never a password's value.
    pub fn environment_variables(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let set: std::collections::BTreeMap<String, String> =
            variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let get = |name: &str| set.get(name).map(String::as_str);
        if let Some(name) = get("ENVIRONMENT") {
            self.environment = Some(name.to_owned());
            self.note_override("environment", name, "ENVIRONMENT");
        }
        self.apply_deployed(&get)?;
        if let Some(value) = get("CACHE_ENABLED") {
            let enabled = switch("CACHE_ENABLED", value)?;
            self.sections.cache.enabled = Some(enabled);
            self.note_override("cache.enabled", enabled, "CACHE_ENABLED");
        }
        self.apply_front(&get);
        self.apply_address(get("REDIS_HOST"), get("REDIS_PORT"), get("REDIS_PASSWORD"))?;
        self.apply_passwords(&set)?;
        self.apply_instance(get)?;
        for (variable, value) in &set {
            if let Some(name) = variable.strip_prefix("REDIS_DB_") {
                self.apply_index(variable, &name.to_ascii_lowercase(), value)?;
            }
        }
        Ok(self)
    }

    /// Limits and expectations of the primary instance.
    fn apply_instance<'a>(&mut self, get: impl Fn(&str) -> Option<&'a str>) -> Result<()> {
        const CONNECTIONS: &str = "REDIS_MAX_CONNECTIONS";
        const MEMORY: &str = "REDIS_MAX_MEMORY_MB";
        const POLICY: &str = "REDIS_EVICTION_POLICY";
        let Some(name) = self.primary_name() else { return Ok(()) };
        let Some(instance) = self.instances.get_mut(&name) else { return Ok(()) };
        let mut overridden = Vec::new();
        if let Some(value) = get(CONNECTIONS) {
            instance.max_connections = number(CONNECTIONS, value)?;
            overridden.push(("max_connections", value, CONNECTIONS));
        }
        if let Some(value) = get(MEMORY) {
            let mib: u32 = number(MEMORY, value)?;
            instance.expected_max_memory = Some(u64::from(mib) * 1024 * 1024);
            overridden.push(("max_memory", value, MEMORY));
        }
        if let Some(value) = get(POLICY) {
            instance.expected_eviction_policy = Some(policy(POLICY, value)?);
            overridden.push(("eviction_policy", value, POLICY));
        }
        for (field, value, by) in overridden {
            let unit = if field == "max_memory" { "MiB" } else { "" };
            let value = format!("{}{unit}", value.trim());
            self.note_override(format!("instances.{name}.{field}"), value, by);
        }
        Ok(())
    }

    fn apply_address(
        &mut self,
        host: Option<&str>,
        port: Option<&str>,
        password: Option<&str>,
    ) -> Result<()> {
        if host.is_none() && port.is_none() && password.is_none() {
            return Ok(());
        }
        let given = [
            ("REDIS_HOST", host.is_some()),
            ("REDIS_PORT", port.is_some()),
            ("REDIS_PASSWORD", password.is_some()),
        ];
        let port: Option<u16> = port.map(|port| number("REDIS_PORT", port)).transpose()?;
        let Some(name) = self.primary_name() else {
            return Err(wrong(
                "REDIS_HOST, REDIS_PORT and REDIS_PASSWORD configure the instance \"primary\", but there \
                 are several of other names",
            ));
        };
        let Some(instance) = self.instances.get_mut(&name) else {
            return Ok(());
        };
        let url = &instance.url;
        if !matches!(url.scheme(), Scheme::Standalone | Scheme::Memory) {
            self.notes.push(format!(
                "REDIS_HOST, REDIS_PORT and REDIS_PASSWORD are not used: {url} is not a single server"
            ));
            return Ok(());
        }
        // Memory has no address to change; only a host changes the backend to a server.
        if url.scheme() == Scheme::Memory && host.is_none() {
            self.notes.push(
                "REDIS_PORT and REDIS_PASSWORD are not used without REDIS_HOST: the backend is memory"
                    .into(),
            );
            return Ok(());
        }
        let known = url.addresses().next();
        let host = match host {
            Some(host) => host_name(host)?,
            None => known.map(|(name, _)| name.to_owned()).unwrap_or_default(),
        };
        let port = port.or(known.map(|(_, port)| port)).unwrap_or(6379);
        let user = url.user().map(encoded).unwrap_or_default();
        let password = password.or(url.password()).map(encoded).unwrap_or_default();
        let login = if user.is_empty() && password.is_empty() {
            String::new()
        } else {
            format!("{user}:{password}@")
        };
        let scheme = if url.is_tls() { "rediss" } else { "redis" };
        let index = url.index().map(|index| format!("/{index}")).unwrap_or_default();
        let text = format!("{scheme}://{login}{}:{port}{index}", bracketed(&host));
        let url = InstanceUrl::parse(&text)?;
        instance.url = url.clone();
        let by: Vec<&str> =
            given.into_iter().filter_map(|(name, set)| set.then_some(name)).collect();
        self.note_override(format!("instances.{name}.url"), url, by.join(", "));
        Ok(())
    }

    fn apply_index(&mut self, variable: &str, name: &str, value: &str) -> Result<()> {
        let index: u32 = number(variable, value)?;
        let known: Vec<&str> = self.databases.keys().map(String::as_str).collect();
        if !known.contains(&name) {
            let hint =
                nearest(name, &known).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
            self.notes.push(format!(
                "{variable} is not used: there is no database {name:?} (known: {}){hint}",
                known.join(", ")
            ));
            return Ok(());
        }
        if let Some(contract) = self.databases.get_mut(name) {
            let instance = contract.placement.instance().to_owned();
            contract.placement = match contract.placement.prefix() {
                "" => Placement::Index { instance, index },
                prefix => Placement::Prefix { instance, index, prefix: prefix.to_owned() },
            };
            self.note_override(format!("databases.{name}.index"), index, variable);
        }
        Ok(())
    }
}

pub(super) fn number<T: std::str::FromStr>(variable: &str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| {
        let value = InstanceUrl::hide_login(value);
        wrong(format!("{variable} is {value:?}, which is not a whole number in its range"))
    })
}

pub(super) fn switch(variable: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => {
            let value = InstanceUrl::hide_login(value);
            Err(wrong(format!("{variable} is {value:?}; it must be true or false")))
        }
    }
}

pub(super) fn policy(setting: &str, value: &str) -> Result<String> {
    if POLICIES.contains(&value) {
        return Ok(value.to_owned());
    }
    let hint = nearest(value, &POLICIES).map(|n| format!("; did you mean {n:?}?"));
    let value = InstanceUrl::hide_login(value);
    Err(wrong(format!(
        "{setting} is {value:?}; Redis knows {}{}",
        POLICIES.join(", "),
        hint.unwrap_or_default()
    )))
}

/// A host's name or address alone, as in `REDIS_HOST`.
fn host_name(value: &str) -> Result<String> {
    let value = value.trim();
    let address = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    let host = Host::parse(&bracketed(address));
    match host {
        Ok(Host { name, port: None }) if !name.contains(['/', '@', '?', ',']) => Ok(name),
        // It may contain a URL with a password, so it is not shown.
        _ => Err(wrong(
            "REDIS_HOST must be the name or address of one host; the port belongs in REDIS_PORT, the \
             password in REDIS_PASSWORD, and a whole URL in COMPARTMENT_BACKEND",
        )),
    }
}

/// A user or password in the encoding of a URL.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, Instance, Preset};

    fn with(url: &str, variables: &[(&str, &str)]) -> Result<DatabaseMap> {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new(url).unwrap())
            .environment_variables(variables)?
            .build()
    }

    #[test]
    fn a_host_moves_the_primary_to_a_server() {
        let map = with(
            "memory://",
            &[("REDIS_HOST", "10.0.0.7"), ("REDIS_PASSWORD", "p@ss/w:rd"), ("REDIS_PORT", "7000")],
        )
        .unwrap();
        let url = &map.instances()["primary"].url;
        assert_eq!(url.reveal(), "redis://:p%40ss%2Fw%3Ard@10.0.0.7:7000");
        assert_eq!(url.to_string(), "redis://:***@10.0.0.7:7000");
    }

    #[test]
    fn an_ipv6_address_is_a_host_and_a_url_is_none() {
        for host in ["::1", "[::1]"] {
            let map = with("memory://", &[("REDIS_HOST", host)]).unwrap();
            assert_eq!(map.instances()["primary"].url.reveal(), "redis://[::1]:6379");
        }
        let map = with("redis://[::1]:7000", &[("REDIS_PASSWORD", "x")]).unwrap();
        assert_eq!(map.instances()["primary"].url.reveal(), "redis://:x@[::1]:7000");
        for host in ["redis://:s3cret@h", "h:6380", "h/3", "a,b", "me@h", "::1:x"] {
            let error = with("memory://", &[("REDIS_HOST", host)]).unwrap_err().to_string();
            assert!(error.contains("REDIS_HOST") && !error.contains("s3cret"), "{host}: {error}");
        }
    }

    #[test]
    fn an_instance_is_a_whole_server() {
        let build = |url: &str| {
            DatabaseMapBuilder::preset(Preset::Pipeline)
                .instance("primary", Instance::new(url).unwrap())
                .environment_variables(std::iter::empty())?
                .build()
        };
        assert!(build("redis://h/0").is_ok());
        for url in ["redis://h/3", "redis://h?db=3", "redis+sentinel://h/main/3"] {
            let error = build(url).unwrap_err().to_string();
            assert!(error.contains("has index 3"), "{error}");
        }
    }

    #[test]
    fn each_part_overrides_alone() {
        let map = with("rediss://me:old@a:1", &[("REDIS_PORT", "2")]).unwrap();
        assert_eq!(map.instances()["primary"].url.reveal(), "rediss://me:old@a:2");
        let map = with("redis://a", &[("REDIS_PASSWORD", "new")]).unwrap();
        assert_eq!(map.instances()["primary"].url.reveal(), "redis://:new@a:6379");
    }

    #[test]
    fn indexes_connections_memory_and_policy_override() {
        let map = with(
            "redis://a",
            &[
                ("REDIS_DB_CACHE", "9"),
                ("REDIS_MAX_CONNECTIONS", "12"),
                ("REDIS_MAX_MEMORY_MB", "64"),
                ("REDIS_EVICTION_POLICY", "volatile-lru"),
                ("ENVIRONMENT", "production"),
                ("CACHE_ENABLED", "Off"),
                ("REDIS_DB_BATCH", ""),
            ],
        )
        .unwrap();
        assert_eq!(map.database("cache").unwrap().placement.index(), 9);
        assert_eq!(map.database("batch").unwrap().placement.index(), 4);
        let primary = &map.instances()["primary"];
        assert_eq!(primary.max_connections, 12);
        assert_eq!(primary.expected_max_memory, Some(64 * 1024 * 1024));
        assert_eq!(primary.expected_eviction_policy.as_deref(), Some("volatile-lru"));
        assert_eq!(map.environment(), "production");
        assert_eq!(map.cache().enabled, Some(false));
        assert!(with("redis://a", &[("CACHE_ENABLED", "perhaps")]).is_err());
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_a_foreign_name_is_noted() {
        let error = with("redis://a", &[("REDIS_DB_CACHE", "two")]).unwrap_err().to_string();
        assert!(error.contains("REDIS_DB_CACHE"), "{error}");
        let error = with("redis://a", &[("REDIS_EVICTION_POLICY", "volatile-lrv")]).unwrap_err();
        assert!(error.to_string().contains(r#"did you mean "volatile-lru"?"#), "{error}");
        let map = with("redis://a", &[("REDIS_DB_CASHE", "2")]).unwrap();
        assert!(map.notes()[0].contains(r#"did you mean "cache"?"#), "{:?}", map.notes());
        let error = with("redis://a", &[("REDIS_DB_CACHE", "0")]).unwrap_err().to_string();
        assert!(error.contains("\"broker\" and \"cache\""), "{error}");
    }
}
