//! Converts redis-rs's errors to Compartment's.

use compartment_core::{Error, ErrorKind};
use redis::{ErrorKind as RedisErrorKind, RedisError, ServerErrorKind};

use crate::secrets;

/// The phase in which a request failed; it determines whether the request may have been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// While the connection was opened: nothing was sent.
    Connect,
    /// After the request was passed to a connection.
    Request,
}

/// The message of a connection whose server passed a bound of its answers.
pub(crate) const TOO_MUCH: &str =
    "the server answers more than it was asked for; the connection was closed";

/// Whether the server does not have a command, or refuses it to this user: then there may be another way, or less to
/// show.
#[must_use]
pub fn is_hidden(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Permission | ErrorKind::Unsupported)
}

/// The error of `operation`, with advice.
pub(crate) fn convert(operation: &'static str, phase: Phase, error: &RedisError) -> Error {
    let kind = classify(phase, error);
    let all = format!("{error} {}", error.detail().unwrap_or_default());
    if secrets::are_in(&all) {
        return Error::new(kind, operation, explain(kind, secrets::unless_in(&all)));
    }
    let said = shorten(&error.detail().map_or_else(|| error.to_string(), str::to_owned));
    Error::new(kind, operation, explain(kind, &said)).caused_by(error.clone())
}

fn classify(phase: Phase, error: &RedisError) -> ErrorKind {
    match error.kind() {
        RedisErrorKind::Server(kind) => classify_server(kind, &text_of(error)),
        RedisErrorKind::Extension => classify_code(error.code().unwrap_or_default()),
        RedisErrorKind::AuthenticationFailed => classify_authentication(&text_of(error)),
        RedisErrorKind::InvalidClientConfig | RedisErrorKind::EmptySentinelList => {
            ErrorKind::Configuration
        }
        RedisErrorKind::Io if error.is_timeout() && phase == Phase::Connect => {
            ErrorKind::Unavailable
        }
        RedisErrorKind::Io if error.is_timeout() => ErrorKind::Timeout,
        // Asked again, it would answer too much again.
        RedisErrorKind::Io if is_too_much(error) => ErrorKind::Protocol,
        RedisErrorKind::Io if is_tls_failure(error) => ErrorKind::Protocol,
        RedisErrorKind::Io | RedisErrorKind::Client if phase == Phase::Connect => {
            ErrorKind::Unavailable
        }
        RedisErrorKind::Io | RedisErrorKind::Client => ErrorKind::Interrupted,
        RedisErrorKind::ClusterConnectionNotFound
        | RedisErrorKind::MasterNameNotFoundBySentinel
        | RedisErrorKind::NoValidReplicasFoundBySentinel => ErrorKind::Unavailable,
        RedisErrorKind::Parse
        | RedisErrorKind::UnexpectedReturnType
        | RedisErrorKind::RESP3NotSupported => ErrorKind::Protocol,
        // redis-rs may add kinds in a minor version; an unknown one is not retried.
        _ => ErrorKind::Protocol,
    }
}

fn classify_server(kind: ServerErrorKind, text: &str) -> ErrorKind {
    match kind {
        ServerErrorKind::BusyLoading
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown
        | ServerErrorKind::Moved
        | ServerErrorKind::Ask => ErrorKind::NotReady,
        ServerErrorKind::ReadOnly => ErrorKind::ReadOnly,
        ServerErrorKind::NoPerm => ErrorKind::Permission,
        ServerErrorKind::CrossSlot | ServerErrorKind::NoScript => ErrorKind::Unsupported,
        _ => classify_response(text),
    }
}

