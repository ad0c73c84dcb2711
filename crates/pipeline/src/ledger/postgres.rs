//! How a ledger on PostgreSQL is reached: whether over TLS, and in which schema its tables are.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::greeting::{Greeting, Sought, greet};

/// The schema of the ledger's tables.
const SCHEMA: &str = "compartment";

/// A URL for the client, and the schema to look in; `None` where the tables are in that of the login, as an older
/// version made them, or where the URL says.
pub(super) struct Reached {
    pub(super) url: String,
    pub(super) schema: Option<&'static str>,
}

/// Decides how to reach the server of `url`, and creates the schema if it is missing.
///
/// # Errors
/// If the server cannot be reached; if it would be told a password without TLS; if the schema cannot be created or is
/// somebody else's.
pub(super) async fn reach(url: &str) -> sqlx::Result<Reached> {
    let options = PgConnectOptions::from_str(url)?;
    let mode = match mode(url, &options) {
        Mode::Of(mode) => mode,
        Mode::ByGreeting => by_greeting(&options).await?,
    };
    let url = with_mode(url, mode);
    let schema = match options.get_options() {
        Some(options) if options.contains("search_path") => None,
        _ => schema(&url).await?,
    };
    Ok(Reached { url, schema })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Of(&'static str),
    /// TLS if the server has it; otherwise only a login that does not tell it the password.
    ByGreeting,
}

/// The client's own default accepts any server, also one that has no TLS.
fn mode(url: &str, options: &PgConnectOptions) -> Mode {
    match (said(url), is_on_this_machine(options)) {
        (Some("disable"), _) => Mode::Of("disable"),
        (Some("verify-ca"), _) => Mode::Of("verify-ca"),
        (Some("verify-full"), _) => Mode::Of("verify-full"),
        // A socket has no TLS and needs none.
        _ if options.get_socket().is_some() => Mode::Of("disable"),
        (Some("require"), _) => Mode::Of("require"),
        (_, true) => Mode::ByGreeting,
        // `allow` and `prefer` let the server choose, and it may be anybody.
        (Some(_), false) => Mode::Of("require"),
        (None, false) => Mode::Of("verify-full"),
    }
}

/// The mode that the URL names.
fn said(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').rev().find_map(|pair| pair.strip_prefix("sslmode="))
}

fn is_on_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The URL with this mode, and no other.
fn with_mode(url: &str, mode: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("sslmode="));
    let mode = format!("sslmode={mode}");
    let pairs: Vec<&str> = kept.chain([mode.as_str()]).collect();
    format!("{place}?{}", pairs.join("&"))
}

async fn by_greeting(options: &PgConnectOptions) -> sqlx::Result<&'static str> {
    let sought = Sought {
        host: options.get_host(),
        port: options.get_port(),
        user: options.get_username(),
        database: options.get_database().unwrap_or_else(|| options.get_username()),
    };
    match greet(&sought).await? {
        Greeting::Tls => Ok("require"),
        Greeting::Plain => Ok("disable"),
        Greeting::WantsPassword => Err(sqlx::Error::Configuration(WANTS_PASSWORD.into())),
    }
}

/// The tables' schema, created if there are no tables yet.
async fn schema(url: &str) -> sqlx::Result<Option<&'static str>> {
    let mut connection = PgConnection::connect(url).await?;
    let found = find(&mut connection).await;
    // The answer is known, whatever becomes of the connection.
    let _ = connection.close().await;
    found
}

async fn find(connection: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
    // Whoever may create a schema could have made one of this name to read along.
    let owner = "SELECT pg_has_role(n.nspowner, 'MEMBER') OR r.rolsuper OR n.nspowner = \
                 (SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()) \
                 FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner \
                 WHERE n.nspname = $1";
    let is_trusted: Option<bool> =
        sqlx::query_scalar(owner).bind(SCHEMA).fetch_optional(&mut *connection).await?;
    if is_trusted == Some(false) {
        return Err(sqlx::Error::Configuration(NOT_OURS.into()));
    }
    let has_tables = is_trusted.is_some() && {
        let tables = "SELECT pg_catalog.to_regclass('compartment.batches') IS NOT NULL";
        sqlx::query_scalar(tables).fetch_one(&mut *connection).await?
    };
    if has_tables {
        return Ok(Some(SCHEMA));
    }
    let old = "SELECT pg_has_role(c.relowner, 'MEMBER') OR r.rolsuper OR c.relowner = \
               (SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()) \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner \
               WHERE c.oid = pg_catalog.to_regclass('processing_tasks') \
               AND pg_catalog.to_regclass('_sqlx_migrations') IS NOT NULL";
    let is_old: Option<bool> = sqlx::query_scalar(old).fetch_optional(&mut *connection).await?;
    if is_old == Some(true) {
        return Ok(None);
    }
    if is_trusted.is_none() {
        sqlx::query("CREATE SCHEMA IF NOT EXISTS compartment").execute(&mut *connection).await?;
    }
    Ok(Some(SCHEMA))
}

/// The problem with a server that would learn the password.
pub(super) const WANTS_PASSWORD: &str = "the server has no TLS and asks for the password itself, which it is not told; let it ask for scram-sha-256, or say \
     sslmode=disable in the URL if it may be told";

/// The problem with a schema that another role has made.
pub(super) const NOT_OURS: &str = "its schema \"compartment\" belongs to a role that is neither this login's, nor the \
                                   database's owner, nor a superuser; drop it, or change its owner";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_the_server_has_to_prove_who_it_is() {
        let of = |url: &str| mode(url, &PgConnectOptions::from_str(url).unwrap());
        for (url, expected) in [
            ("postgres://a:b@db.example/x", Mode::Of("verify-full")),
            ("postgres://db.example/x?application_name=a", Mode::Of("verify-full")),
            ("postgres://10.0.0.7/x", Mode::Of("verify-full")),
            ("postgres://localhost.example/x", Mode::Of("verify-full")),
            ("postgres://localhost/x?host=db.example", Mode::Of("verify-full")),
            ("postgres://db.example/x?sslmode=prefer", Mode::Of("require")),
            ("postgres://db.example/x?sslmode=allow", Mode::Of("require")),
            ("postgres://db.example/x?sslmode=require", Mode::Of("require")),
            ("postgres://db.example/x?sslmode=verify-ca", Mode::Of("verify-ca")),
            ("postgres://db.example/x?sslmode=disable", Mode::Of("disable")),
            ("postgres://a@127.0.0.1/x", Mode::ByGreeting),
            ("postgres://[::1]:7/x", Mode::ByGreeting),
            ("postgres://LOCALHOST/x?sslmode=prefer", Mode::ByGreeting),
            ("postgres://localhost/x?sslmode=verify-full", Mode::Of("verify-full")),
            ("postgres://localhost/x?sslmode=disable", Mode::Of("disable")),
            ("postgres://a@db/x?host=/run/postgresql", Mode::Of("disable")),
        ] {
            assert_eq!(of(url), expected, "{url}");
        }
    }

    #[test]
    fn a_url_has_one_mode() {
        for (url, expected) in [
            ("postgres://h/d", "postgres://h/d?sslmode=require"),
            ("postgres://h/d?sslmode=prefer", "postgres://h/d?sslmode=require"),
            ("postgres://h/d?sslmode=a&user=b&sslmode=c", "postgres://h/d?user=b&sslmode=require"),
        ] {
            assert_eq!(with_mode(url, "require"), expected);
        }
    }
}
