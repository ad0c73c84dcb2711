//! Checks whether a migration may begin, before its journal, its preview and its first move.

use compartment_core::{Error, ErrorKind};

use super::blocked;
use super::expected::expected_bytes;
use super::way::{Course, choose, try_out};
use super::{Migration, Way};
use crate::condition::Condition;
use crate::field_lives::FieldLives;
use crate::fitness::{Incoming, judge, refuse_stale_replica};
use crate::{AdminError, Limits, Progress, Result};

/// Chooses the way of moving keys and prepares the course, with the clocks compared.
///
/// # Errors
/// Any objection to the migration; mere remarks go to `progress`.
pub(super) async fn ready(migration: &Migration, progress: &dyn Progress) -> Result<(Course, Way)> {
    let mut course = Course::of(migration);
    let way = match migration.options.way {
        None => choose(&course).await?,
        Some(way) => match try_out(&course, way).await? {
            None => way,
            Some(why) => return Err(AdminError::Invalid(why)),
        },
    };
    source_may_be_read(migration).await?;
    for warning in targets_keep_keys(migration).await? {
        progress.note(&format!("note: {warning}"));
    }
    for note in course.look_at_servers().await? {
        progress.note(&format!("note: {note}"));
    }
    Ok((course, way))
}

/// Refuses keys that cannot go as they are, unless it was chosen what becomes of them.
///
/// # Errors
/// [`AdminError::Unsafe`], before any key has moved.
pub(super) async fn refuse_what_cannot_go(
    course: &Course,
    limits: Limits,
    progress: &dyn Progress,
) -> Result<()> {
    match course.field_lives {
        FieldLives::Stop => {
            blocked::refuse(course, &blocked::look(course, limits, NAMES, progress).await?)
        }
        FieldLives::Leave | FieldLives::Drop => Ok(()),
    }
}

/// Names of such keys in an error.
const NAMES: usize = 3;

async fn source_may_be_read(migration: &Migration) -> Result<()> {
    let source = &migration.source;
    if !migration.options.stale_replica {
        refuse_stale_replica(source).await?;
    }
    if migration.options.keep {
        return Ok(());
    }
    if Condition::of(source).await?.iter().any(|one| one.replica.is_some()) {
        return Err(AdminError::Server(Error::new(
            ErrorKind::ReadOnly,
            "migrate",
            format!("{source} is a replica, and keys can be removed only on its master: use that"),
        )));
    }
    Ok(())
}

/// Remarks about the targets.
///
/// # Errors
/// When a target would not keep its keys.
async fn targets_keep_keys(migration: &Migration) -> Result<Vec<String>> {
    // Within one server a moved key takes no additional memory, unless it also stays.
    let stays_as_well = migration.options.keep;
    let mut conditions = Vec::with_capacity(migration.targets.len());
    for target in &migration.targets {
        let mut found = Condition::of(target).await?;
        if !stays_as_well && target.is_on_server_of(&migration.source).await? {
            found.iter_mut().for_each(|one| one.max_memory = None);
        }
        conditions.push(found);
    }
    let is_limited = conditions.iter().flatten().any(|one| one.free_memory().is_some());
    let expected = match is_limited {
        true => expected_bytes(migration).await?,
        false => vec![None; migration.targets.len()],
    };
    let may_be_evicted = migration.options.accept_eviction;
    let mut warnings = Vec::new();
    for (target, conditions) in migration.targets.iter().zip(&conditions) {
        // All keys for one server have to fit there together.
        let mut bytes = Some(0);
        for (other, expected) in migration.targets.iter().zip(&expected) {
            if other.is_on_server_of(target).await? {
                bytes = bytes.zip(*expected).map(|(sum, more)| sum + more);
            }
        }
        let incoming = Incoming { bytes, may_be_evicted, ..Incoming::default() };
        let fitness = judge(Some(&migration.source), target, conditions, incoming).await?;
        if let Some(refusal) = fitness.refusal {
            return Err(refusal);
        }
        warnings.extend(fitness.warnings);
    }
    Ok(warnings)
}
