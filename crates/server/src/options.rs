//! How the server listens, and whom it answers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use compartment_operations::changes::{Allowed, ChangeOptions};
use sha2::{Digest, Sha256};

use crate::ServerError;

/// The port that `compartment serve` listens on: `REDIS_MONITOR_PORT` sets another.
const PORT: u16 = 8090;
/// A shorter token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The secret that a caller shows to change something, or to ask from another machine.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// A token of at least 16 visible characters without spaces.
    ///
    /// # Errors
    /// [`ServerError::Token`] for a shorter one, or one that no header can carry.
    pub fn new(text: &str) -> Result<Self, ServerError> {
        let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() < SHORTEST_TOKEN || !is_sendable {
            return Err(ServerError::Token);
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// Whether it is `shown`. The time that it takes does not tell how much of it is right, since hashes are compared.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        let differences = self.0.iter().zip(shown).fold(0, |found, (a, b)| found | (a ^ b));
        differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How the server listens, and whom it answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Where it listens; by default port 8090 of this machine alone.
    pub listen: SocketAddr,
    /// The token. Without one nobody can change anything, and it listens on this machine alone.
    pub token: Option<Token>,
    /// The names by which browsers reach it, beside its address and `localhost`: `compartment.example.org`.
    pub hosts: Vec<String>,
    /// Whether changes are possible at all.
    pub allows_changes: bool,
    /// The time between looks.
    pub interval: Duration,
    /// What agents at `/mcp` may change; by default nothing.
    pub agents: ChangeOptions,
    /// Where plans of separations lie, which the page then shows.
    pub plan_folder: Option<PathBuf>,
    /// Streams of events that are held at once; those beyond are refused.
    pub max_streams: usize,
    /// Connections that are held at once; those beyond wait.
    pub max_connections: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            token: None,
            hosts: Vec::new(),
            allows_changes: true,
            interval: Duration::from_secs(5),
            agents: ChangeOptions::new(Allowed::none()),
            plan_folder: None,
            max_streams: 1_024,
            max_connections: 2_048,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_is_shown_to_nobody() {
        assert!(Token::new("short").is_err());
        assert!(Token::new("sixteen characters with spaces").is_err());
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        assert!(
            !token.is(b"0123456789abcdeF") && !token.is(b"") && !token.is(b"0123456789abcdef0")
        );
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
