//! The settings of the ledger: its address, an SQLite file or a PostgreSQL server, and whether it is enabled.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::{login, query};
use crate::{Error, ErrorKind, Result};

/// The settings of `[ledger]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerSettings {
    /// Whether the ledger is enabled; `None` if not configured.
    pub enabled: Option<bool>,
    /// The ledger's address.
    pub address: Option<LedgerAddress>,
}

impl LedgerSettings {
    /// The fields of the section, as TOML; a password is written as `***`.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Some(enabled) = self.enabled {
            fields.push(("enabled", enabled.to_string()));
        }
        if let Some(address) = &self.address {
            fields.push(("url", toml::Value::String(address.to_string()).to_string()));
        }
        fields
    }
}

/// The section `[ledger]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerSection {
    enabled: Option<bool>,
    url: Option<String>,
}

impl LedgerSection {
    pub(super) fn into_settings(self) -> Result<LedgerSettings> {
        let address = self.url.as_deref().map(str::parse).transpose()?;
        Ok(LedgerSettings { enabled: self.enabled, address })
    }
}

/// The address of a ledger. `Display` and `Debug` hide the password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerAddress {
    /// An SQLite file, created if it does not exist.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by its URL.
    Postgres(String),
}

impl LedgerAddress {
    /// Whether the address holds a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        let Self::Postgres(url) = self else { return false };
        let (login, place) = login::split(url.split_once("://").map_or(url, |(_, rest)| rest));
        let in_login = login.is_some_and(|login| login.contains(':') && !login.ends_with(':'));
        let query = place.split_once('?').map_or("", |(_, query)| query);
        in_login || query.split('&').any(|pair| pair.starts_with("password="))
    }

    /// The address as a URL for SQL clients, with the password. The URL creates a missing file.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a file name that is not valid UTF-8.
    pub fn reveal(&self) -> Result<String> {
        match self {
            Self::Postgres(url) => Ok(url.clone()),
            Self::Sqlite(path) => {
                // The client treats the first part of a relative path as a host.
                let path = std::path::absolute(path).map_err(|error| {
                    wrong(format!("the ledger's file {}: {error}", path.display()))
                })?;
                let Some(text) = path.to_str() else {
                    return wrong_path(&path);
                };
                let mut url = "sqlite://".to_owned();
                for letter in text.chars() {
                    match letter {
                        '%' => url.push_str("%25"),
                        '?' => url.push_str("%3F"),
                        '#' => url.push_str("%23"),
                        other => url.push(other),
                    }
                }
                url.push_str("?mode=rwc");
                Ok(url)
            }
        }
    }
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Configuration, "open ledger", what)
}

fn wrong_path<T>(path: &Path) -> Result<T> {
    Err(wrong(format!("the ledger's file {} has a name that is not valid UTF-8", path.display())))
}

impl FromStr for LedgerAddress {
    type Err = Error;

    /// Parses `sqlite://path`, `sqlite:path` or a path; `postgres://` or `postgresql://`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        if is("postgres") || is("postgresql") {
            return postgres(rest)
                .map(|place| Self::Postgres(format!("{}://{place}", scheme.to_ascii_lowercase())));
        }
        let path = if is("sqlite") { sqlite(rest)? } else { text };
        if let Some((scheme, _)) = path.split_once("://") {
            return Err(wrong(format!(
                "a ledger needs sqlite://FILE or postgres://HOST/DATABASE, not {scheme}://"
            )));
        }
        if path.is_empty() || path == ":memory:" || path.ends_with('/') {
            return Err(wrong("a ledger needs a file: sqlite://FILE, or its path".to_owned()));
        }
        Ok(Self::Sqlite(path.into()))
    }
}

/// The query keys that the PostgreSQL client knows. (It ignores others.)
const POSTGRES_KEYS: [&str; 13] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// The part after `postgres:`, checked.
fn postgres(rest: &str) -> Result<&str> {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(wrong("a ledger's URL is postgres://HOST/DATABASE".to_owned()));
    };
    let (login, place) = login::split(rest);
    login::check(login)?;
    if place.contains('#') {
        return Err(wrong("the ledger's URL has a `#`, which is not supported".into()));
    }
    if let Some((_, query)) = place.split_once('?') {
        query::pairs(query, &POSTGRES_KEYS)?;
    }
    Ok(rest)
}

