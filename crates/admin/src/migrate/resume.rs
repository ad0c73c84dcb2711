//! Settles the pages of the journal that an interrupted run may have moved.

use std::collections::HashSet;
use std::path::Path;

use redis::Pipeline;

use super::journal::{Past, PastPage};
use super::way::{Course, Lane};
use super::{Item, Outcome, Way};
use crate::{AdminError, Place, Result};

/// A page whose outcome was not written, with the outcomes found now.
pub(crate) struct SettledPage {
    pub(crate) number: u64,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Finishes what an interrupted run had under way: a key that it had copied and not yet removed from the source is
/// moved to its end. Other keys are looked up; the next pass moves those that are still in the source.
pub(crate) async fn settle(journal: &Path, course: &Course, way: Way) -> Result<Vec<SettledPage>> {
    let path = journal.to_owned();
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
    // A copy that stays as it is has nothing left to do.
    let finishes = !course.keep || course.copies.is_some();
    let mut lane = None;
    for page in open {
        let Found { mut outcomes, half_way } =
            look(course, &page.items, page.stood.as_ref()).await?;
        if finishes && !half_way.is_empty() {
            let lane = match &mut lane {
                Some(lane) => lane,
                none => none.insert(Lane::open(course, way).await?),
            };
            // None of them stood in the target.
            lane.begin_page(&page.items, &HashSet::new());
            let items: Vec<Item> = half_way.iter().map(|at| page.items[*at].clone()).collect();
            for (at, outcome) in half_way.into_iter().zip(lane.carry_in_portions(&items).await?) {
                outcomes[at] = outcome;
            }
        }
        settled.push(SettledPage { number: page.number, outcomes });
    }
    Ok(settled)
}

/// Refuses a journal that was truncated later: it ends within a page whose keys have moved. If the run
/// was interrupted while it wrote the page, none of its keys has moved.
pub(crate) async fn refuse_cut_off(journal: &Path, course: &Course) -> Result<()> {
    let Some(page) = Past::open(journal)?.torn_page()? else { return Ok(()) };
    let moved = look(course, &page.items, None).await?;
    if !moved.outcomes.contains(&Outcome::Done) {
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
    /// Positions of copies that are not finished: still in the source too, or perhaps not noted as copies to be kept
    /// in step.
    half_way: Vec<usize>,
}

/// Finds where each key is now. A key that is only in the target counts as moved; a key that is only in the source as
/// not moved. One that is in both is a copy of this migration, unless it `stood` in the target before.
pub(crate) async fn look(
    course: &Course,
    items: &[Item],
    stood: Option<&HashSet<usize>>,
) -> Result<Found> {
    let mut source = course.source.open("migrate").await?;
    let mut targets = Vec::with_capacity(course.targets.len());
    for target in &course.targets {
        targets.push(target.open("migrate").await?);
    }
    let mut found = Found { outcomes: Vec::with_capacity(items.len()), half_way: Vec::new() };
    for some in items.chunks(1_000) {
        let mut pipeline = Pipeline::with_capacity(some.len());
        for item in some {
            pipeline.cmd("EXISTS").arg(course.source_name(item));
        }
        let in_source = source.ask_each("look for a key", &pipeline).await?;
        for (item, answer) in some.iter().zip(&in_source) {
            let here = super::way::as_int(course, "look for a key", answer)? == 1;
            let (number, name) = course.destination(item);
            let mut command = redis::cmd("EXISTS");
            command.arg(name);
            let there = match targets.get_mut(number) {
                Some(target) => target.ask::<i64>("look for a key", &command).await? == 1,
                None => false,
            };
            let at = found.outcomes.len();
            let stood = stood.map(|stood| stood.contains(&at));
            let (outcome, half_way) = was(here, there, stood, course.keep);
            if half_way {
                found.half_way.push(at);
            }
            found.outcomes.push(outcome);
        }
    }
    Ok(found)
}

/// The outcome of a key that is `here`, in the source, and `there`, in the target; and whether it is a copy that the
/// migration may not have finished. `stood` tells whether the target had it before, if that is known.
fn was(here: bool, there: bool, stood: Option<bool>, keep: bool) -> (Outcome, bool) {
    match (here, there, stood) {
        (true, true, Some(false)) => (Outcome::Done, true),
        // The target's own: removed from the source, or not yet compared.
        (false, true, Some(true)) if !keep => (Outcome::Same, false),
        (true, true, Some(true)) if keep => (Outcome::Same, false),
        (false, true, Some(true)) => (Outcome::There, false),
        // Journals of earlier versions do not tell.
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
    fn a_key_in_both_places_is_a_copy_unless_it_stood_there() {
        for keep in [false, true] {
            let of = |here, there, stood| was(here, there, stood, keep);
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
