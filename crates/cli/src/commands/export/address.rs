//! The address of a database's server, as settings of other programs need it.

use std::time::Duration;

use compartment::database_map::{Instance, Scheme, TlsFiles};
use compartment::{Contract, DatabaseMap};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::exit_code::{CliError, ExitCode};

/// Characters encoded in a URL: all but the unreserved ones of RFC 3986 and the slashes of a path.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Everything a client needs to connect to a database's server, except the password.
pub(super) struct Address<'a> {
    pub(super) is_tls: bool,
    pub(super) user: &'a str,
    /// The environment variable that holds the password, if the server has a login.
    pub(super) password_variable: Option<String>,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) files: &'a TlsFiles,
}

impl<'a> Address<'a> {
    /// The address of a single server.
    ///
    /// # Errors
    /// [`ExitCode::Configuration`] for memory, a socket, Sentinel and a cluster.
    pub(super) fn of(map: &'a DatabaseMap, contract: &Contract) -> Result<Self, CliError> {
        Self::of_instance(map, contract.placement.instance())
    }

    pub(super) fn of_instance(map: &'a DatabaseMap, name: &str) -> Result<Self, CliError> {
        let instance = instance(map, name)?;
        let refused = match instance.url.scheme() {
            Scheme::Standalone => None,
            Scheme::Memory => Some("is in this process, where no other program can use it"),
            Scheme::Unix => Some("is a socket, but these settings need a host and a port"),
            _ => Some("is more than one server, but these settings need exactly one"),
        };
        let first = instance.url.addresses().next();
        let (Some((host, port)), None) = (first, refused) else {
            let why = refused.unwrap_or("names no host");
            let message = format!("instance {name:?}: {} {why}", instance.url);
            return Err(CliError::new(ExitCode::Configuration, message)
                .hint("name the server: --backend redis://host:6379"));
        };
        Ok(Self {
            is_tls: instance.url.is_tls(),
            user: instance.url.user().unwrap_or_default(),
            password_variable: has_login(instance).then(|| password_variable(map, name)),
            host,
            port,
            files: &instance.tls,
        })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_tls { "rediss" } else { "redis" }
    }

    /// The host as written in a URL.
    pub(super) fn host_in_url(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() }
    }

    /// The user as written in a URL.
    pub(super) fn user_in_url(&self) -> String {
        utf8_percent_encode(self.user, ENCODED).to_string().replace('/', "%2F")
    }

    /// The TLS files under the client's names for authority, certificate and key.
    pub(super) fn files_as(&self, names: [&'static str; 3]) -> Vec<(&'static str, String)> {
        let files = [&self.files.ca, &self.files.certificate, &self.files.key];
        let named = names.into_iter().zip(files);
        named
            .filter_map(|(name, file)| Some((name, file.as_ref()?.display().to_string())))
            .collect()
    }
}

/// A file's path as written in the query of a URL.
pub(super) fn path_in_url(path: &str) -> String {
    utf8_percent_encode(path, ENCODED).to_string()
}

pub(super) fn instance<'a>(map: &'a DatabaseMap, name: &str) -> Result<&'a Instance, CliError> {
    let found = map.instances().get(name);
    found.ok_or_else(|| CliError::new(ExitCode::Other, format!("there is no instance {name:?}")))
}

/// The names of the instances that hold databases, without duplicates, in order.
pub(super) fn instances_in_use(map: &DatabaseMap) -> Vec<&str> {
    let is_used = |name: &str| map.databases().iter().any(|one| one.placement.instance() == name);
    map.instances().keys().map(String::as_str).filter(|name| is_used(name)).collect()
}

fn has_login(instance: &Instance) -> bool {
    instance.url.user().is_some() || instance.url.password().is_some()
}

/// `REDIS_PASSWORD`; if several servers have a login, one variable for each.
pub(super) fn password_variable(map: &DatabaseMap, name: &str) -> String {
    let used = instances_in_use(map);
    let logins = used.iter().filter(|name| map.instances().get(**name).is_some_and(has_login));
    if logins.count() > 1 {
        DatabaseMap::password_variable(name)
    } else {
        "REDIS_PASSWORD".to_owned()
    }
}

/// The name in the form used inside an environment variable.
pub(super) fn variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
}

/// Whole seconds, rounded up: 0 means "no TTL" to many programs.
pub(super) fn seconds(ttl: Duration) -> u64 {
    ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0)
}

/// The database for a purpose, found by one of its usual names.
pub(super) fn named<'a>(map: &'a DatabaseMap, names: &[&str]) -> Option<&'a Contract> {
    names.iter().find_map(|name| map.database(name))
}

/// The default database of a client: `main`, otherwise the first in the map.
pub(super) fn usual(map: &DatabaseMap) -> Result<&Contract, CliError> {
    let found = map.database("main").or_else(|| map.databases().first());
    found.ok_or_else(|| CliError::new(ExitCode::Configuration, "there are no databases to export"))
}