/// The path after `sqlite:`; a `?` ends it, as for the SQL clients.
fn sqlite(rest: &str) -> Result<&str> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    for (_, mode) in query::pairs(query, &["mode"])? {
        if mode != "rwc" {
            return Err(wrong(
                "the file of a ledger is written, and created if it does not exist: \
                              its mode must be rwc"
                    .to_owned(),
            ));
        }
    }
    Ok(path)
}

impl fmt::Display for LedgerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In a URL a `?` would end the name.
            Self::Sqlite(path) if path.to_string_lossy().contains('?') => path.display().fmt(f),
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                let (login, place) = login::split(rest);
                write!(f, "{scheme}://{}", login::shown(login))?;
                // The part after a `?` may hold a secret too, and is left out.
                let place = place.split(['?', '#']).next().unwrap_or_default();
                f.write_str(place)
            }
        }
    }
}

impl fmt::Debug for LedgerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatabaseMapBuilder;

    #[test]
    fn a_path_is_a_file_and_a_url_is_what_it_says() {
        for text in
            ["tasks.db", "sqlite://tasks.db", "sqlite:tasks.db", "SQLite://tasks.db?mode=rwc"]
        {
            let address: LedgerAddress = text.parse().unwrap();
            assert_eq!(address, LedgerAddress::Sqlite("tasks.db".into()));
        }
        let odd = LedgerAddress::Sqlite("/a b/50%?#.db".into());
        assert_eq!(odd.to_string().parse::<LedgerAddress>().unwrap(), odd);
        let url = odd.reveal().unwrap();
        assert_eq!(url, "sqlite:///a b/50%25%3F%23.db?mode=rwc");
        let error = "mysql://host/x".parse::<LedgerAddress>().unwrap_err();
        assert!(error.to_string().contains("not mysql://"), "{error}");
        for (text, says) in [
            ("", "needs a file"),
            ("sqlite://tasks.db?mode=ro", "rwc"),
            ("sqlite://tasks.db?cache=shared", "\"cache\""),
            ("postgres://h/d?ssl_mode=off", "\"ssl_mode\""),
            ("postgres://h/d#x", "`#`"),
            ("postgres:h/d", "postgres://HOST"),
        ] {
            let error = text.parse::<LedgerAddress>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let address: LedgerAddress = "POSTGRES://h/d?sslmode=require".parse().unwrap();
        assert_eq!(address.reveal().unwrap(), "postgres://h/d?sslmode=require");
    }

    #[test]
    fn a_file_says_where_it_is() {
        let text = "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[ledger]\n";
        let build = |line: &str| DatabaseMapBuilder::toml(&format!("{text}{line}"))?.build();
        let map = build("url = \"postgres://anna:s3cret@db/tasks\"").unwrap();
        let url = map.ledger().address.as_ref().unwrap().reveal().unwrap();
        assert_eq!(url, "postgres://anna:s3cret@db/tasks");
        assert!(!format!("{map:?}").contains("s3cret"));
        let written = map.to_toml();
        assert!(written.contains("[ledger]\nurl = \"postgres://anna:***@db/tasks\""), "{written}");
        assert_eq!(build("enabled = false").unwrap().ledger().enabled, Some(false));
        let error = build("adress = \"x\"").unwrap_err().to_string();
        assert!(error.contains("url"), "{error}");
        let error = build("url = \"mysql://h/d\"").unwrap_err().to_string();
        assert!(error.contains("not mysql://"), "{error}");
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://anna:s3cr%40t@db.example:5432/tasks?password=s3cret",
            "postgres://anna:s3cr@t@db.example:5432/tasks",
        ] {
            let address: LedgerAddress = url.parse().unwrap();
            assert_eq!(address.to_string(), "postgres://anna:***@db.example:5432/tasks");
            assert!(!format!("{address:?}").contains("s3cr"));
        }
        let raw = "postgres://anna:s3#cret@db.example/tasks".parse::<LedgerAddress>().unwrap_err();
        assert!(!format!("{raw} {raw:?}").contains("cret"), "{raw}");
        let open: LedgerAddress = "postgres://db.example/tasks".parse().unwrap();
        let holds = |url: &str| url.parse::<LedgerAddress>().unwrap().has_password();
        assert!(holds("postgres://anna:s3cret@h/d") && holds("postgres://h/d?user=a&password=b"));
        assert!(!holds("postgres://anna@h/d") && !holds("tasks.db") && !open.has_password());
        assert_eq!(open.to_string(), "postgres://db.example/tasks");
    }
}
