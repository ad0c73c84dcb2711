//! The settings of other programs for the same databases.

use compartment::{Contract, DatabaseKind, DatabaseMap, Instance, Scheme};

use crate::args::ExportFormat;
use crate::exit_code::{CliError, ExitCode};

/// The settings in the program's own language. Passwords are never in them: they are read from
/// `REDIS_PASSWORD` where the program runs.
pub(crate) fn render(map: &DatabaseMap, format: ExportFormat) -> Result<String, CliError> {
    for contract in map.databases() {
        let instance = instance_of(map, contract)?;
        if !contract.placement.prefix().is_empty() {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!(
                    "{:?} is placed by a prefix, which other programs' settings cannot express",
                    contract.name
                ),
            )
            .hint("give it an index, or set the prefix in the program by hand"));
        }
        if instance.url.scheme() != Scheme::Standalone {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!("{} is no single server: there is nothing to export", instance.url),
            )
            .hint("name the server: --backend redis://host:6379"));
        }
    }
    match format {
        ExportFormat::Env => env(map),
        ExportFormat::Celery => celery(map),
        ExportFormat::Django => django(map),
        ExportFormat::Rails => rails(map),
    }
}

fn instance_of<'a>(map: &'a DatabaseMap, contract: &Contract) -> Result<&'a Instance, CliError> {
    map.instances().get(contract.placement.instance()).ok_or_else(|| {
        CliError::new(ExitCode::Other, format!("{:?} has no instance", contract.name))
    })
}

/// Scheme, user, host and port of a database's server.
struct Address<'a> {
    scheme: &'a str,
    user: &'a str,
    has_login: bool,
    host: String,
    port: u16,
}

fn address(instance: &Instance) -> Address<'_> {
    let url = &instance.url;
    let (host, port) = url.addresses().next().unwrap_or(("", 6379));
    Address {
        scheme: if url.is_tls() { "rediss" } else { "redis" },
        user: url.user().unwrap_or_default(),
        has_login: has_login(instance),
        host: if host.contains(':') { format!("[{host}]") } else { host.to_owned() },
        port,
    }
}

fn has_login(instance: &Instance) -> bool {
    instance.url.user().is_some() || instance.url.password().is_some()
}

fn env(map: &DatabaseMap) -> Result<String, CliError> {
    let mut lines = Vec::new();
    let mut instances: Vec<&str> =
        map.databases().iter().map(|contract| contract.placement.instance()).collect();
    instances.dedup();
    if instances.len() > 1 {
        return Err(CliError::new(
            ExitCode::Configuration,
            "the databases are on several servers, and these variables name one",
        ));
    }
    if let Some(contract) = map.databases().first() {
        let instance = instance_of(map, contract)?;
        let at = address(instance);
        lines.push(format!("REDIS_HOST={}", at.host));
        lines.push(format!("REDIS_PORT={}", at.port));
        if at.has_login {
            lines.push("# REDIS_PASSWORD is not printed: set it where the program runs".into());
        }
        lines.push(format!("REDIS_MAX_CONNECTIONS={}", instance.max_connections));
        if let Some(bytes) = instance.expected_max_memory {
            lines.push(format!("REDIS_MAX_MEMORY_MB={}", bytes / (1024 * 1024)));
        }
        if let Some(policy) = &instance.expected_eviction_policy {
            lines.push(format!("REDIS_EVICTION_POLICY={policy}"));
        }
    }
    for contract in map.databases() {
        let name = contract.name.to_ascii_uppercase().replace('-', "_");
        lines.push(format!("REDIS_DB_{name}={}", contract.placement.index()));
    }
    if map.environment() != "default" {
        lines.push(format!("ENVIRONMENT={}", map.environment()));
    }
    Ok(lines.join("\n"))
}

/// A URL as a Python expression.
fn python_url(map: &DatabaseMap, contract: &Contract) -> Result<String, CliError> {
    let at = address(instance_of(map, contract)?);
    let login = if at.has_login { format!("{}:{{PASSWORD}}@", at.user) } else { String::new() };
    let mark = if at.has_login { "f" } else { "" };
    Ok(format!(
        "{mark}\"{}://{login}{}:{}/{}\"",
        at.scheme,
        at.host,
        at.port,
        contract.placement.index()
    ))
}

fn python_password(map: &DatabaseMap) -> &'static str {
    let needed = map.instances().values().any(has_login);
    if needed {
        "import os\nfrom urllib.parse import quote\n\n\
         PASSWORD = quote(os.environ[\"REDIS_PASSWORD\"], safe=\"\")\n\n"
    } else {
        ""
    }
}

