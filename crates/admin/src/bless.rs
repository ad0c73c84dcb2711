//! Keys that a server never evicts, by `BLESS` of Redis 8.12 and later. No payload of `DUMP` has the flag.

use redis::{Cmd, Value};

use crate::info::Info;
use crate::{Place, Result};

/// The flag of such a key.
const NO_EVICT: &str = "NO-EVICT";

/// Whether a server has the command, by a field of `INFO` that came with it.
pub(crate) fn is_known(info: &Info) -> bool {
    info.get("blessed_keys").is_some()
}

/// How many keys the place's server never evicts; `None` where it does not know such.
///
/// # Errors
/// When a node cannot be reached. A server that hides `INFO` counts as one that does not know such keys.
pub(crate) async fn blessed_keys(place: &Place) -> Result<Option<u64>> {
    let mut sum = None;
    for mut node in place.open_nodes("bless").await? {
        let info = Info::ask(&mut node, &["stats"]).await.unwrap_or_default();
        if let Some(keys) = info.number::<u64>("blessed_keys") {
            sum = Some(sum.unwrap_or(0) + keys);
        }
    }
    Ok(sum)
}

/// Asks for the flags of a key.
pub(crate) fn flags_of(key: &[u8]) -> Cmd {
    let mut command = redis::cmd("BLESS");
    command.arg("GET").arg(key);
    command
}

/// Tells the server never to evict a key.
pub(crate) fn protect(key: &[u8]) -> Cmd {
    let mut command = redis::cmd("BLESS");
    command.arg("SET").arg(key).arg(NO_EVICT);
    command
}

/// Whether the answer to [`flags_of`] says that the key is never evicted.
pub(crate) fn is_protected(answer: Value) -> bool {
    let flags: Vec<String> = redis::from_redis_value(answer).unwrap_or_default();
    flags.iter().any(|flag| flag.eq_ignore_ascii_case(NO_EVICT))
}

/// Whether the server answered that the key is not there.
pub(crate) fn is_no_key(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    error.details().is_some_and(|text| text.contains("no such key"))
}
