//! Previews a migration without changing anything.

use std::sync::Arc;

use redis::Pipeline;
use serde::Serialize;

use super::blocked::{self, Blocked};
use super::readiness::ready;
use super::way::as_int;
use super::{Item, Migration, Way};
use crate::counted::{CountedNames, NameCounter};
use crate::{Pace, Place, Progress, Result, Walk};

/// A preview of a migration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Preview {
    /// The way in which keys would move.
    pub way: Way,
    /// The groups that have a target.
    pub groups: Vec<GroupPreview>,
    /// The servers in whose formats values would be written again, because a target does not read the source's.
    pub formats: Vec<String>,
    /// Number of keys that would stay.
    pub staying: u64,
    /// Keys that cannot go as they are.
    pub blocked: Blocked,
}

/// Names of keys that cannot go, in a preview.
const BLOCKED_NAMES: usize = 10_000;

/// The preview of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupPreview {
    /// Its name.
    pub group: String,
    /// The target's database.
    pub database: String,
    /// Number of keys that would move.
    pub keys: u64,
    /// Number of these keys whose name exists in the target.
    pub collisions: u64,
}

/// Scans the names as the migration would, and looks up each in its target.
///
/// # Errors
/// As [`super::migrate`] before it moves keys.
pub async fn preview(migration: &Migration, progress: Arc<dyn Progress>) -> Result<Preview> {
    Ok(preview_names(migration, 0, progress).await?.0)
}

/// [`preview`], with the names of the keys that would move; `None` if there are more than `max`.
///
/// # Errors
/// As [`preview`].
pub async fn preview_names(
    migration: &Migration,
    max: usize,
    progress: Arc<dyn Progress>,
) -> Result<(Preview, Option<CountedNames>)> {
    let mut counter = NameCounter::new(max);
    let (course, way) = ready(migration, progress.as_ref()).await?;
    let groups = migration.routes.groups();
    let mut preview = Preview {
        way,
        groups: groups
            .iter()
            .map(|(group, target)| GroupPreview {
                group: group.clone(),
                database: migration.targets.get(*target).map_or("", Place::label).to_owned(),
                ..GroupPreview::default()
            })
            .collect(),
        formats: course.other_formats().iter().map(ToString::to_string).collect(),
        staying: 0,
        blocked: blocked::look(&course, migration.options.limits, BLOCKED_NAMES, progress.as_ref())
            .await?,
    };
    progress.begin("look", migration.source.known_keys().await);
    let mut pace = Pace::new(migration.options.limits, &migration.source).await?;
    let mut targets = Vec::with_capacity(migration.targets.len());
    for target in &migration.targets {
        targets.push(target.open("migrate").await?);
    }
    let pattern = migration.routes.only_pattern();
    let mut walk = Walk::start(&migration.source, pattern).await?;
    while let Some(names) = walk.next_page().await? {
        pace.admit(names.len() + 1).await?;
        progress.advance(names.len() as u64);
        let mut asked: Vec<(Pipeline, Vec<usize>)> =
            targets.iter().map(|_| (Pipeline::new(), Vec::new())).collect();
        for name in names {
            let Some(rule) = migration.routes.rule_of(&name) else {
                preview.staying += 1;
                continue;
            };
            preview.groups[rule].keys += 1;
            counter.add(&name);
            let (number, name) = course.destination(&Item { name, rule });
            if let Some((pipeline, rules)) = asked.get_mut(number) {
                pipeline.cmd("EXISTS").arg(name);
                rules.push(rule);
            }
        }
        for (connection, (pipeline, rules)) in targets.iter_mut().zip(asked) {
            let answers = connection.ask_each("look for a key", &pipeline).await?;
            for (rule, answer) in rules.into_iter().zip(&answers) {
                if as_int(&course, "look for a key", answer)? == 1 {
                    preview.groups[rule].collisions += 1;
                }
            }
        }
    }
    preview.groups.retain(|group| group.keys > 0);
    Ok((preview, counter.finish()))
}