/// Classifies answers that begin with a plain `ERR` by their text.
fn classify_response(text: &str) -> ErrorKind {
    let says = |part: &str| text.contains(part);
    if says("WRONGTYPE") {
        ErrorKind::WrongType
    } else if is_not_ready(text) {
        ErrorKind::NotReady
    } else if says("not an integer") || says("would overflow") {
        ErrorKind::NotANumber
    } else if says("invalid bulk length") || says("exceeds maximum allowed size") {
        ErrorKind::InvalidArgument
    } else if says("DB index is out of range") || says("SELECT is not allowed") {
        ErrorKind::Configuration
    } else if says("max number of clients") {
        ErrorKind::Unavailable
    } else if says("OOM command") {
        ErrorKind::OutOfMemory
    } else if says("MISCONF") {
        ErrorKind::ReadOnly
    } else if says("unknown command") || says("unknown subcommand") || says("Unknown Redis command")
    {
        ErrorKind::Unsupported
    } else if says("The user executing the script") || says("NOPERM") || says("no permissions") {
        ErrorKind::Permission
    } else if says("invalid password") || says("without any password") {
        ErrorKind::Authentication
    } else {
        ErrorKind::Protocol
    }
}

fn classify_code(code: &str) -> ErrorKind {
    match code {
        "WRONGTYPE" => ErrorKind::WrongType,
        "OOM" => ErrorKind::OutOfMemory,
        // Protected mode accepts only clients on the server's own machine.
        "NOAUTH" | "WRONGPASS" | "DENIED" => ErrorKind::Authentication,
        "MISCONF" | "NOREPLICAS" => ErrorKind::ReadOnly,
        "BUSY" | "BUSYKEY" => ErrorKind::NotReady,
        "NOPROTO" => ErrorKind::Protocol,
        _ => ErrorKind::Protocol,
    }
}

/// Whether the text says that the server cannot answer now. In the handshake redis-rs drops the error code.
fn is_not_ready(text: &str) -> bool {
    ["Redis is busy", "Valkey is busy", "is loading the dataset", "Link with MASTER is down"]
        .iter()
        .any(|words| text.contains(words))
}

/// redis-rs reports any failure of the handshake as failed authentication.
fn classify_authentication(text: &str) -> ErrorKind {
    if text.contains("LOADING") || is_not_ready(text) {
        ErrorKind::NotReady
    } else if text.contains("max number of clients") {
        ErrorKind::Unavailable
    } else if text.contains(TOO_MUCH) {
        ErrorKind::Protocol
    } else {
        ErrorKind::Authentication
    }
}

/// Whether the server passed a bound of its answers.
fn is_too_much(error: &RedisError) -> bool {
    text_of(error).contains(TOO_MUCH)
}

fn is_tls_failure(error: &RedisError) -> bool {
    let text = text_of(error).to_ascii_lowercase();
    text.contains("certificate") || text.contains("tls") || text.contains("corrupt message")
}

/// The whole text of the error, for matching only.
fn text_of(error: &RedisError) -> String {
    format!("{} {} {error}", error.code().unwrap_or_default(), error.detail().unwrap_or_default())
}

fn explain(kind: ErrorKind, said: &str) -> String {
    let what = match kind {
        ErrorKind::WrongType => return "the key holds another type of value".into(),
        ErrorKind::NotANumber => {
            return "the value is not a whole number, or the sum leaves the range of i64".into();
        }
        ErrorKind::Timeout => {
            return "no answer within the response time-out; the server is busy, paused or gone"
                .into();
        }
        ErrorKind::InvalidArgument => {
            "the value is larger than the server takes: see its proto-max-bulk-len"
        }
        ErrorKind::Unavailable => "the server cannot be reached",
        ErrorKind::Interrupted => "the connection broke before the answer came",
        ErrorKind::NotReady => "the server is not ready",
        ErrorKind::ReadOnly => "the server refuses writes: it is a replica, or cannot persist them",
        ErrorKind::OutOfMemory => {
            "the server is out of memory (maxmemory reached, and nothing it may evict)"
        }
        ErrorKind::Authentication if said.contains("protected mode") => {
            "the server lets nobody in from other machines"
        }
        ErrorKind::Authentication => "the server refuses the login: check user name and password",
        ErrorKind::Permission => "the user may not do this: see ACL on the server",
        ErrorKind::Configuration => "the server cannot be used as configured",
        ErrorKind::Unsupported => "the server does not support this",
        _ => "the answer is not what a Redis server gives: check address, port and TLS",
    };
    format!("{what} ({said})")
}

/// A message of a server or parser in one line, shortened, because it may quote large values.
fn shorten(said: &str) -> String {
    const MAX_CHARS: usize = 160;
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &one_line[..at]),
        None => one_line,
    }
}
