//! Finds a name for a temporary key that the users of some connections may access.

use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::{Error, ErrorKind, Result};

use crate::server::Connection;

/// How many existing keys are tried, as picked by the server.
const RANDOM_KEYS: usize = 16;

/// A name that no other process uses, for a temporary key.
#[must_use]
pub fn mark(purpose: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("compartment:{purpose}:{}:{:x}", std::process::id(), now.as_nanos())
}

/// Returns `mark`, or `mark` with an existing key or one of `near` as prefix: the first name that the users of all
/// `connections` may access. An ACL such as `~page:*` allows only names that match its patterns.
///
/// # Errors
/// [`ErrorKind::Permission`] if no name is allowed; the servers'.
pub async fn allowed_name(
    connections: &mut [&mut Connection],
    mark: &str,
    near: &[Vec<u8>],
) -> Result<Vec<u8>> {
    let behind = |name: &[u8]| [name, mark.as_bytes()].concat();
    let mut refused = None;
    let mut candidates = vec![mark.as_bytes().to_vec()];
    candidates.extend(near.iter().filter(|name| !name.is_empty()).map(|name| behind(name)));
    for name in candidates {
        match is_allowed(connections, &name).await? {
            None => return Ok(name),
            why => refused = why,
        }
    }
    for _ in 0..RANDOM_KEYS {
        let Some(first) = connections.first_mut() else { break };
        let pick = redis::cmd("RANDOMKEY");
        let Ok(Some(key)) = first.ask::<Option<Vec<u8>>>("find a name", &pick).await else { break };
        let name = behind(&[key.as_slice(), b":"].concat());
        match is_allowed(connections, &name).await? {
            None => return Ok(name),
            why => refused = why,
        }
    }
    Err(refused.unwrap_or_else(|| {
        Error::new(ErrorKind::Permission, "find a name", "no key name is allowed")
    }))
}

/// The error of accessing a key of this name; `None` if it is allowed.
async fn is_allowed(connections: &mut [&mut Connection], name: &[u8]) -> Result<Option<Error>> {
    let mut look = redis::cmd("EXISTS");
    look.arg(name);
    for connection in connections {
        match connection.ask::<i64>("find a name", &look).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Permission => return Ok(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
