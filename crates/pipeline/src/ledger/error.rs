//! Converts errors of the SQL client to errors of compartment.

use compartment_core::{Error, ErrorKind, LedgerAddress};

use super::postgres::{NOT_OURS, WANTS_PASSWORD};

/// An error of the SQL client as an [`Error`].
pub(super) fn ledger_error(
    address: &LedgerAddress,
    operation: &'static str,
    error: sqlx::Error,
) -> Error {
    let kind = kind_of(&error);
    // The client's message about a URL may quote its password.
    let what = match &error {
        sqlx::Error::Configuration(error) => {
            let known = [NOT_OURS, WANTS_PASSWORD].into_iter();
            let mut known = known.filter(|known| error.to_string() == *known);
            known.next().unwrap_or("its address cannot be understood").to_owned()
        }
        sqlx::Error::PoolTimedOut => "no connection was available in time".to_owned(),
        other => other.to_string(),
    };
    let advice = match kind {
        _ if is_of_tls(&error) => {
            "; beyond this machine the server needs a certificate that can be verified: see \
             sslrootcert and sslmode in docs/ledger.md"
        }
        ErrorKind::Permission if operation == "open ledger" => {
            "; the login may not create the ledger's schema or its tables: let an administrator \
             execute CREATE SCHEMA compartment AUTHORIZATION for it"
        }
        ErrorKind::Unavailable | ErrorKind::NotReady => {
            "; rows wait and are written when the ledger answers"
        }
        _ => "",
    };
    let error_is_shown = !matches!(error, sqlx::Error::Configuration(_));
    let told = Error::new(kind, operation, format!("the ledger {address}: {what}{advice}"));
    if error_is_shown { told.caused_by(error) } else { told }
}

/// Whether the server has no TLS, or its certificate cannot be verified.
fn is_of_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.to_string().contains("certificate"),
        _ => false,
    }
}

/// The error for an answer that did not arrive in time.
pub(super) fn too_slow(
    address: &LedgerAddress,
    operation: &'static str,
    after: std::time::Duration,
) -> Error {
    let what = format!(
        "the ledger {address} did not answer within {} s; rows wait and are \
         written once the ledger answers",
        after.as_secs_f64()
    );
    Error::new(ErrorKind::Timeout, operation, what)
}

/// The error for a task that panicked, or that ended with its runtime.
pub(super) fn ended_early(operation: &'static str, error: &tokio::task::JoinError) -> Error {
    let what = if error.is_panic() {
        format!(
            "reading what a batch wrote for the ledger failed within Compartment: {error}; nothing is lost, but \
             the ledger of this batch stands still: please report it"
        )
    } else {
        "the program ends; the rows wait and are written by the next one".to_owned()
    };
    Error::new(ErrorKind::NotReady, operation, what)
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => ErrorKind::Unavailable,
        sqlx::Error::Configuration(_) => ErrorKind::Configuration,
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => ErrorKind::Decode,
        sqlx::Error::Database(error) => kind_of_code(error.code().as_deref().unwrap_or_default()),
        sqlx::Error::Migrate(_) => ErrorKind::Configuration,
        _ => ErrorKind::Protocol,
    }
}

/// SQLite's codes are numbers whose lower byte is the kind; PostgreSQL's have five characters.
fn kind_of_code(code: &str) -> ErrorKind {
    if code.len() != 5
        && let Ok(number) = code.parse::<u32>()
    {
        return match number & 0xff {
            5 | 6 => ErrorKind::NotReady,
            3 => ErrorKind::Permission,
            8 => ErrorKind::ReadOnly,
            10 | 14 => ErrorKind::Unavailable,
            13 => ErrorKind::OutOfMemory,
            _ => ErrorKind::Protocol,
        };
    }
    match code {
        code if code.starts_with("28") => ErrorKind::Authentication,
        code if code.starts_with("08") => ErrorKind::Interrupted,
        code if code.starts_with("53") || code.starts_with("57") => ErrorKind::NotReady,
        "40001" | "40P01" | "55P03" => ErrorKind::NotReady,
        "42501" => ErrorKind::Permission,
        "25006" => ErrorKind::ReadOnly,
        "3D000" => ErrorKind::Unknown,
        _ => ErrorKind::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_ledger_is_asked_again_and_a_wrong_password_is_not() {
        for (code, kind) in [
            ("5", ErrorKind::NotReady),
            ("517", ErrorKind::NotReady),
            ("1555", ErrorKind::Protocol),
            ("57P03", ErrorKind::NotReady),
            ("28P01", ErrorKind::Authentication),
            ("53300", ErrorKind::NotReady),
        ] {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }

    #[test]
    fn what_the_client_says_of_an_address_is_not_shown() {
        let address = LedgerAddress::Postgres("postgres://anna:s3cret@db/tasks".into());
        let error = sqlx::Error::Configuration("in anna:s3cret@db".into());
        let told = ledger_error(&address, "open ledger", error);
        assert!(!format!("{told} {told:?}").contains("s3cret"), "{told}");
    }
}
