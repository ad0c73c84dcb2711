//! Decides whether the tests that need a redis-server run, and gives the reason if not.

use crate::install::{self, Presence, REDIS_SERVER};

/// The variable that declines the server with the value `none`.
const VARIABLE: &str = "COMPARTMENT_TEST_REDIS";

/// Whether the tests have a redis-server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redis {
    Present,
    /// The server was declined, with the way it was.
    Declined(&'static str),
    /// The server is missing and could not be installed, with the reason.
    Missing(String),
}

impl Redis {
    /// The reason that there is no server, if so.
    pub(super) fn absence(&self) -> Option<&str> {
        match self {
            Self::Present => None,
            Self::Declined(how) => Some(how),
            Self::Missing(why) => Some(why),
        }
    }
}

/// Looks for redis-server, and installs it if it is missing and not declined.
pub(super) fn look(no_redis: bool, no_install: bool) -> Redis {
    if no_redis {
        return Redis::Declined("redis-server is declined by --no-redis");
    }
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "none") {
        return Redis::Declined("redis-server is declined by COMPARTMENT_TEST_REDIS=none");
    }
    match install::ensure(&REDIS_SERVER, no_install) {
        Ok(Presence::Present) => Redis::Present,
        Ok(Presence::Declined) => Redis::Declined("no redis-server on PATH, and --no-install"),
        Err(failure) => Redis::Missing(failure.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declined_server_is_not_looked_for() {
        let declined = look(true, false);
        assert_eq!(declined.absence(), Some("redis-server is declined by --no-redis"));
        assert_eq!(Redis::Present.absence(), None);
    }
}
