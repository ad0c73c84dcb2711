//! Checks that the numbered databases of a server are isolated from each other.

use compartment_core::{Error, ErrorKind, Result};

use crate::server::allowed_name::{allowed_name, mark};
use crate::server::{Connection, Server};

impl Server {
    /// Proves that the first of `indexes` that is not 0 is apart from 0. Writes a key for a moment, which
    /// expires within 10 s by itself.
    ///
    /// # Errors
    /// [`ErrorKind::NotIsolated`] where both are one; [`ErrorKind::Permission`] where neither a key nor the
    /// server's word can tell; the server's.
    pub async fn prove_isolation(&self, indexes: &[u32]) -> Result<()> {
        prove_isolation(self, indexes).await
    }
}

/// A connection's name in `CLIENT LIST`.
const CLIENT: &str = "compartment:probe";

/// Writes a canary key into the first of `indexes` that is not 0, and looks for it in 0. Some servers accept `SELECT`
/// and ignore it, so that all databases silently share one keyspace.
///
/// If the user may not write any key name that can be found, the index that the server reports for the connection has
/// to be trusted.
pub(crate) async fn prove_isolation(server: &Server, indexes: &[u32]) -> Result<()> {
    let Some(index) = indexes.iter().copied().find(|index| *index != 0) else { return Ok(()) };
    let mut there = server.open(index, CLIENT).await?;
    let mut zero = server.open(0, CLIENT).await?;
    let is_apart = match is_apart_by_a_key(&mut there, &mut zero, index).await {
        Err(error) if error.kind() == ErrorKind::Permission => {
            says_its_index(&mut there, index).await.ok_or(error)
        }
        answer => answer,
    };
    if is_apart.map_err(|error| server.at(&error))? {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NotIsolated,
        "connect",
        format!(
            "{}: the server accepts SELECT {index} and ignores it, so all databases are one; give \
             each database a prefix instead of an index, or use a server with numbered databases",
            server.url()
        ),
    ))
}

async fn is_apart_by_a_key(
    there: &mut Connection,
    zero: &mut Connection,
    index: u32,
) -> Result<bool> {
    let canary = allowed_name(&mut [&mut *there, &mut *zero], &mark("canary"), &[]).await?;
    // The key expires if this process dies before it deletes it.
    let mut write = redis::cmd("SET");
    write.arg(&canary).arg(index).arg("PX").arg(10_000);
    there.ask::<redis::Value>("connect", &write).await?;
    let mut look = redis::cmd("EXISTS");
    look.arg(&canary);
    let seen = zero.ask::<i64>("connect", &look).await;
    let mut remove = redis::cmd("DEL");
    remove.arg(&canary);
    let _ = there.ask::<redis::Value>("connect", &remove).await;
    Ok(seen? == 0)
}

/// Whether the server reports that this connection uses `index`; `None` if it does not report it.
async fn says_its_index(connection: &mut Connection, index: u32) -> Option<bool> {
    let mut about = redis::cmd("CLIENT");
    about.arg("INFO");
    let line: String = connection.ask("connect", &about).await.ok()?;
    let said = line.split(' ').find_map(|field| field.strip_prefix("db="))?;
    Some(said.trim() == index.to_string())
}