/// The database for a purpose: by its usual name, else nothing.
fn named<'a>(map: &'a DatabaseMap, names: &[&str]) -> Option<&'a Contract> {
    names.iter().find_map(|name| map.database(name))
}

fn celery(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = String::from(python_password(map));
    text.push_str("# celeryconfig.py: app.config_from_object(\"celeryconfig\")\n");
    if let Some(broker) = named(map, &["broker", "queue", "main"]) {
        text.push_str(&format!("broker_url = {}\n", python_url(map, broker)?));
    }
    if let Some(results) = named(map, &["results", "result"]) {
        text.push_str(&format!("result_backend = {}\n", python_url(map, results)?));
        if let Some(ttl) = results.default_ttl {
            text.push_str(&format!("result_expires = {}  # seconds\n", ttl.as_secs()));
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

fn django(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = String::from(python_password(map));
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
            python_url(map, contract)?
        ));
        if let Some(ttl) = contract.default_ttl {
            text.push_str(&format!("        \"TIMEOUT\": {},  # seconds\n", ttl.as_secs()));
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
            text.push_str(&format!("{setting} = {}\n", python_url(map, contract)?));
        }
    }
    Ok(text)
}

/// A URL as a Ruby expression.
fn ruby_url(map: &DatabaseMap, contract: &Contract) -> Result<String, CliError> {
    let at = address(instance_of(map, contract)?);
    let login = if at.has_login {
        format!("{}:#{{ERB::Util.url_encode(ENV.fetch('REDIS_PASSWORD'))}}@", at.user)
    } else {
        String::new()
    };
    let index = contract.placement.index();
    Ok(format!("\"{}://{login}{}:{}/{index}\"", at.scheme, at.host, at.port))
}

fn rails(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = String::new();
    if let Some(cache) =
        map.databases().iter().find(|contract| contract.kind == DatabaseKind::Cache)
    {
        text.push_str("# config/environments/production.rb\n");
        text.push_str(&format!(
            "config.cache_store = :redis_cache_store, {{\n  url: {},\n",
            ruby_url(map, cache)?
        ));
        if let Some(ttl) = cache.default_ttl {
            text.push_str(&format!(
                "  expires_in: {}, # seconds; without it Rails keeps entries for ever\n",
                ttl.as_secs()
            ));
        }
        text.push_str("}\n\n");
    }
    if let Some(broker) = named(map, &["broker", "queue", "main"]) {
        let url = ruby_url(map, broker)?;
        text.push_str("# config/initializers/sidekiq.rb\n");
        for side in ["server", "client"] {
            text.push_str(&format!(
                "Sidekiq.configure_{side} {{ |config| config.redis = {{ url: {url} }} }}\n"
            ));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use compartment::Preset;

    fn map(url: &str) -> DatabaseMap {
        DatabaseMap::preset(Preset::Pipeline, url).unwrap()
    }

    #[test]
    fn every_format_names_the_databases_and_never_the_password() {
        let map = map("rediss://me:s3cret@redis.example:7000");
        for format in
            [ExportFormat::Env, ExportFormat::Celery, ExportFormat::Django, ExportFormat::Rails]
        {
            let text = render(&map, format).unwrap();
            assert!(!text.contains("s3cret"), "{text}");
            assert!(text.contains("redis.example"), "{text}");
            insta::assert_snapshot!(format!("export_{format:?}").to_lowercase(), text);
        }
    }

    #[test]
    fn sessions_are_a_cache_of_django_with_a_name() {
        let file = "[instances.primary]\nurl = \"redis://h\"\n[databases]\n\
                    sessions = { index = 3, kind = \"durable\" }\n\
                    cache = { index = 2, kind = \"cache\", default_ttl = \"1h\" }\n";
        let map = compartment::DatabaseMapBuilder::toml(file).unwrap().build().unwrap();
        let text = render(&map, ExportFormat::Django).unwrap();
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(place("\"default\": {") < place("redis://h:6379/2"));
        assert!(place("redis://h:6379/2") < place("\"sessions\": {"));
        assert!(place("\"sessions\": {") < place("redis://h:6379/3"));
        place("SESSION_CACHE_ALIAS = \"sessions\"");
    }

    #[test]
    fn a_database_without_a_server_of_its_own_is_refused() {
        let error = render(&map("memory://"), ExportFormat::Env).unwrap_err();
        assert_eq!(error.code(), ExitCode::Configuration);
    }
}
