//! `compartment config`: writes, shows, checks and exports the configuration.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use compartment::database_map::Scheme;
use compartment::{DatabaseMap, Preset};
use compartment_redis::{RedisConfig, Server};

use crate::args::{Config, ExportFormat, General, RightsArgument};
use crate::commands::export::{self, Rights};
use crate::commands::{keeping, on_runtime};
use crate::configuration_file::{ConfigurationFile, DEFAULT_FILE};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD, STRONG};
use crate::settings::{self, Settings};

pub(crate) fn run(general: &General, command: Config) -> Result<ExitCode, CliError> {
    match command {
        Config::Init { preset, force } => init(general, &preset, force),
        Config::Show => show(general),
        Config::Check { offline } => check(general, offline),
        Config::Export { format: ExportFormat::Acl, rights } => {
            let settings = settings::load(general)?;
            on_runtime(async {
                screen::say_format(users(&settings.map, rights).await?.trim_end());
                Ok(ExitCode::Success)
            })
        }
        Config::Export { format, rights: _ } => {
            let settings = settings::load(general)?;
            screen::say_format(export::render(&settings.map, format)?.trim_end());
            Ok(ExitCode::Success)
        }
    }
}

/// The users of each database's server.
async fn users(map: &DatabaseMap, given: Option<RightsArgument>) -> Result<String, CliError> {
    let mut known = BTreeMap::new();
    for (name, instance) in map.instances() {
        let rights = match given {
            Some(RightsArgument::Database) => Rights::Database,
            Some(RightsArgument::Key) => Rights::Key,
            None if instance.url.scheme() == Scheme::Memory => Rights::Key,
            None => {
                let server = Server::connect(RedisConfig::for_instance(instance, 1)).await;
                let server = server.map_err(|error| {
                    CliError::from(error)
                        .hint("--rights database or key says what the server can do")
                })?;
                if server.info().has_rights_by_database() { Rights::Database } else { Rights::Key }
            }
        };
        known.insert(name.clone(), rights);
    }
    export::users(map, |name| known.get(name).copied().unwrap_or(Rights::Key))
}

const INTRODUCTION: &str = "\
# The databases of this installation: each a name, a place and a contract.
#
# kind = \"cache\"         every key has a TTL; may be evicted; fails open
# kind = \"durable\"       never evicted; fails closed
# kind = \"coordination\"  locks and limits: every key has a TTL; never evicted
#
# The environment overrides this file: REDIS_HOST, REDIS_PORT, REDIS_PASSWORD,
# REDIS_MAX_CONNECTIONS, REDIS_DB_<NAME>, REDIS_MAX_MEMORY_MB, REDIS_EVICTION_POLICY, ENVIRONMENT and
# others; `compartment config show` tells which did.
";

const KEYS: &str = "
# Templates of keys: how long each lives, by environment.
[keys.doc_ocr_result]
template = \"doc:ocr_result:{content_hash}:{version}\"
database = \"cache\"
ttl = { default = \"7d\", production = \"3d\" }
";

fn init(general: &General, preset: &str, force: bool) -> Result<ExitCode, CliError> {
    let preset: Preset = preset.parse()?;
    let url = general.backend.as_deref().unwrap_or("redis://127.0.0.1:6379");
    let map = DatabaseMap::preset(preset, url)?;
    let path = general.config.as_deref().unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let keys = if preset == Preset::Pipeline { KEYS } else { "" };
    let text = format!("{INTRODUCTION}\n{}{keys}", map.to_toml());
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    // A file that others can write to would not be read again.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    // `create_new` also fails if another process creates the file at this moment.
    let opened = match force {
        true => options.create(true).truncate(true).open(path),
        false => options.create_new(true).open(path),
    };
    let mut file = opened.map_err(|error| {
        let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = CliError::files("write", path, &error);
        if is_there { error.hint("--force replaces it") } else { error }
    })?;
    file.write_all(text.as_bytes()).map_err(|error| CliError::files("write", path, &error))?;
    screen::say(format!("wrote {} with the databases of preset {preset}", path.display()));
    if url.contains('@') {
        screen::remark(format!(
            "the password is not in the file: set REDIS_PASSWORD, which goes to the servers of a named file: \
             --config {0}, or COMPARTMENT_CONFIG={0}",
            path.display()
        ));
    }
    if general.config.is_none()
        && let Err(error) = ConfigurationFile::find(None)
    {
        screen::remark(format!("{STRONG}note:{STRONG:#} {error}"));
        error.hint_text().into_iter().for_each(screen::remark);
    }
    Ok(ExitCode::Success)
}

fn show(general: &General) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let from = match &settings.file {
        Some(path) => format!("# {} with the environment and flags applied", path.display()),
        None => "# no compartment.toml: the preset pipeline, with the environment and flags".into(),
    };
    screen::say(from);
    for one in settings.map.overridden() {
        screen::say(format!("# {one}"));
    }
    screen::say_format(settings.map.to_toml().trim_end());
    notes(&settings);
    Ok(ExitCode::Success)
}

fn check(general: &General, offline: bool) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    notes(&settings);
    for note in in_clear_text(&settings.map) {
        screen::remark(format!("{STRONG}note:{STRONG:#} {note}"));
    }
    let count = settings.map.databases().len();
    screen::say(format!(
        "{GOOD}ok{GOOD:#}  {count} databases, each in its own place or shared by agreement"
    ));
    if offline {
        return Ok(ExitCode::Success);
    }
    on_runtime(async move {
        let databases = compartment::open(settings.map.clone()).await?;
        for (name, location) in databases.locations() {
            screen::say(format!(
                "{GOOD}ok{GOOD:#}  {STRONG}{name}{STRONG:#}: {location}, its databases are isolated"
            ));
        }
        // An in-memory map has no servers.
        if settings.map.instances().values().all(|one| one.url.scheme() != Scheme::Memory) {
            keeping::tell_of_databases(&settings).await?;
        }
        Ok(ExitCode::Success)
    })
}

/// A note for each instance whose password crosses the network without TLS.
fn in_clear_text(map: &DatabaseMap) -> Vec<String> {
    let is_here = |host: &str| {
        let address = host.parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    let mut notes = Vec::new();
    for (name, instance) in map.instances() {
        let url = &instance.url;
        let beyond = url.addresses().map(|(host, _)| host).find(|host| !is_here(host));
        let Some(host) = beyond.filter(|_| !url.is_tls() && url.password().is_some()) else {
            continue;
        };
        notes.push(format!(
            "instances.{name}: the password goes to {host} without TLS, and can be read on the way: use \
             rediss:// if the server has TLS"
        ));
    }
    notes
}

fn notes(settings: &Settings) {
    for note in settings.map.notes() {
        screen::remark(format!("{STRONG}note:{STRONG:#} {note}"));
    }
}
