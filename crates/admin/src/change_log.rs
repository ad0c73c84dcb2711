//! The log of changes: a stream in one database, bounded in length.

use std::collections::BTreeMap;

use compartment_core::Error;

use crate::{Place, Result};

/// The key of the log. Its prefix keeps it from cleanups and from budgets.
pub const CHANGE_LOG: &str = "compartment:changes";

/// The entries that are kept, about: the server removes old ones a node of the stream at a time.
const MAX_ENTRIES: usize = 10_000;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// Its id in the stream.
    pub id: String,
    /// When it was written by the server's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

/// Appends an entry to the log in `place`.
///
/// # Errors
/// The server's, if it does not let this user write the log, or is full; the connection's: then it is not known whether
/// the entry was written.
pub async fn append_to_log(place: &Place, fields: &[(&str, &str)]) -> Result<()> {
    let mut command = redis::cmd("XADD");
    command.arg(key(place)).arg("MAXLEN").arg("~").arg(MAX_ENTRIES).arg("*");
    for (name, value) in fields {
        command.arg(name).arg(value);
    }
    let mut connection = place.open("log").await?;
    let answer = connection.ask::<String>("write the log of changes", &command).await;
    answer.map_err(|error| in_log(place, error))?;
    Ok(())
}

/// At most `max` entries of the log in `place`, the newest first: those since `since_ms`, or all.
///
/// # Errors
/// The server's, if it does not let this user read the log.
pub async fn read_log(place: &Place, since_ms: Option<u64>, max: usize) -> Result<Vec<LogEntry>> {
    let mut command = redis::cmd("XREVRANGE");
    let start = since_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
    command.arg(key(place)).arg("+").arg(start).arg("COUNT").arg(max);
    let mut connection = place.open("log").await?;
    let answer: Vec<(String, Vec<(String, String)>)> = connection
        .ask("read the log of changes", &command)
        .await
        .map_err(|error| in_log(place, error))?;
    let entry = |(id, fields): (String, Vec<(String, String)>)| {
        let at_ms = id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or_default();
        LogEntry { at_ms, fields: fields.into_iter().collect(), id }
    };
    Ok(answer.into_iter().map(entry).collect())
}

fn key(place: &Place) -> Vec<u8> {
    place.on_server(CHANGE_LOG.as_bytes()).into_owned()
}

fn in_log(place: &Place, error: Error) -> Error {
    error.in_database(place.label()).at_key(CHANGE_LOG)
}
