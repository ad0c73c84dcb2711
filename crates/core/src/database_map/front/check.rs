//! What must hold of `[front]`: its addresses, limits and logins, and that its routes fit the databases.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::cache::{Bounds, sizes, times};
use super::super::host::Host;
use super::super::problem::{unknown, wrong};
use super::super::service_url::check_variable;
use super::route::FrontRoute;
use super::settings::{FrontLogin, FrontSettings, FrontUser};
use crate::{Contract, Error, KeyPattern, Result};

const CLIENTS: Bounds<u32> = Bounds::counts("clients", 1, 1_000_000);
const THREADS: Bounds<u32> = Bounds::counts("threads", 1, 256);
/// Positions in a request are numbers of 32 bits.
const MAX_REQUEST: Bounds<u64> = sizes("max_request", 1 << 10, i32::MAX as u64);
const MAX_OUTPUT: Bounds<u64> = sizes("max_output", 1 << 10, 1 << 40);
const SLOW: Bounds<Duration> = times("slow", Duration::ZERO, Duration::from_secs(86_400));
const IDLE: Bounds<Duration> =
    times("idle", Duration::from_secs(1), Duration::from_secs(365 * 86_400));
/// Routes have numbers of 16 bits, and each program is compared with all of them when it connects.
const MAX_ROUTES: usize = 1_000;
/// Each key is compared with the patterns of its program in turn.
const MAX_PATTERNS: usize = 10_000;
/// The name under which keys are counted that no route takes.
const DEFAULT: &str = "default";

impl FrontSettings {
    /// Checks the settings against the databases of the map.
    pub(in super::super) fn check(&self, databases: &[Contract]) -> Result<()> {
        let within = |checked: Result<(), String>| {
            checked.map_err(|message| wrong(format!("front.{message}")))
        };
        within(CLIENTS.check(self.clients))?;
        within(THREADS.check(self.threads))?;
        within(MAX_REQUEST.check(self.max_request))?;
        within(MAX_OUTPUT.check(self.max_output))?;
        within(SLOW.check(self.slow))?;
        within(self.idle.map_or(Ok(()), |idle| IDLE.check(idle)))?;
        self.check_addresses()?;
        self.check_allow()?;
        self.check_users()?;
        let databases = Known(databases);
        if let Some(name) = &self.default {
            let default = databases.get(name, "front.default")?;
            if !default.placement.prefix().is_empty() {
                return Err(wrong(format!(
                    "front.default is {name:?}, which is placed by the prefix {:?} and can take no other key; \
                     make a database with a whole index the default",
                    default.placement.prefix()
                )));
            }
        }
        databases.check_flush(&self.flush, "front.flush")?;
        self.check_routes(&databases)
    }

