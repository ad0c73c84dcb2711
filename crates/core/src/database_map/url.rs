//! Parses and shows the URLs of servers.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::host::{self, Host};
use super::problem::wrong;
use super::tls_files::TlsFiles;
use super::{login, query};
use crate::Result;

/// The kind of instance in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `memory://`: in this process.
    Memory,
    /// `redis://`, or `rediss://` with TLS: one server.
    Standalone,
    /// `redis+unix://`: one server, through a socket file.
    Unix,
    /// `redis+sentinel://host,host/service`: the master that Sentinel names.
    Sentinel,
    /// `redis+cluster://host,host`: a cluster.
    Cluster,
}

/// The URL of an instance. `Display` and `Debug` show it without its password and without an index.
///
/// | form | names |
/// |---|---|
/// | `memory://` | this process |
/// | `redis://user:password@host:6379/3`, `rediss://…` | one server, and perhaps an index |
/// | `redis+unix://user:password@/path?db=3`, `unix://…`, `redis+socket://…?virtual_host=3`, `socket://…` | one server by its socket |
/// | `redis+sentinel://host,host/service/3`, `rediss+sentinel://…` | the master of a service |
/// | `redis+cluster://host,host`, `rediss+cluster://…` | a cluster |
///
/// `valkey` and `valkeys` mean `redis` and `rediss`. Schemes are case-insensitive. The index is in the path, or a
/// query parameter `db`, `virtual_host` or `database`; a login may be in the parameters `username` and `password`,
/// and files for TLS in `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`. Other parameters are rejected.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InstanceUrl {
    scheme: Scheme,
    tls: bool,
    text: String,
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    /// Sentinel's service, or the path of a socket.
    name: String,
    index: Option<u32>,
    files: [Option<PathBuf>; 3],
}

const SCHEMES: [(&str, Scheme, bool); 13] = [
    ("memory", Scheme::Memory, false),
    ("redis", Scheme::Standalone, false),
    ("rediss", Scheme::Standalone, true),
    ("valkey", Scheme::Standalone, false),
    ("valkeys", Scheme::Standalone, true),
    ("redis+unix", Scheme::Unix, false),
    ("unix", Scheme::Unix, false),
    ("redis+socket", Scheme::Unix, false),
    ("socket", Scheme::Unix, false),
    ("redis+sentinel", Scheme::Sentinel, false),
    ("rediss+sentinel", Scheme::Sentinel, true),
    ("redis+cluster", Scheme::Cluster, false),
    ("rediss+cluster", Scheme::Cluster, true),
];

/// Query parameters for the index: of redis-py, kombu and Lettuce.
const INDEX_KEYS: [&str; 3] = ["db", "virtual_host", "database"];
const LOGIN_KEYS: [&str; 2] = ["username", "password"];
const FILE_KEYS: [&str; 3] = ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"];
/// Parameters about checking the server's certificate, which is always checked.
const CHECK_KEYS: [&str; 2] = ["ssl_cert_reqs", "ssl_check_hostname"];

/// The default ports of a server and of a Sentinel.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

