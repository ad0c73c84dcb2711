//! As whom a connection is logged in at a server.

use std::fmt;

use bytes::Bytes;

/// As whom a connection is logged in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Login {
    /// As the URL of the instance says: for the front's own requests, and where the front knows its own users.
    OfUrl,
    /// Not at all, as a program that has not logged in.
    Nobody,
    /// As the program has logged in.
    User {
        /// `None` for the user `default`, by the form of `AUTH` with a password alone.
        name: Option<Bytes>,
        password: Bytes,
    },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfUrl => f.write_str("OfUrl"),
            Self::Nobody => f.write_str("Nobody"),
            Self::User { name, .. } => {
                f.debug_struct("User").field("name", name).finish_non_exhaustive()
            }
        }
    }
}
