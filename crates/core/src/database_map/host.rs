//! One host of a URL: a name or an address, and an optional port.

use std::fmt;
use std::net::Ipv6Addr;

use super::problem::wrong;
use crate::Result;

/// A host as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Host {
    /// A name or an IP address; an IPv6 address is without its brackets.
    pub name: String,
    /// The port, if the URL has one.
    pub port: Option<u16>,
}

impl Host {
    /// Reads `name`, `name:port`, `[address]` or `[address]:port`.
    ///
    /// # Errors
    /// The text is not quoted: an unencoded password may be parsed as a host.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let Some((address, port)) = rest.split_once(']') else {
                    return Err(wrong("the host of the URL begins with [ but has no ]"));
                };
                if address.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().is_err() {
                    return Err(wrong("the host of the URL in [ ] is not an IPv6 address"));
                }
                match port.strip_prefix(':') {
                    None if !port.is_empty() => {
                        return Err(wrong("in a URL only a port may follow the ] of a host"));
                    }
                    port => (address, port.unwrap_or_default()),
                }
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        if port.contains(':') {
            return Err(wrong(
                "the host of the URL has more than one colon: write an IPv6 address in [ ], such as \
                 redis://[::1]:6379",
            ));
        }
        if name.is_empty() {
            return Err(wrong("the URL has no host; example: redis://127.0.0.1:6379"));
        }
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
        if name.contains(|letter| is_odd(letter) || "\\%<>\"{}|^`".contains(letter))
            && !text.starts_with('[')
        {
            return Err(wrong("the host of the URL has a character that is not allowed"));
        }
        let port = match port {
            "" => None,
            port => match port.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(wrong("the port of the URL is not a number from 1 to 65535")),
            },
        };
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bracketed(&self.name))?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether two host names are equal as written: letters in any case, and `localhost` for the loopback address.
pub(super) fn is_spelled_like(name: &str, other: &str) -> bool {
    let is_loopback = |name: &str| {
        let address = name.parse::<std::net::IpAddr>();
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    name.eq_ignore_ascii_case(other) || is_loopback(name) && is_loopback(other)
}

/// A host's name in a URL: an IPv6 address in brackets.
pub(super) fn bracketed(name: &str) -> String {
    if name.contains(':') { format!("[{name}]") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_and_written() {
        for (text, name, port) in [
            ("a", "a", None),
            ("a:", "a", None),
            ("a_b.example:7000", "a_b.example", Some(7000)),
            ("[::1]", "::1", None),
            ("[fe80::1%eth0]:6380", "fe80::1%eth0", Some(6380)),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
            assert_eq!(Host::parse(&host.to_string()).unwrap(), host);
        }
        for text in ["", ":1", "::1", "::1:6379", "[::1", "[::1]6379", "[a]", "a:0", "a:65536"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
        for text in ["a:6379x", "a b", "a\\b:1", "a%20b"] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }
}
