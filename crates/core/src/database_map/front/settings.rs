//! What the front does by its settings: addresses, logins, limits, and what it does with foreign writes.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::foreign::FrontContract;
use super::route::FrontRoute;

/// The settings of the front: where it listens, who may use it, and where each key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontSettings {
    /// The addresses that programs connect to: `host:port`, or `unix:` and the path of a socket.
    pub listen: Vec<String>,
    /// The database of the keys of index 0 that no route takes. Without it such keys are refused.
    pub default: Option<String>,
    /// The routes in order: the first that fits a program and a key takes the key.
    pub routes: Vec<FrontRoute>,
    /// Who checks a program's login.
    pub login: FrontLogin,
    /// The front's own logins, if it checks them itself.
    pub users: Vec<FrontUser>,
    /// The files of TLS; without them the front speaks none.
    pub tls: Option<FrontTls>,
    /// The most programs that are connected at once.
    pub clients: u32,
    /// The longest argument of a request, in bytes.
    pub max_request: u64,
    /// The most bytes of replies that one client has not taken yet. A client above it is disconnected.
    pub max_output: u64,
    /// The threads that serve clients.
    pub threads: u32,
    /// The commands that are allowed although the front refuses them by default, in lower case: `flushall`,
    /// `config set`.
    pub allow: Vec<String>,
    /// What happens to a key that is written without the lifetime that its database requires, unless its route says
    /// otherwise.
    pub contract: FrontContract,
    /// The databases that `FLUSHDB` empties, unless a route says otherwise.
    pub flush: Vec<String>,
    /// The address of the health endpoint, `host:port`.
    pub health: Option<String>,
    /// Requests that take longer are kept as slow ones.
    pub slow: Duration,
    /// Clients that send nothing for this long are disconnected. `None` means never.
    pub idle: Option<Duration>,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:6380".to_owned()],
            default: None,
            routes: Vec::new(),
            login: FrontLogin::Server,
            users: Vec::new(),
            tls: None,
            clients: 10_000,
            max_request: 512 << 20,
            max_output: 64 << 20,
            threads: 1,
            allow: Vec::new(),
            contract: FrontContract::Repair,
            flush: Vec::new(),
            health: None,
            slow: Duration::from_millis(10),
            idle: None,
        }
    }
}

/// Who checks a program's login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FrontLogin {
    /// The server: logins are passed to it, so that its ACL decides.
    #[default]
    Server,
    /// The front, by its own users; it logs in to the server with the login of the instance's URL.
    Own,
}

impl FrontLogin {
    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Own => "own",
        }
    }
}

/// A login of the front's own. The password does not stand in the file: exactly one of the two says where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontUser {
    /// The name that programs log in with; `default` is that of programs that send a password alone.
    pub name: String,
    /// The environment variable with the password.
    pub password_env: Option<String>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
}

impl FrontUser {
    /// A login whose password is in the environment variable `password_env`.
    #[must_use]
    pub fn by_variable(name: impl Into<String>, password_env: impl Into<String>) -> Self {
        Self { name: name.into(), password_env: Some(password_env.into()), password_file: None }
    }

    /// A login whose password is in a file.
    #[must_use]
    pub fn by_file(name: impl Into<String>, password_file: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), password_env: None, password_file: Some(password_file.into()) }
    }
}

/// The files of TLS between programs and the front, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontTls {
    /// The certificate that the front shows.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed the certificates of programs. With it, programs without one are refused.
    pub client_ca: Option<PathBuf>,
}

impl FrontTls {
    /// TLS with this certificate and its key.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), client_ca: None }
    }
}
