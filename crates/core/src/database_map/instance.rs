//! One server (or memory): its URL without showing the password, and how to talk to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::wrong;
use crate::Result;

/// What kind of instance a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `memory://`: in this process.
    Memory,
    /// `redis://`, or `rediss://` with TLS: one server.
    Standalone,
    /// `redis+unix://`: one server, by a socket file.
    Unix,
    /// `redis+sentinel://host,host/service`: whichever server Sentinel says is the master.
    Sentinel,
    /// `redis+cluster://host,host`: a cluster.
    Cluster,
}

/// An instance's URL. `Display` and `Debug` show it without its password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InstanceUrl {
    scheme: Scheme,
    tls: bool,
    text: String,
}

const SCHEMES: [(&str, Scheme, bool); 9] = [
    ("memory", Scheme::Memory, false),
    ("redis", Scheme::Standalone, false),
    ("rediss", Scheme::Standalone, true),
    ("redis+unix", Scheme::Unix, false),
    ("unix", Scheme::Unix, false),
    ("redis+sentinel", Scheme::Sentinel, false),
    ("rediss+sentinel", Scheme::Sentinel, true),
    ("redis+cluster", Scheme::Cluster, false),
    ("rediss+cluster", Scheme::Cluster, true),
];

impl InstanceUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] naming the schemes there are. The URL is not quoted:
    /// it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        let Some((_, scheme, tls)) = SCHEMES.iter().find(|(name, ..)| *name == scheme) else {
            let known: Vec<String> = SCHEMES.iter().map(|(n, ..)| format!("{n}://")).collect();
            return Err(wrong(format!(
                "a URL of unknown form; it begins with one of {}",
                known.join(", ")
            )));
        };
        let url = Self { scheme: *scheme, tls: *tls, text: text.to_owned() };
        let needs_host = !matches!(url.scheme, Scheme::Memory | Scheme::Unix);
        if needs_host && url.hosts().iter().any(|host| host.is_empty() || host.starts_with(':')) {
            return Err(wrong(format!(
                "the URL {url} names no host; for example redis://127.0.0.1:6379"
            )));
        }
        Ok(url)
    }

    /// What kind of instance it names.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The URL with its password, for whoever connects. Do not show it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// `host:port` of each server named.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        let (authority, _) = self.authority_and_path();
        authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts).split(',').collect()
    }

    /// User and password, still percent-encoded, where the URL has them; either may be empty.
    #[must_use]
    pub fn user_info(&self) -> Option<(&str, &str)> {
        let (authority, _) = self.authority_and_path();
        let (user_info, _) = authority.rsplit_once('@')?;
        Some(user_info.split_once(':').unwrap_or((user_info, "")))
    }

    /// What stands behind the hosts, without the `/`: Sentinel's service name, a socket's path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.authority_and_path().1
    }

    fn authority_and_path(&self) -> (&str, &str) {
        let rest = self.text.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // A password may hold a slash by mistake; the hosts begin behind the last @ in any case.
        let from = rest.rfind('@').unwrap_or(0);
        match rest[from..].find('/') {
            Some(at) => (&rest[..from + at], &rest[from + at + 1..]),
            None => (rest, ""),
        }
    }
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.text.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}://")?;
        if let Some((user, password)) = self.user_info() {
            let hidden = if password.is_empty() { "" } else { ":***" };
            write!(f, "{user}{hidden}@")?;
        }
        write!(f, "{}", self.hosts().join(","))?;
        if !self.path().is_empty() {
            write!(f, "/{}", self.path())?;
        }
        // What follows a `?` may hold a secret too, and is left out.
        Ok(())
    }
}

impl fmt::Debug for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceUrl({self})")
    }
}

/// Files for TLS, in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The authority that signed the server's certificate; the system's unless given.
    pub ca: Option<PathBuf>,
    /// This client's certificate, where the server asks for one.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`.
    pub key: Option<PathBuf>,
}

/// One server (or memory) that databases live on, and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Where it is.
    pub url: InstanceUrl,
    /// The most connections this process opens to it, over all its databases; 50 unless told.
    pub max_connections: u32,
    /// How long opening a connection may take; 2 s unless told.
    pub connect_timeout: Duration,
    /// How long one answer may take; 5 s unless told. (redis-rs's own 500 ms also strikes when
    /// this process is starved of CPU.)
    pub response_timeout: Duration,
    /// How often a safe request is sent again after a passing failure; 3 unless told.
    pub retries: u32,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// What the server's `maxmemory` is meant to be, in bytes; checked, not set.
    pub expected_max_memory: Option<u64>,
    /// What the server's `maxmemory-policy` is meant to be; checked, not set.
    pub expected_eviction_policy: Option<String>,
}

impl Instance {
    /// An instance at `url` with the settings that suit most.
    ///
    /// # Errors
    /// As [`InstanceUrl::parse`].
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self {
            url: InstanceUrl::parse(url)?,
            max_connections: 50,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            retries: 3,
            tls: TlsFiles::default(),
            expected_max_memory: None,
            expected_eviction_policy: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "redis://:s3cret@host:6379",
            "rediss://user:s3cret@host",
            "redis+sentinel://user:s3c/s3cret@a:1,b:2/main",
            "redis://host/0?password=s3cret",
        ] {
            let url = InstanceUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
            assert_eq!(url.reveal(), text);
        }
        let error = InstanceUrl::parse("http://:s3cret@host").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn the_parts_are_found() {
        let url = InstanceUrl::parse("rediss+sentinel://me:pw@a:26379,b:26380/main").unwrap();
        assert_eq!(url.scheme(), Scheme::Sentinel);
        assert!(url.is_tls());
        assert_eq!(url.hosts(), ["a:26379", "b:26380"]);
        assert_eq!(url.user_info(), Some(("me", "pw")));
        assert_eq!(url.path(), "main");
        assert_eq!(url.to_string(), "rediss+sentinel://me:***@a:26379,b:26380/main");
    }

    #[test]
    fn a_url_without_host_or_scheme_is_refused() {
        assert!(InstanceUrl::parse("redis://").is_err());
        assert!(InstanceUrl::parse("redis://:6379").is_err());
        assert!(InstanceUrl::parse("127.0.0.1:6379").is_err());
        assert!(InstanceUrl::parse("memory://").is_ok());
    }
}
