//! `[front]` as the file has it.

use std::path::PathBuf;

use serde::Deserialize;

use super::super::quantity::{Size, Span};
use super::check::check_password_env;
use super::foreign::FrontContract;
use super::route::FrontRoute;
use super::settings::{FrontLogin, FrontSettings, FrontTls, FrontUser};

/// `[front]` of a file. It is checked with the databases when the map is built.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FrontSection {
    listen: Option<Listen>,
    default: Option<String>,
    #[serde(default)]
    route: Vec<RouteSection>,
    #[serde(default)]
    login: FrontLogin,
    #[serde(default)]
    user: Vec<UserSection>,
    tls: Option<TlsSection>,
    clients: Option<u32>,
    max_request: Option<Size>,
    max_output: Option<Size>,
    threads: Option<u32>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    contract: FrontContract,
    #[serde(default)]
    flush: Vec<String>,
    health: Option<String>,
    slow: Option<Span>,
    idle: Option<Span>,
}

/// One address, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "listen is an address such as \"127.0.0.1:6380\", or a list of them")]
enum Listen {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteSection {
    name: Option<String>,
    to: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    together: Vec<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    clients: Vec<String>,
    #[serde(default)]
    select: Vec<u32>,
    #[serde(default)]
    scripts: Vec<String>,
    flush: Option<Vec<String>>,
    contract: Option<FrontContract>,
}

#[derive(Deserialize)]
#[serde(try_from = "UserFields")]
struct UserSection(FrontUser);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserFields {
    name: String,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsSection {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl From<FrontSection> for FrontSettings {
    fn from(section: FrontSection) -> Self {
        let usual = Self::default();
        let listen = match section.listen {
            None => usual.listen,
            Some(Listen::One(address)) => vec![address],
            Some(Listen::Several(addresses)) => addresses,
        };
        Self {
            listen,
            default: section.default,
            routes: section.route.into_iter().map(FrontRoute::from).collect(),
            login: section.login,
            users: section.user.into_iter().map(|user| user.0).collect(),
            tls: section.tls.map(FrontTls::from),
            clients: section.clients.unwrap_or(usual.clients),
            max_request: section.max_request.map_or(usual.max_request, |size| size.0),
            max_output: section.max_output.map_or(usual.max_output, |size| size.0),
            threads: section.threads.unwrap_or(usual.threads),
            allow: section.allow.iter().map(|name| name.to_ascii_lowercase()).collect(),
            contract: section.contract,
            flush: section.flush,
            health: section.health,
            slow: section.slow.map_or(usual.slow, |span| span.0),
            idle: section.idle.map(|span| span.0),
        }
    }
}

impl From<RouteSection> for FrontRoute {
    fn from(section: RouteSection) -> Self {
        let RouteSection { name, to, keys, programs, together, users, clients, .. } = section;
        let RouteSection { select, scripts, flush, contract, .. } = section;
        let name = name.unwrap_or_else(|| to.clone());
        Self {
            name,
            to,
            keys,
            programs,
            together,
            users,
            clients,
            select,
            scripts,
            flush,
            contract,
        }
    }
}

impl TryFrom<UserFields> for UserSection {
    type Error = String;

    /// A password in place of its variable is refused here already, so that no map holds it.
    fn try_from(fields: UserFields) -> Result<Self, String> {
        let UserFields { name, password_env, password_file } = fields;
        password_env.as_deref().map_or(Ok(()), check_password_env)?;
        Ok(Self(FrontUser { name, password_env, password_file }))
    }
}

impl From<TlsSection> for FrontTls {
    fn from(section: TlsSection) -> Self {
        let TlsSection { certificate, key, client_ca } = section;
        Self { certificate, key, client_ca }
    }
}
