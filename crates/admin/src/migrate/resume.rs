//! Settles the pages of the journal that an interrupted run may have moved.

use std::path::Path;

use redis::Pipeline;

use super::journal::{Past, PastPage};
use super::way::Course;
use super::{Item, Migration, Outcome};
use crate::{AdminError, Place, Result};

/// A page whose outcome was not written, with the outcomes found now.
pub(crate) struct SettledPage {
    pub(crate) number: u64,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Looks up each key of the open pages without changing anything; the next pass moves keys that are
/// still in the source.
pub(crate) async fn settle(migration: &Migration, course: &Course) -> Result<Vec<SettledPage>> {
    let path = migration.options.journal.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut open = Vec::new();
        Past::open(&path)?.for_each_page(|page| {
            if page.exceptions.is_none() {
                open.push(page);
            }
            Ok(())
        })?;
        Ok(open)
    });
    let open: Vec<PastPage> = read.await.unwrap_or_else(|error| {
        Err(AdminError::Invalid(format!("the journal could not be read: {error}")))
    })?;
    let mut settled = Vec::with_capacity(open.len());
    for page in open {
        let outcomes = look(course, &page.items).await?;
        settled.push(SettledPage { number: page.number, outcomes });
    }
    Ok(settled)
}

/// Refuses a journal that was truncated later: it ends within a page whose keys have moved. If the run
/// was interrupted while it wrote the page, none of its keys has moved.
pub(crate) async fn refuse_cut_off(journal: &Path, course: &Course) -> Result<()> {
    let Some(page) = Past::open(journal)?.torn_page()? else { return Ok(()) };
    let moved = look(course, &page.items).await?;
    if !moved.contains(&Outcome::Done) {
        return Ok(());
    }
    let targets: Vec<&str> = course.targets.iter().map(Place::label).collect();
    Err(AdminError::BadFile {
        path: journal.to_owned(),
        problem: format!(
            "the journal is cut off in the middle of page {}, and keys that were named behind that have \
             moved: nothing was changed; put the whole file in its place, or move the keys from {} to {} \
             by compartment migrate --from and --to",
            page.number,
            targets.join(", "),
            course.source.label()
        ),
    })
}

/// Finds where each key is now. A key that is only in the target counts as moved; a key in the
/// source as not moved.
pub(crate) async fn look(course: &Course, items: &[Item]) -> Result<Vec<Outcome>> {
    let mut source = course.source.open("migrate").await?;
    let mut targets = Vec::with_capacity(course.targets.len());
    for target in &course.targets {
        targets.push(target.open("migrate").await?);
    }
    let mut outcomes = Vec::with_capacity(items.len());
    for some in items.chunks(1_000) {
        let mut pipeline = Pipeline::with_capacity(some.len());
        for item in some {
            pipeline.cmd("EXISTS").arg(course.source_name(item));
        }
        let in_source = source.ask_each("look for a key", &pipeline).await?;
        for (item, answer) in some.iter().zip(&in_source) {
            let here = super::way::as_int(course, "look for a key", answer)? == 1;
            if here && !course.keep {
                outcomes.push(Outcome::Changed);
                continue;
            }
            let (number, name) = course.destination(item);
            let mut command = redis::cmd("EXISTS");
            command.arg(name);
            let there = match targets.get_mut(number) {
                Some(target) => target.ask::<i64>("look for a key", &command).await? == 1,
                None => false,
            };
            outcomes.push(match there {
                true => Outcome::Done,
                false if here => Outcome::Changed,
                false => Outcome::Gone,
            });
        }
    }
    Ok(outcomes)
}
