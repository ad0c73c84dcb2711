//! Who may ask for what. It is decided here for every request, before any handler sees it.
//!
//! - The host that a browser asked for is an IP address, `localhost`, or a name that the operator gave: a name of
//!   somebody else's that leads here (DNS rebinding) is refused.
//! - A page of another origin can neither read nor change anything.
//! - The page itself, `/health` and `/ready` hold no figures and are for everybody.
//! - Figures are for this machine; others, and requests that a proxy passes on, need the token.
//! - A change, and everything of `/mcp`, always needs the token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::problem;
use crate::page;
use crate::state::Shared;

/// The address of the other side of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// To be from this machine, or the token.
    Reading,
    /// The token.
    Token,
    /// The token, and that changes are possible.
    Changing,
}

fn needs(method: &Method, path: &str) -> Option<Needs> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/health" | "/ready" => is_read.then_some(Needs::Nothing),
        _ if page::asset(path).is_some() => is_read.then_some(Needs::Nothing),
        "/mcp" => {
            matches!(*method, Method::GET | Method::POST | Method::DELETE).then_some(Needs::Token)
        }
        _ if is_read => Some(Needs::Reading),
        _ => (*method == Method::POST).then_some(Needs::Changing),
    }
}

/// Lets a request through, or answers it.
pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match check(&shared, &request) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => {
            let mut response = problem(status, why).into_response();
            if status == StatusCode::UNAUTHORIZED {
                let bearer = header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
            }
            response
        }
    }
}

type Refusal = (StatusCode, &'static str);

fn check(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let host = host_of(request).ok_or((StatusCode::BAD_REQUEST, "the request names no host"))?;
    if !is_own_host(host, &shared.options.hosts) {
        let why = "this name is not one of this server: start it with --host NAME";
        return Err((StatusCode::MISDIRECTED_REQUEST, why));
    }
    let Some(needs) = needs(request.method(), request.uri().path()) else {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST are answered"));
    };
    if needs == Needs::Nothing {
        return Ok(());
    }
    if is_of_another_origin(headers, host) {
        return Err((StatusCode::FORBIDDEN, "a page of another origin may not ask this server"));
    }
    if needs == Needs::Changing && !shared.options.allows_changes {
        return Err((StatusCode::FORBIDDEN, "changes are off: start without --read-only"));
    }
    let is_local = request.extensions().get::<Peer>().is_some_and(|peer| is_local(peer.0.ip()))
        && !is_passed_on(headers);
    if needs == Needs::Reading && is_local {
        return Ok(());
    }
    let Some(token) = &shared.options.token else {
        let why = "this needs a token, and the server has none: start it with --token-file FILE";
        return Err((StatusCode::FORBIDDEN, why));
    };
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    match shown.and_then(|value| value.strip_prefix(b"Bearer ")) {
        Some(shown) if token.is(shown) => Ok(()),
        Some(_) => Err((StatusCode::UNAUTHORIZED, "the token is wrong")),
        None => Err((StatusCode::UNAUTHORIZED, "this needs the token: Authorization: Bearer …")),
    }
}

/// The host that was asked for, without the port. Two hosts are none: they may be read differently elsewhere.
fn host_of(request: &Request) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    if hosts.next().is_some() {
        return None;
    }
    // An absolute target must name the host too.
    if let Some(authority) = request.uri().authority()
        && authority.as_str() != host
    {
        return None;
    }
    Some(host)
}

/// The name or address in `host[:port]`.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_own_host(host: &str, known: &[String]) -> bool {
    let name = name_of(host);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a browser says that a page of another origin asks.
fn is_of_another_origin(headers: &HeaderMap, host: &str) -> bool {
    let other_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    let other_origin = headers.get_all(header::ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let of = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !of.is_some_and(|of| of.eq_ignore_ascii_case(host))
    });
    other_site || other_origin
}

fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a proxy passed the request on: then the connection does not tell where it is from.
fn is_passed_on(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_name_that_nobody_gave_is_refused_and_an_address_is_not() {
        let known = ["compartment.example.org".to_owned()];
        for host in [
            "127.0.0.1:8090",
            "127.0.0.1",
            "[::1]:8090",
            "localhost",
            "LOCALHOST:8090",
            "10.1.2.3:8090",
            "compartment.example.org",
            "Compartment.Example.org:443",
        ] {
            assert!(is_own_host(host, &known), "{host}");
        }
        for host in [
            "",
            ":8090",
            "evil.example",
            "evil.example:8090",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8090",
            "evil.example.compartment.example.org.evil",
            "[::1",
            "localhost@evil.example",
        ] {
            let is_bracket = host == "[::1";
            assert!(is_bracket || !is_own_host(host, &known), "{host}");
        }
    }

    #[test]
    fn an_origin_of_another_host_scheme_or_port_is_another_origin() {
        let asks = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            is_of_another_origin(&headers, "127.0.0.1:8090")
        };
        assert!(!is_of_another_origin(&HeaderMap::new(), "127.0.0.1:8090"));
        assert!(!asks("origin", "http://127.0.0.1:8090"));
        for origin in
            ["null", "http://127.0.0.1:8091", "http://evil.example", "file://", "http://127.0.0.1"]
        {
            assert!(asks("origin", origin), "{origin}");
        }
        assert!(asks("sec-fetch-site", "cross-site") && asks("sec-fetch-site", "same-site"));
        assert!(!asks("sec-fetch-site", "same-origin") && !asks("sec-fetch-site", "none"));
    }

    #[test]
    fn only_the_page_and_probes_are_for_everybody() {
        let of = |method: Method, path: &str| needs(&method, path);
        assert_eq!(of(Method::GET, "/"), Some(Needs::Nothing));
        assert_eq!(of(Method::GET, "/health"), Some(Needs::Nothing));
        for path in [
            "/api/look",
            "/metrics",
            "//",
            "/../api/look",
            "/app.js/../api/look",
            "/%2e%2e/api",
            "/nothing",
        ] {
            assert_eq!(of(Method::GET, path), Some(Needs::Reading), "{path}");
            assert_eq!(of(Method::POST, path), Some(Needs::Changing), "{path}");
        }
        assert_eq!(of(Method::POST, "/mcp"), Some(Needs::Token));
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE] {
            assert_eq!(of(method, "/api/look"), None);
        }
        assert_eq!(of(Method::POST, "/"), None);
    }
}
