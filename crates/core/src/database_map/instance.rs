//! One server (or memory): its URL without showing the password, and how to talk to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{login, wrong};
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
        let known = || SCHEMES.map(|(name, ..)| format!("{name}://")).join(", ");
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(format!(
                "a URL has no scheme, as in redis://127.0.0.1:6379; it begins with one of {}",
                known()
            )));
        };
        let Some((_, scheme, tls)) = SCHEMES.iter().find(|(name, ..)| *name == scheme) else {
            // What stands there instead of a scheme may be a part of a password.
            return Err(wrong(format!(
                "a URL has an unknown scheme; it begins with one of {}",
                known()
            )));
        };
        login::check(rest)?;
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
        let (hosts, _) = self.hosts_and_path();
        hosts.split(',').collect()
    }

    /// User and password, still percent-encoded, where the URL has them; either may be empty.
    #[must_use]
    pub fn user_info(&self) -> Option<(&str, &str)> {
        let login = login::split(self.rest()).0?;
        Some(login.split_once(':').unwrap_or((login, "")))
    }

    /// What stands behind the hosts, without the `/`: Sentinel's service name, a socket's path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.hosts_and_path().1
    }

    fn rest(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }

    fn hosts_and_path(&self) -> (&str, &str) {
        let (_, place) = login::split(self.rest());
        let place = place.split(['?', '#']).next().unwrap_or_default();
        place.split_once('/').unwrap_or((place, ""))
    }
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.text.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "{scheme}://{}", login::shown(login::split(self.rest()).0))?;
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

/// The bounds of a time-out: a day, as nobody waits for longer.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);
const MOST_RETRIES: u32 = 1_000;

impl Instance {
    /// Whether the settings can be used.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] with the setting and its bounds.
    pub fn check(&self) -> Result<()> {
        for (name, timeout) in
            [("connect_timeout", self.connect_timeout), ("response_timeout", self.response_timeout)]
        {
            if timeout < Duration::from_millis(1) || timeout > LONGEST_TIMEOUT {
                return Err(wrong(format!("{name} is {timeout:?}; it is from 1ms to 1day")));
            }
        }
        if self.max_connections == 0 {
            return Err(wrong("max_connections is 0: at least one is needed"));
        }
        if self.retries > MOST_RETRIES {
            return Err(wrong(format!(
                "retries is {}; it is at most {MOST_RETRIES}",
                self.retries
            )));
        }
        Ok(())
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
            "redis://s3cret@host",
            "redis://me:s3c@s3cret@host",
            "redis://host/0?password=s3cret",
        ] {
            let url = InstanceUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
            assert_eq!(url.reveal(), text);
        }
        for text in [
            "http://:s3cret@host",
            ":s3cret@host",
            "redis://:s3cret#s3cret@",
            "redis+sentinel://user:s3c/s3cret@a:1,b:2/main",
            "redis://s3cret?s3cret@host",
        ] {
            let error = InstanceUrl::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?} {error:#?}").contains("s3cret"), "{error}");
        }
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
        let error = InstanceUrl::parse("127.0.0.1:6379").unwrap_err();
        assert!(error.to_string().contains("no scheme"), "{error}");
        assert!(InstanceUrl::parse("memory://").is_ok());
    }
}