impl InstanceUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`], with the part that cannot be parsed. The URL is not quoted, since it may
    /// contain a password.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let known = || SCHEMES.map(|(name, ..)| format!("{name}://")).join(", ");
        let Some((written, rest)) = text.split_once("://") else {
            return Err(wrong(format!(
                "the URL has no scheme; it must begin with one of {}, as in redis://127.0.0.1:6379",
                known()
            )));
        };
        let found = SCHEMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(written));
        let Some((_, scheme, tls)) = found else {
            // The text in place of a scheme may be part of a password.
            return Err(wrong(format!(
                "the URL has an unknown scheme; it must begin with one of {}",
                known()
            )));
        };
        let mut url = Self {
            scheme: *scheme,
            tls: *tls,
            text: text.to_owned(),
            user: None,
            password: None,
            hosts: Vec::new(),
            name: String::new(),
            index: None,
            files: [None, None, None],
        };
        let (login, place) = url.split_login(rest);
        login::check(login)?;
        if let Some(login) = login {
            (url.user, url.password) = login::read(login)?;
        }
        if place.contains('#') {
            return Err(wrong("the URL has a `#`, which is not supported"));
        }
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        url.read_place(place)?;
        url.read_query(query)?;
        Ok(url)
    }

    fn split_login<'a>(&self, rest: &'a str) -> (Option<&'a str>, &'a str) {
        match self.scheme {
            Scheme::Unix => login::split_before_path(rest),
            _ => login::split(rest),
        }
    }

    fn read_place(&mut self, place: &str) -> Result<()> {
        if self.scheme == Scheme::Memory {
            return match (place, self.user.is_some() || self.password.is_some()) {
                ("", false) => Ok(()),
                _ => Err(wrong("memory:// is in this process: it takes no login, host or index")),
            };
        }
        let (hosts, path) = match place.find('/') {
            Some(at) => place.split_at(at),
            None => (place, ""),
        };
        let path = match percent_decode_str(path).decode_utf8() {
            Ok(path) if !path.contains(char::is_control) => path.into_owned(),
            _ => return Err(wrong("the path of the URL is not valid UTF-8")),
        };
        if self.scheme == Scheme::Unix {
            if !hosts.is_empty() || path.trim_matches('/').is_empty() {
                return Err(wrong(
                    "the URL of a socket has no host and an absolute path, so three slashes: \
                     redis+unix:///run/redis.sock?db=3",
                ));
            }
            self.name = path;
            return Ok(());
        }
        self.hosts = hosts.split(',').map(Host::parse).collect::<Result<_>>()?;
        if self.hosts.len() > 1 && self.scheme == Scheme::Standalone {
            return Err(wrong(
                "the URL has several hosts; use redis+cluster:// or redis+sentinel:// for more than one",
            ));
        }
        let path = path.strip_prefix('/').unwrap_or_default();
        // A trailing slash is ignored, as by redis-py and ioredis.
        let path = path.strip_suffix('/').unwrap_or(path);
        let index = match self.scheme {
            Scheme::Sentinel => {
                let (service, index) = path.split_once('/').unwrap_or((path, ""));
                self.name = service.to_owned();
                let is_index = service.bytes().all(|byte| byte.is_ascii_digit());
                if index.is_empty() && is_index {
                    return Err(wrong(
                        "the Sentinel URL has no service name: write redis+sentinel://host:26379/mymaster, or \
                         with an index redis+sentinel://host:26379/mymaster/3",
                    ));
                }
                index
            }
            _ => path,
        };
        if !index.is_empty() {
            self.index = Some(read_index(index)?);
        }
        Ok(())
    }

    fn read_query(&mut self, query: &str) -> Result<()> {
        let known: Vec<&'static str> = match self.scheme {
            Scheme::Memory => Vec::new(),
            Scheme::Unix => [&INDEX_KEYS[..], &LOGIN_KEYS].concat(),
            _ if self.tls => [&INDEX_KEYS[..], &LOGIN_KEYS, &FILE_KEYS, &CHECK_KEYS].concat(),
            // Without TLS there is no certificate to check, but programs leave the parameter in the URL.
            _ => [&INDEX_KEYS[..], &LOGIN_KEYS, &CHECK_KEYS].concat(),
        };
        for (key, value) in query::pairs(query, &known)? {
            if INDEX_KEYS.contains(&key) {
                let index = read_index(value.trim_start_matches('/'))?;
                if self.index.is_some_and(|other| other != index) {
                    return Err(wrong(format!(
                        "the URL has two different indexes, one of them in {key}"
                    )));
                }
                self.index = Some(index);
            } else if let Some(at) = FILE_KEYS.iter().position(|one| *one == key) {
                self.files[at] = Some(value.into());
            } else if CHECK_KEYS.contains(&key) {
                self.check_is_checked(key, &value)?;
            } else {
                let place = if key == "username" { &mut self.user } else { &mut self.password };
                if place.replace(value).is_some() {
                    return Err(wrong(format!(
                        "the URL has the {key} twice: before `@` and after `?`"
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_is_checked(&self, key: &str, value: &str) -> Result<()> {
        let is_checked = ["required", "cert_required", "true", "1", "yes"]
            .iter()
            .any(|one| one.eq_ignore_ascii_case(value));
        if is_checked || !self.tls {
            return Ok(());
        }
        Err(wrong(format!(
            "{key} turns off the check of the server's certificate, which is not supported: \
             give the certificate authority in tls_ca of the instance or in \
             ?ssl_ca_certs=/path/ca.pem"
        )))
    }

    /// The kind of instance.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The URL with its password, for connecting. Do not show it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The hosts as written; empty for memory and for a socket.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The name and port of each host, with the default port if the URL has none.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, u16)> {
        let usual = if self.scheme == Scheme::Sentinel { SENTINEL_PORT } else { PORT };
        self.hosts.iter().map(move |host| (host.name.as_str(), host.port.unwrap_or(usual)))
    }

    /// Whether both are written with a common address: the host and port of one are among the other's, or both name
    /// one socket. Login, index and TLS are ignored, and `localhost` is the loopback address. Use it to find the
    /// settings for a URL, but not to decide whether two servers are one: a server has many addresses.
    #[must_use]
    pub fn has_address_of(&self, other: &Self) -> bool {
        let same_kind = (self.scheme == Scheme::Sentinel) == (other.scheme == Scheme::Sentinel);
        let meets = |(name, port): (&str, u16)| {
            let mut others = other.addresses();
            others.any(|(known, at)| port == at && host::is_spelled_like(name, known))
        };
        match (self.scheme, other.scheme) {
            (Scheme::Unix, Scheme::Unix) => self.name == other.name,
            _ => same_kind && self.addresses().any(meets),
        }
    }

    /// The user, decoded, if the URL has one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, decoded, if the URL has one. Do not show it.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The name of Sentinel's service; empty for the other kinds.
    #[must_use]
    pub fn service(&self) -> &str {
        if self.scheme == Scheme::Sentinel { &self.name } else { "" }
    }

    /// The path of the socket; empty for the other kinds.
    #[must_use]
    pub fn socket(&self) -> &str {
        if self.scheme == Scheme::Unix { &self.name } else { "" }
    }

    /// The index of a database, if the URL has one.
    #[must_use]
    pub fn index(&self) -> Option<u32> {
        self.index
    }

    /// The URL without its password and with an index, in a form that can be parsed again.
    #[must_use]
    pub fn with_index(&self, index: u32) -> String {
        match self.scheme {
            Scheme::Memory => self.to_string(),
            Scheme::Unix => format!("{self}?db={index}"),
            _ => format!("{self}/{index}"),
        }
    }

    /// This address with the login of `other`, for a URL that was stored without its password.
    #[must_use]
    pub fn with_login_of(&self, other: &Self) -> Self {
        self.with_login(other.user.clone(), other.password.clone())
    }

    /// This address and user with another password, which is decoded text.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        self.with_login(self.user.clone(), Some(password.to_owned()))
    }

    /// This address with a login in place of its own.
    fn with_login(&self, user: Option<String>, password: Option<String>) -> Self {
        let encoded = |text: Option<&str>| {
            utf8_percent_encode(text.unwrap_or_default(), NON_ALPHANUMERIC).to_string()
        };
        let mut text = self.text.clone();
        if let Some((scheme, rest)) = self.text.split_once("://") {
            let place = query::without(self.split_login(rest).1, &LOGIN_KEYS);
            let login = match (&user, &password) {
                (None, None) => String::new(),
                (user, password) => {
                    format!("{}:{}@", encoded(user.as_deref()), encoded(password.as_deref()))
                }
            };
            text = format!("{scheme}://{login}{place}");
        }
        Self { user, password, text, ..self.clone() }
    }

    /// A text that may be a URL, or hold one, without the login: for messages about an argument that is not
    /// understood.
    #[must_use]
    pub fn hide_login(text: &str) -> String {
        login::hidden(text)
    }

    /// The files for TLS in the URL.
    #[must_use]
    pub fn tls_files(&self) -> TlsFiles {
        let [ca, certificate, key] = self.files.clone();
        TlsFiles { ca, certificate, key }
    }
}

fn read_index(text: &str) -> Result<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| {
        wrong(
            "the path of the URL, or its db, must be the index of a database, but it is not a whole \
             number; for example redis://127.0.0.1:6379/3",
        )
    })
}

impl fmt::Display for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.text.split_once("://").unwrap_or_default();
        write!(f, "{}://", scheme.to_ascii_lowercase())?;
        f.write_str(&login::shown(self.split_login(rest).0))?;
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        f.write_str(&hosts.join(","))?;
        match self.scheme {
            Scheme::Sentinel => write!(f, "/{}", self.name),
            Scheme::Unix => f.write_str(&self.name),
            // The query may hold a secret too, and is left out.
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for InstanceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceUrl({self})")
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
            "unix://me:s3c@/s3cret@/run/a.sock",
        ] {
            match InstanceUrl::parse(text) {
                Ok(url) => {
                    assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
                    assert_eq!(url.reveal(), text);
                }
                Err(error) => assert!(!format!("{error:?}").contains("s3c"), "{error}"),
            }
        }
        for text in [
            "http://:s3cret@host",
            ":s3cret@host",
            "redis://:s3cret#s3cret@",
            "redis://:s3cret",
            "redis://host:s3cret",
            "redis://host/0?s3cret",
            "redis+sentinel://user:s3c/s3cret@a:1,b:2/main",
            "redis://s3cret?s3cret@host",
        ] {
            let error = InstanceUrl::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?} {error:#?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_parts_are_found() {
        let url = InstanceUrl::parse("rediss+sentinel://me:p%40w@a:26380,b/main/3").unwrap();
        assert_eq!(url.scheme(), Scheme::Sentinel);
        assert!(url.is_tls());
        assert_eq!(url.addresses().collect::<Vec<_>>(), [("a", 26380), ("b", 26379)]);
        assert_eq!((url.user(), url.password()), (Some("me"), Some("p@w")));
        assert_eq!((url.service(), url.index()), ("main", Some(3)));
        assert_eq!(url.to_string(), "rediss+sentinel://me:***@a:26380,b/main");
        let url = InstanceUrl::parse("unix://me:pw@/run/a@b.sock?db=2").unwrap();
        assert_eq!((url.socket(), url.user(), url.index()), ("/run/a@b.sock", Some("me"), Some(2)));
        assert_eq!(url.to_string(), "unix://me:***@/run/a@b.sock");
    }

    #[test]
    fn an_index_is_read_as_other_clients_write_it() {
        for (text, index) in [
            ("redis://h", None),
            ("redis://h/", None),
            ("redis://h:1/3", Some(3)),
            ("redis://h:1/3/", Some(3)),
            ("redis://h:1/03", Some(3)),
            ("redis://h:1/%33", Some(3)),
            ("redis://h:1?db=3", Some(3)),
            ("redis://h:1/?db=3", Some(3)),
            ("redis://h:1/3?db=3", Some(3)),
            ("redis://h:1/3?ssl_cert_reqs=none", Some(3)),
            ("rediss://h:1/3?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/a.pem", Some(3)),
            ("REDIS://h:1/3", Some(3)),
            ("valkey://h:1/3", Some(3)),
            ("redis://[::1]:1/3", Some(3)),
            ("unix:///run/a.sock?db=3", Some(3)),
            ("redis+socket:///run/a.sock?virtual_host=3", Some(3)),
            ("socket:///run/a.sock?virtual_host=/3", Some(3)),
            ("redis+unix:///run/a.sock", None),
            ("redis+sentinel://h/main?db=3", Some(3)),
            ("redis+sentinel://h/0/3", Some(3)),
            ("redis+cluster://a,b/3", Some(3)),
        ] {
            assert_eq!(InstanceUrl::parse(text).unwrap().index(), index, "{text}");
        }
    }

    #[test]
    fn a_url_is_written_with_an_index_or_with_the_login_of_another() {
        let parse = |text| InstanceUrl::parse(text).unwrap();
        for (text, written) in [
            ("redis://me:pw@h:1/3", "redis://me:***@h:1/4"),
            ("valkey://h", "valkey://h/4"),
            ("unix://me:pw@/a.sock?db=3", "unix://me:***@/a.sock?db=4"),
            ("redis+sentinel://h/main/3", "redis+sentinel://h/main/4"),
        ] {
            assert_eq!(parse(text).with_index(4), written);
            assert_eq!(parse(written).index(), Some(4));
        }
        let written = parse("redis://me:***@a:1").with_login_of(&parse("redis://me:p%40s@b:2/3"));
        assert_eq!(written.reveal(), "redis://me:p%40s@a:1");
        assert_eq!(written.password(), Some("p@s"));
        let open = parse("redis://me:***@a:1").with_login_of(&parse("redis://b"));
        assert_eq!((open.reveal(), open.user()), ("redis://a:1", None));
    }

    #[test]
    fn an_address_is_recognised_however_it_is_written() {
        let meets = |a: &str, b: &str| {
            let parse = |text| InstanceUrl::parse(text).unwrap();
            parse(a).has_address_of(&parse(b))
        };
        for (a, b, wanted) in [
            ("redis://h", "redis://me:pw@H:6379/3", true),
            ("rediss://localhost:1", "redis://127.0.0.1:1", true),
            ("redis://[::1]:1", "redis://localhost:1", true),
            ("redis+cluster://a:1,b:2", "redis://b:2", true),
            ("redis://h:1", "redis://h:2", false),
            ("redis+sentinel://h:1/main", "redis://h:1", false),
            ("unix:///a.sock", "redis+socket:///a.sock?db=3", true),
            ("unix:///a.sock", "redis://h", false),
        ] {
            assert_eq!(meets(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused() {
        for (text, says) in [
            ("redis://", "no host"),
            ("redis://:6379", "no host"),
            ("redis:///3", "no host"),
            ("127.0.0.1:6379", "no scheme"),
            ("redis://h:1/x", "index"),
            ("redis://h:1/3x", "index"),
            ("redis://h:1/-3", "index"),
            ("redis://h:1/3/4", "index"),
            ("redis://h:1//3", "index"),
            ("redis://h:1/4294967296", "index"),
            ("redis://h:1/3?db=4", "two different indexes"),
            ("redis://h:1/?db=", "index"),
            ("redis://h:1/3?socket_timeout=5", "\"socket_timeout\""),
            ("redis://h:1/3?ssl_ca_certs=/a.pem", "\"ssl_ca_certs\""),
            ("rediss://h:1/3?ssl_cert_reqs=none", "not supported"),
            ("redis://h:1/3#insecure", "`#`"),
            ("redis://me:pw@h?password=pw", "twice"),
            ("redis://a,b", "several hosts"),
            ("redis://::1:6379/3", "[ ]"),
            ("redis://h:99999", "port"),
            ("redis+sentinel://h", "no service"),
            ("redis+sentinel://h/3", "no service"),
            ("redis+unix://run/a.sock", "three slashes"),
            ("redis+unix:///", "three slashes"),
            ("memory://h/3", "this process"),
            ("memory://?db=3", "\"db\""),
        ] {
            let error = InstanceUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(InstanceUrl::parse("memory://").is_ok());
        assert!(InstanceUrl::parse(" redis://h \n").is_ok());
    }
}