    fn check_addresses(&self) -> Result<()> {
        if self.listen.is_empty() {
            return Err(wrong(
                "front.listen = [] is not allowed: name an address such as \"127.0.0.1:6380\"",
            ));
        }
        let mut seen = BTreeSet::new();
        for address in &self.listen {
            let is_right = match address.strip_prefix("unix:") {
                Some(path) => path.starts_with('/'),
                None => is_host_and_port(address),
            };
            if !is_right {
                return Err(wrong(format!(
                    "front.listen: {address:?} is neither host:port, such as \"127.0.0.1:6380\", nor unix: and \
                     an absolute path, such as \"unix:/run/compartment/front.sock\""
                )));
            }
            if !seen.insert(address) {
                return Err(wrong(format!("front.listen has {address:?} twice: remove one")));
            }
        }
        match &self.health {
            Some(address) if !is_host_and_port(address) => Err(wrong(format!(
                "front.health: {address:?} is not host:port, such as \"127.0.0.1:6381\""
            ))),
            Some(address) if self.listen.contains(address) => Err(wrong(format!(
                "front.health: {address:?} is also in front.listen: give the health endpoint its own port"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn check_allow(&self) -> Result<()> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || b"-_.0123456789 ".contains(&byte);
        let is_name = |name: &&String| !name.is_empty() && name.bytes().all(is_letter);
        match self.allow.iter().find(|name| !is_name(name)) {
            None => Ok(()),
            Some(name) => Err(wrong(format!(
                "front.allow: {name:?} is not the name of a command, such as \"flushall\" or \"config set\""
            ))),
        }
    }

    fn check_users(&self) -> Result<()> {
        match (self.login, self.users.is_empty()) {
            (FrontLogin::Own, true) => {
                return Err(wrong(
                    "front.login = \"own\" needs users: add [[front.user]] with a name and password_env or \
                     password_file",
                ));
            }
            (FrontLogin::Server, false) => {
                return Err(wrong(
                    "[[front.user]] has no effect, because the server checks logins: set front.login = \"own\", or \
                     remove the users",
                ));
            }
            (FrontLogin::Own, false) | (FrontLogin::Server, true) => {}
        }
        let mut seen = BTreeSet::new();
        for user in &self.users {
            user.check()?;
            if !seen.insert(&user.name) {
                return Err(wrong(format!(
                    "front.user {:?} is there twice: remove one",
                    user.name
                )));
            }
        }
        Ok(())
    }

    fn check_routes(&self, databases: &Known<'_>) -> Result<()> {
        let patterns: usize =
            self.routes.iter().map(|route| route.keys.len() + route.together.len()).sum();
        if self.routes.len() > MAX_ROUTES || patterns > MAX_PATTERNS {
            return Err(wrong(format!(
                "front.route: {} routes with {patterns} patterns; at most {MAX_ROUTES} with {MAX_PATTERNS} are \
                 allowed",
                self.routes.len()
            )));
        }
        let mut seen = BTreeSet::new();
        for route in &self.routes {
            route.check(databases)?;
            if !seen.insert(&route.name) {
                return Err(route.wrong(
                    "another route has this name; it is the database's unless the route has a `name`",
                ));
            }
        }
        Ok(())
    }
}

impl FrontUser {
    fn check(&self) -> Result<()> {
        let Self { name, password_env, password_file } = self;
        if name.is_empty() || name.len() > 255 || name.contains(char::is_whitespace) {
            return Err(wrong(format!(
                "front.user {name:?}: a name is 1 to 255 bytes without white space"
            )));
        }
        if password_env.is_some() == password_file.is_some() {
            return Err(wrong(format!(
                "front.user {name:?}: set password_env or password_file, and not both"
            )));
        }
        let variable = password_env.as_deref().map_or(Ok(()), check_password_env);
        variable.map_err(|message| wrong(format!("front.user {name:?}: {message}")))
    }
}

/// Checks the name of the variable with a password, without quoting it.
pub(super) fn check_password_env(name: &str) -> Result<(), String> {
    check_variable("password_env", "FRONT_PASSWORD", "password", name)
}

impl FrontRoute {
    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        wrong(format!("front.route {:?}: {what}", self.name))
    }

    fn check(&self, databases: &Known<'_>) -> Result<()> {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_letter) {
            return Err(self.wrong("a name is 1 to 64 of a-z, 0-9, _ and -"));
        }
        if self.name == DEFAULT {
            return Err(self.wrong(
                "keys that no route takes are counted under this name; give the route another `name`",
            ));
        }
        let database = databases.get(&self.to, &format!("front.route {:?}", self.name))?;
        self.check_conditions()?;
        if let Some(flush) = &self.flush {
            databases.check_flush(flush, &format!("front.route {:?}, flush", self.name))?;
        }
        let prefix = database.placement.prefix();
        if self.takes_every_key() && !prefix.is_empty() {
            return Err(self.wrong(format!(
                "{:?} is placed by the prefix {prefix:?}, and the route takes keys without it: set keys = \
                 [\"{prefix}*\"]",
                self.to
            )));
        }
        for (field, text) in self.patterns() {
            let pattern = KeyPattern::parse(text)
                .map_err(|error| self.wrong(format!("{field}: {}", error.message())))?;
            if !pattern.literal().starts_with(prefix.as_bytes()) {
                return Err(self.wrong(format!(
                    "{:?} is placed by the prefix {prefix:?}, so that each of its patterns begins with it; {field} \
                     has {text:?}",
                    self.to
                )));
            }
        }
        Ok(())
    }

    /// The patterns of keys, with their fields.
    fn patterns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = self.keys.iter().map(|text| ("keys", text.as_str()));
        keys.chain(self.together.iter().map(|text| ("together", text.as_str())))
    }

    fn check_conditions(&self) -> Result<()> {
        let lists = [
            ("programs", &self.programs),
            ("users", &self.users),
            ("clients", &self.clients),
            ("scripts", &self.scripts),
        ];
        for (field, list) in lists {
            if list.iter().any(String::is_empty) {
                return Err(self.wrong(format!("{field} has an empty name; remove it")));
            }
        }
        let is_for_all = self.users.is_empty() && self.clients.is_empty() && self.select.is_empty();
        if self.takes_every_key() && is_for_all {
            return Err(self.wrong(format!(
                "it takes every key of every program, so that no route after it is reached: set keys or another \
                 condition, or remove it and set front.default = {:?}",
                self.to
            )));
        }
        Ok(())
    }
}

/// The databases of the map.
struct Known<'a>(&'a [Contract]);

impl<'a> Known<'a> {
    fn get(&self, name: &str, used_by: &str) -> Result<&'a Contract> {
        self.0.iter().find(|database| database.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|database| database.name.as_str()).collect();
            unknown("database", name, &names, used_by)
        })
    }

    /// Checks databases that `FLUSHDB` empties: each is alone on its index.
    fn check_flush(&self, names: &[String], used_by: &str) -> Result<()> {
        for name in names {
            let database = self.get(name, used_by)?;
            let prefix = database.placement.prefix();
            if !prefix.is_empty() {
                return Err(wrong(format!(
                    "{used_by}: {name:?} is placed by the prefix {prefix:?}, and FLUSHDB would empty its whole index; \
                     use `compartment flush {name}`"
                )));
            }
            let is_same = |other: &&Contract| {
                let (mine, its) = (&database.placement, &other.placement);
                other.name != *name
                    && mine.instance() == its.instance()
                    && mine.index() == its.index()
            };
            if let Some(other) = self.0.iter().find(is_same) {
                return Err(wrong(format!(
                    "{used_by}: {name:?} shares its index with {:?}, which FLUSHDB would empty too; give {name:?} an \
                     index of its own",
                    other.name
                )));
            }
        }
        Ok(())
    }
}

fn is_host_and_port(address: &str) -> bool {
    // Port 0 is any that is free.
    let address =
        address.strip_suffix(":0").map_or_else(|| address.to_owned(), |host| format!("{host}:1"));
    Host::parse(&address).is_ok_and(|host| host.port.is_some())
}
