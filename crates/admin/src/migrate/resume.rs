//! Settles the pages of the journal that an interrupted run may have moved.

use std::path::{Path, PathBuf};

use compartment_redis::Connection;
use redis::Pipeline;
use tokio::sync::Mutex;

use super::in_target::InTarget;
use super::journal::{Outcomes, Past, PastPage};
use super::lanes::Shared;
use super::patience::Patience;
use super::way::{Course, Lane, as_int};
use super::{Item, Outcome, Way};
use crate::{AdminError, Pace, Place, Result};

/// Writes down the outcomes of the pages that an interrupted run had under way. A key that it had copied and not yet
/// removed from the source is removed there now. The next pass moves the other keys that are still in the source.
pub(super) async fn settle(
    journal: &Path,
    course: &Course,
    in_target: &mut InTarget,
    way: Way,
    shared: &Shared,
    outcomes: &Outcomes,
) -> Result<()> {
    let open = open_pages(journal.to_owned()).await?;
    if open.is_empty() {
        return Ok(());
    }
    shared.progress.begin("resume", None);
    // A copy that stays as it is has nothing left to do.
    let finishes = !course.keep || course.copies.is_some();
    let mut lane = None;
    for page in open {
        let mut found = look(course, in_target, &page, shared.pace.as_ref()).await?;
        if finishes && !found.half_way.is_empty() {
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(Lane::open(course, way).await?),
            };
            let items: Vec<Item> =
                found.half_way.iter().map(|at| page.items[*at].clone()).collect();
            let became = shared.finish(lane, &items).await?;
            for (at, outcome) in found.half_way.into_iter().zip(became) {
                // An undo compares a copy that is outdated by now, and reports it.
                if !matches!(outcome, Outcome::Conflict | Outcome::Changed | Outcome::Stays) {
                    found.outcomes[at] = outcome;
                }
            }
        }
        outcomes.done(page.number, found.outcomes);
    }
    Ok(())
}

/// The pages whose outcomes were not written.
async fn open_pages(journal: PathBuf) -> Result<Vec<PastPage>> {
    let read = tokio::task::spawn_blocking(move || {
        let mut open = Vec::new();
        Past::open(&journal)?.for_each_page(|page| {
            if page.exceptions.is_none() {
                open.push(page);
            }
            Ok(())
        })?;
        Ok(open)
    });
    read.await.unwrap_or_else(|error| {
        Err(AdminError::Invalid(format!("the journal could not be read: {error}")))
    })
}

/// Refuses a journal that was truncated later: it ends within a page whose keys have moved. If the run
/// was interrupted while it wrote the page, none of its keys has moved.
pub(crate) async fn refuse_cut_off(journal: &Path, course: &Course) -> Result<()> {
    let Some(page) = Past::open(journal)?.torn_page()? else { return Ok(()) };
    // Keys that are copied over the targets' values are in both places anyway.
    if page.had.is_none() {
        return Ok(());
    }
    let mut in_target = InTarget::start(course, false).await?;
    let found = look(course, &mut in_target, &page, None).await?;
    let moved = found.outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count();
    // In a move, a key that is in both places is a program's.
    let of_programs = if course.keep { 0 } else { found.half_way.len() };
    if moved == of_programs {
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

/// Where the keys of an interrupted page are.
pub(crate) struct Found {
    pub(crate) outcomes: Vec<Outcome>,
    /// Positions of copies whose key is still in the source.
    half_way: Vec<usize>,
}

/// Finds where each key of a page is now. A key that is only in the target counts as moved; a key that is only in the
/// source as not moved. One that is in both is a copy of this migration, unless the target had it before the page.
pub(crate) async fn look(
    course: &Course,
    in_target: &mut InTarget,
    page: &PastPage,
    pace: Option<&Mutex<Pace>>,
) -> Result<Found> {
    let there = in_target.positions(&page.items, pace).await?;
    let mut source = course.source.open("migrate").await?;
    let mut found = Found { outcomes: Vec::with_capacity(page.items.len()), half_way: Vec::new() };
    for some in page.items.chunks(1_000) {
        let mut pipeline = Pipeline::with_capacity(some.len());
        for item in some {
            pipeline.cmd("EXISTS").arg(course.source_name(item));
        }
        if let Some(pace) = pace {
            pace.lock().await.admit(some.len()).await?;
        }
        let mut patience = Patience::new();
        let here = loop {
            match in_source(course, &mut source, &pipeline).await {
                Err(error) => patience.after(error).await?,
                Ok(here) => break here,
            }
        };
        for here in here {
            let at = found.outcomes.len();
            let had = page.had.as_ref().map(|had| had.contains(&at));
            let (outcome, half_way) = was(here, there.contains(&at), had, course.keep);
            if half_way {
                found.half_way.push(at);
            }
            found.outcomes.push(outcome);
        }
    }
    Ok(found)
}

async fn in_source(
    course: &Course,
    source: &mut Connection,
    questions: &Pipeline,
) -> Result<Vec<bool>> {
    let answers = source.ask_each("look for a key", questions).await?;
    let each = answers.iter();
    each.map(|answer| Ok(as_int(course, "look for a key", answer)? == 1)).collect()
}

/// The outcome of a key that is `here`, in the source, and `there`, in the target; and whether it is a copy whose key is
/// still in the source. `had` tells whether the target had it before; a page that was copied over does not.
fn was(here: bool, there: bool, had: Option<bool>, keep: bool) -> (Outcome, bool) {
    match (here, there, had) {
        (true, true, Some(false)) => (Outcome::Done, true),
        // Probably removed from the source because it was the same. It may also have expired there, with another value.
        (false, true, Some(true)) if !keep => (Outcome::Same, false),
        (true, true, Some(true)) if keep => (Outcome::Same, false),
        (false, true, Some(true)) => (Outcome::There, false),
        (true, true, None) if keep => (Outcome::Done, false),
        (true, _, _) => (Outcome::Changed, false),
        (false, true, _) => (Outcome::Done, false),
        (false, false, _) => (Outcome::Gone, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_both_places_is_a_copy_unless_the_target_had_it() {
        for keep in [false, true] {
            let of = |here, there, had| was(here, there, had, keep);
            assert_eq!(of(true, true, Some(false)), (Outcome::Done, true));
            assert_eq!(of(true, false, Some(false)), (Outcome::Changed, false));
            assert_eq!(of(false, true, Some(false)), (Outcome::Done, false));
            assert_eq!(of(false, false, Some(true)), (Outcome::Gone, false));
            assert_eq!(of(true, false, Some(true)), (Outcome::Changed, false));
        }
        // A move that compares equal values removes the source's; one that keeps them has nothing to do.
        assert_eq!(was(true, true, Some(true), false).0, Outcome::Changed);
        assert_eq!(was(false, true, Some(true), false).0, Outcome::Same);
        assert_eq!(was(true, true, Some(true), true).0, Outcome::Same);
        assert_eq!(was(false, true, Some(true), true).0, Outcome::There);
    }
}
