//! The answer of a service, or why there is none.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

/// The answer of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long the service wants to be left alone: `Retry-After` in seconds.
    pub retry_after: Option<Duration>,
    /// Its body; empty if it was not asked for.
    pub body: Bytes,
}

impl Answer {
    /// Whether another request may succeed: the service is busy, or has failed itself.
    #[must_use]
    pub fn is_worth_another(&self) -> bool {
        is_worth_another(self.status)
    }
}

fn is_worth_another(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// Why a service gave no answer. Another request may succeed, except after [`NoAnswer::TooLarge`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The answer was not complete within this time.
    TimedOut(Duration),
    /// No connection, or it broke. The text is the system's cause.
    Broken(String),
    /// The answer has more bytes than this.
    TooLarge(usize),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Broken(cause) => f.write_str(cause),
            Self::TooLarge(limit) => write!(f, "its answer has more than {limit} bytes"),
        }
    }
}

impl std::error::Error for NoAnswer {}

/// The cause behind the library's own words, such as `Connection refused`.
pub(crate) fn root_of(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
