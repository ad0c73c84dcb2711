//! Checks before any key moves that the source may be read and the target keeps its keys.

use compartment_core::{Error, ErrorKind};

use crate::condition::{Condition, Replication};
use crate::setting::setting;
use crate::size::size;
use crate::{AdminError, Place, Result};

/// Facts about the keys that are to be written to a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incoming {
    /// Approximate memory of the keys in bytes; `None` if unknown.
    pub bytes: Option<u64>,
    /// Whether the operator allows a full server to evict them.
    pub may_be_evicted: bool,
    /// Whether they belong to a cache, whose keys may always be evicted.
    pub is_cache: bool,
    /// Whether they must survive a restart, even if they would not in the source.
    pub lasts: bool,
}

/// Objections to a place as a target.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Fitness {
    /// Why it is refused, because keys would be lost there.
    pub refusal: Option<AdminError>,
    /// Further remarks, one sentence each.
    pub warnings: Vec<String>,
}

/// Whether `target` would keep the keys of `source` (`None` for keys from a file).
///
/// # Errors
/// When a server cannot be reached. Facts that it does not report raise no objection.
pub async fn target_fitness(
    source: Option<&Place>,
    target: &Place,
    incoming: Incoming,
) -> Result<Fitness> {
    let conditions = Condition::of(target).await?;
    judge(source, target, &conditions, incoming).await
}

/// Judges a server whose condition has been read.
pub(crate) async fn judge(
    source: Option<&Place>,
    target: &Place,
    conditions: &[Condition],
    incoming: Incoming,
) -> Result<Fitness> {
    let mut fitness = Fitness::default();
    if conditions.iter().any(|condition| condition.replica.is_some()) {
        fitness.refusal = Some(is_replica(target).await?);
        return Ok(fitness);
    }
    hold_memory(target, conditions, incoming, &mut fitness);
    if let Some(source) = source
        && source.is_on_server_of(target).await?
    {
        return Ok(fitness);
    }
    if conditions.iter().any(|one| one.persists == Some(false))
        && (incoming.lasts || is_kept(source).await?)
    {
        fitness.warnings.push(format!(
            "{target} does not persist (no append-only file, no snapshots): a restart loses the \
             written keys"
        ));
    }
    Ok(fitness)
}

/// Whether the keys survive a restart in the source.
async fn is_kept(source: Option<&Place>) -> Result<bool> {
    // The file remains, so nothing is lost.
    let Some(source) = source else { return Ok(false) };
    Ok(Condition::of(source).await?.iter().all(|one| one.persists == Some(true)))
}

/// The refusal of a replica: writes to it are refused, or lost at its next synchronisation.
async fn is_replica(target: &Place) -> Result<AdminError> {
    let mut connection = target.open("condition").await?;
    let is_read_only = setting(&mut connection, "replica-read-only").await;
    let writable = is_read_only.is_ok_and(|value| value.as_deref() == Some("no"));
    Ok(match writable {
        true => AdminError::Unsafe(format!(
            "{target} is a replica that accepts writes (replica-read-only no), but the next sync with \
             its master removes them: use its master"
        )),
        false => AdminError::Server(Error::new(
            ErrorKind::ReadOnly,
            "write",
            format!("{target} is a replica: use its master, or written keys would be lost"),
        )),
    })
}

fn hold_memory(
    target: &Place,
    conditions: &[Condition],
    incoming: Incoming,
    fitness: &mut Fitness,
) {
    let free: Option<u64> = conditions.iter().map(Condition::free_memory).sum();
    let Some(free) = free else { return };
    let Some(first) = conditions.first() else { return };
    let policy = first.policy.as_deref().unwrap_or("unknown");
    let evicts = conditions.iter().any(Condition::may_evict);
    let room = format!("has {} of memory left", size(free));
    let fits = incoming.bytes.is_none_or(|bytes| bytes <= free);
    let needs = incoming
        .bytes
        .map_or_else(String::new, |bytes| format!(" and the keys take about {}", size(bytes)));
    match (fits, evicts) {
        (false, true) if !incoming.may_be_evicted => {
            fitness.refusal = Some(AdminError::Unsafe(format!(
                "{target} {room}{needs}: at its limit it evicts keys (maxmemory-policy {policy}), so \
                 keys written there would be lost; raise maxmemory there, or use --accept-eviction"
            )));
        }
        (false, true) => fitness.warnings.push(format!(
            "{target} {room}{needs}: at its limit it evicts keys (maxmemory-policy {policy}), including \
             those written now"
        )),
        (false, false) => fitness.warnings.push(format!(
            "{target} {room}{needs}: at its limit it refuses writes, and the work stops"
        )),
        (true, true) if incoming.is_cache => {}
        (true, true) => fitness.warnings.push(format!(
            "{target} evicts keys once its memory is full (maxmemory-policy {policy}; it {room}{needs})"
        )),
        (true, false) => {}
    }
}

/// Refuses to read from a replica that does not have what its master has.
///
/// # Errors
/// [`AdminError::Unsafe`], with how long it has been without its master.
pub(crate) async fn refuse_stale_replica(place: &Place) -> Result<()> {
    for condition in Condition::of(place).await? {
        let Some(link) = condition.replica else { continue };
        let why = match link {
            Replication { link_is_up: true, .. } => continue,
            Replication { is_syncing: true, .. } => {
                "is still synchronizing with its master".to_owned()
            }
            Replication { down_seconds: Some(seconds), .. } => {
                format!("has been without its master for {seconds} s, so its keys may be outdated")
            }
            _ => "has never had a link to its master, so it has none of its keys".to_owned(),
        };
        return Err(AdminError::Unsafe(format!(
            "{place} is a replica that {why}: read from the master, or use --stale-replica"
        )));
    }
    Ok(())
}
