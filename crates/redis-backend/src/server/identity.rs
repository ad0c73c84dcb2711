//! Decides whether two addresses lead to one server, from the server's answers and not from their spelling.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_core::{Contract, DatabaseMap, Error, ErrorKind, Result};
use futures_util::future::{BoxFuture, FutureExt};

use crate::backend::RedisBackend;
use crate::server::allowed_name::{allowed_name, mark};
use crate::server::{Connection, Server};

/// The TTL of the temporary key in milliseconds, in case this process dies before it deletes it.
const MARK_MS: u32 = 10_000;

/// A connection's name in `CLIENT LIST`.
const CLIENT: &str = "compartment:identity";

/// The result, if the probes' answers suffice.
fn known(here: &Server, there: &Server) -> Option<bool> {
    let (a, b) = (&here.info().identity, &there.info().identity);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    if a.iter().any(|name| b.contains(name)) {
        return Some(true);
    }
    // One address with two run ids is a server that was restarted in between.
    (!here.url().has_address_of(there.url())).then_some(false)
}

impl Server {
    /// Whether `other` is this server, however both are addressed. It compares the run ids or the ids of a cluster's
    /// nodes. If a server hides these, it writes a key into numbered database `index` here, looks for it there, and
    /// removes it.
    ///
    /// `near` yields names, or beginnings of names, that the users may write if an ACL restricts them; it is only
    /// awaited if a key is needed.
    ///
    /// # Errors
    /// The servers'. [`ErrorKind::Permission`] if neither an id nor a key is available.
    pub async fn is_same(
        &self,
        other: &Self,
        index: u32,
        near: BoxFuture<'_, Vec<Vec<u8>>>,
    ) -> Result<bool> {
        match known(self, other) {
            Some(known) => Ok(known),
            // Boxed because it is rare, to keep the callers' futures small.
            None => {
                let work = async { self.is_same_by_a_key(other, index, &near.await).await };
                work.boxed().await
            }
        }
    }

    async fn is_same_by_a_key(&self, other: &Self, index: u32, near: &[Vec<u8>]) -> Result<bool> {
        let mut there = match other.open(index, CLIENT).await {
            Ok(connection) => connection,
            // If both were one server, it would have this index.
            Err(error) if error.kind() == ErrorKind::Configuration => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut here = self.open(index, CLIENT).await?;
        match is_seen(&mut here, &mut there, near).await {
            // A replica rejects the write; if the other is its master, the master accepts it.
            Err(error) if error.kind() == ErrorKind::ReadOnly => {
                is_seen(&mut there, &mut here, near).await
            }
            answer => answer,
        }
        .or_else(|error| match error.kind() {
            // Only the addresses are left to compare, and they are equal.
            ErrorKind::Permission if self.url() == other.url() => Ok(true),
            _ => Err(error),
        })
        .map_err(|error| {
            Error::new(
                error.kind(),
                "compare servers",
                format!(
                    "{} and {} may be one server, and neither INFO nor a key can tell: {}; allow the \
                     user +info, which shows the run id",
                    self.url(),
                    other.url(),
                    error.message()
                ),
            )
        })
    }
}

/// Whether a key written with `here` is seen with `there`.
async fn is_seen(here: &mut Connection, there: &mut Connection, near: &[Vec<u8>]) -> Result<bool> {
    let name = allowed_name(&mut [&mut *here, &mut *there], &mark("canary"), near).await?;
    let mut write = redis::cmd("SET");
    write.arg(&name).arg(1).arg("PX").arg(MARK_MS);
    here.ask::<redis::Value>("compare servers", &write).await?;
    let mut look = redis::cmd("EXISTS");
    look.arg(&name);
    let seen = there.ask::<i64>("compare servers", &look).await;
    let mut remove = redis::cmd("DEL");
    remove.arg(&name);
    let _ = here.ask::<redis::Value>("compare servers", &remove).await;
    Ok(seen? > 0)
}

/// Rejects two databases of different instances that share a server and a placement.
///
/// # Errors
/// [`ErrorKind::Configuration`] with both databases and both instances; the servers'.
pub async fn check_apart(
    map: &DatabaseMap,
    backends: &BTreeMap<String, Arc<RedisBackend>>,
) -> Result<()> {
    let placed: Vec<(&RedisBackend, Contract)> = map
        .databases()
        .iter()
        .filter_map(|contract| {
            let backend = backends.get(contract.placement.instance())?;
            Some((backend.as_ref(), backend.server().place(contract.clone())))
        })
        .collect();
    for (at, (here, first)) in placed.iter().enumerate() {
        for (there, second) in &placed[at + 1..] {
            let (a, b) = (first.placement.instance(), second.placement.instance());
            if a == b || !DatabaseMap::would_overlap(first, second) {
                continue;
            }
            let (here, there) = (here.as_server(), there.as_server());
            let near = vec![first.placement.prefix().into(), second.placement.prefix().into()];
            let near = std::future::ready(near).boxed();
            if here.is_same(&there, first.placement.index(), near).await? {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "open databases",
                    format!(
                        "{:?} and {:?} are in one place: the instances {a:?} ({}) and {b:?} ({}) are \
                         one server, and both databases are at its index {}; give each an index of \
                         its own, or let both say shared = true",
                        first.name,
                        second.name,
                        here.url(),
                        there.url(),
                        first.placement.index()
                    ),
                ));
            }
        }
    }
    Ok(())
}
