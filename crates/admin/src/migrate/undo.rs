//! Takes a migration back: what its journal says has moved goes to where it was.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::engine::header;
use super::journal::{Header, Past, PastPage};
use super::report::{GroupReport, MigrationReport};
use super::way::{Course, Lane, choose};
use super::{Item, Migration, Outcome, Rename, Routes, Way, resume};
use crate::condition::{Condition, run_of};
use crate::fitness::{Incoming, refuse_stale_replica, target_fitness};
use crate::{AdminError, Limits, Pace, Place, Progress, Result};

/// What a journal is about: its places have to be found before it can be taken back.
///
/// # Errors
/// When the file cannot be read or is no journal.
pub fn header_of(journal: &Path) -> Result<Header> {
    Ok(Past::open(journal)?.header)
}

/// Whether `migration` can go on where `journal` ends: it is of the same keys and places, has not
/// come to its end and was not taken back.
///
/// # Errors
/// As [`header_of`].
pub fn can_go_on(journal: &Path, migration: &Migration) -> Result<bool> {
    let past = Past::open(journal)?;
    let state = past.state()?;
    let is_over = state.ended || state.undone || state.deletions_done;
    Ok(past.header == header(migration) && !is_over)
}

/// Takes back the migration in `journal`. `source` and `targets` are the places of its header, in
/// its order. Keys that were kept in the source are removed from the targets where they are still
/// the same; all others move back. Where the targets were followed until nobody wrote to the source
/// any more, they hold what is newer: it is brought back as it is, and what was deleted there is
/// removed from the source. A name that stands in the source again is left in the target otherwise, and
/// counted as a conflict. Interrupted, it goes on when it is called again.
///
/// # Errors
/// When a server fails or refuses, or the journal cannot be read, or is cut off; when it was taken
/// back already.
pub async fn undo(
    journal: &Path,
    source: Place,
    targets: Vec<Place>,
    limits: Limits,
    progress: Arc<dyn Progress>,
) -> Result<MigrationReport> {
    let past = Past::open(journal)?;
    let _taken = past.take()?;
    let state = past.state()?;
    if state.undone {
        return Err(AdminError::Invalid(format!(
            "the migration in {} was taken back already",
            journal.display()
        )));
    }
    // All of it is read before any key moves: a damaged journal changes nothing.
    past.for_each_page(|_| Ok(()))?;
    let brings = past.header.keep && state.followed.is_some();
    let places = (source, targets);
    let mut back = Back::prepare(&past.header, places, brings, limits, progress.as_ref()).await?;
    resume::refuse_cut_off(journal, &back.forward).await?;
    if let Some(runs) = state.followed.filter(|_| brings && !state.deletions_done) {
        progress.begin("deleted", None);
        let sure = back.tells_deletions(&runs, progress.as_ref()).await?;
        let mut pages = pages_of(journal);
        while let Some(page) = pages.next().await? {
            let items = back.moved_items(page).await?;
            back.delete_gone(&items, sure, progress.as_ref()).await?;
        }
        // From here on a key that is not in a target may have been brought back.
        if sure {
            past.mark_deletions_done()?;
        }
    }
    progress.begin("undo", None);
    let mut pages = pages_of(journal);
    while let Some(page) = pages.next().await? {
        let items = back.moved_items(page).await?;
        back.take(&items, progress.as_ref()).await?;
    }
    let mut report = back.report;
    report.seconds = back.started.elapsed().as_secs_f64();
    if report.complete() {
        past.mark_undone(&serde_json::to_string(&report).unwrap_or_default())?;
    }
    Ok(report)
}

/// The pages of a journal, read on a thread.
struct Pages {
    pages: mpsc::Receiver<PastPage>,
    reader: Option<tokio::task::JoinHandle<Result<()>>>,
}

fn pages_of(journal: &Path) -> Pages {
    let (send, pages) = mpsc::channel::<PastPage>(2);
    let path = journal.to_owned();
    let reader = tokio::task::spawn_blocking(move || {
        Past::open(&path)?.for_each_page(|page| {
            send.blocking_send(page).map_err(|_| AdminError::Invalid("undo has stopped".into()))
        })
    });
    Pages { pages, reader: Some(reader) }
}

impl Pages {
    async fn next(&mut self) -> Result<Option<PastPage>> {
        if let Some(page) = self.pages.recv().await {
            return Ok(Some(page));
        }
        if let Some(reader) = self.reader.take() {
            reader.await.map_err(|error| AdminError::Invalid(error.to_string()))??;
        }
        Ok(None)
    }
}

/// The way back from each target.
struct Back {
    /// As it was done, to see what an open page has become.
    forward: Course,
    lanes: Vec<Lane>,
    keep: bool,
    /// Whether the targets hold what is newer, to be brought back over what the source has.
    brings: bool,
    pace: Pace,
    report: MigrationReport,
    started: Instant,
}

impl Back {
    async fn prepare(
        header: &Header,
        (source, targets): (Place, Vec<Place>),
        brings: bool,
        limits: Limits,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let rename = match &header.rename {
            Some((from, to)) => Some(Rename::parse(from, to)?),
            None => None,
        };
        let routes = Routes::of_groups(&header.groups, rename.as_ref());
        let forward = Course {
            source: source.clone(),
            targets: targets.clone(),
            routes,
            keep: header.keep,
            verify: false,
            any_way: true,
            watches_evictions: true,
            elsewhere: Vec::new(),
            shifts: Vec::new(),
        };
        refuse_unfit(&source, &targets).await?;
        let mut lanes = Vec::with_capacity(targets.len());
        let mut way = Way::Move;
        for target in targets {
            let all = vec![("undo".to_owned(), 0); header.groups.len().max(1)];
            let mut course = Course {
                source: target,
                targets: vec![source.clone()],
                routes: Routes::of_groups(&all, rename.as_ref().map(Rename::inverse).as_ref()),
                keep: false,
                verify: false,
                any_way: true,
                watches_evictions: true,
                elsewhere: Vec::new(),
                shifts: Vec::new(),
            };
            way = choose(&course).await?;
            if brings {
                // Others write over nothing.
                way = Way::Dump;
            }
            for note in course.look_at_servers().await? {
                progress.note(&format!("note: {note}"));
            }
            lanes.push(Lane::open(&course, way).await?);
        }
        let groups = header.groups.iter().map(|(group, _)| GroupReport {
            group: group.clone(),
            database: source.label().to_owned(),
            ..GroupReport::default()
        });
        let report = MigrationReport {
            way: Some(way),
            groups: groups.collect(),
            passes: 1,
            ..MigrationReport::default()
        };
        let pace = Pace::new(limits, &source).await?;
        let started = Instant::now();
        let keep = header.keep;
        Ok(Self { forward, lanes, keep, brings, pace, report, started })
    }

    /// The keys of a page that are in the target because of the migration.
    async fn moved_items(&self, page: PastPage) -> Result<Vec<Item>> {
        let left: Vec<usize> = match page.exceptions {
            Some(exceptions) => exceptions
                .into_iter()
                .filter(|(_, what)| match what.as_str() {
                    "conflict" | "gone" | "there" | "changed" | "index" => true,
                    // A copy that was there before the migration is not its to remove.
                    "same" => self.keep,
                    _ => false,
                })
                .map(|(at, _)| at)
                .collect(),
            None => {
                let outcomes = resume::look(&self.forward, &page.items).await?;
                (0..outcomes.len()).filter(|at| outcomes[*at] != Outcome::Done).collect()
            }
        };
        let left: std::collections::HashSet<usize> = left.into_iter().collect();
        let moved = page.items.into_iter().enumerate().filter(|(at, _)| !left.contains(at));
        Ok(moved.map(|(_, item)| item).collect())
    }

    async fn take(&mut self, items: &[Item], progress: &dyn Progress) -> Result<()> {
        let mut by_target: Vec<Vec<Item>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for (number, item) in items.iter().map(|item| self.there(item)) {
            if let Some(list) = by_target.get_mut(number) {
                list.push(item);
            }
        }
        for (lane, items) in self.lanes.iter_mut().zip(by_target) {
            let mut at = 0;
            while at < items.len() {
                let portion = lane.capacity().min(self.pace.batch());
                self.pace.admit(portion * lane.commands_per_key()).await?;
                let some = &items[at..items.len().min(at + portion)];
                let outcomes = match (self.brings, self.keep) {
                    (true, _) => lane.bring(some).await?,
                    (false, false) => lane.carry(some).await?,
                    (false, true) => lane.compare_standing(some).await?,
                };
                self.report.count(some, &outcomes);
                progress.advance(some.len() as u64);
                at += some.len();
            }
        }
        Ok(())
    }

    /// The number of the target that a key went to, and the key as it is named there.
    fn there(&self, item: &Item) -> (usize, Item) {
        let name = self.forward.routes.new_name(item.rule, &item.name);
        (self.forward.routes.target(item.rule), Item { name, rule: item.rule })
    }

    /// Whether a key that a target has no more was deleted there: its server has run since, and evicts
    /// nothing.
    async fn tells_deletions(&self, runs: &[String], progress: &dyn Progress) -> Result<bool> {
        for (target, run) in self.forward.targets.iter().zip(runs) {
            let evicts = Condition::of(target).await?.iter().any(Condition::may_evict);
            let why = match (run_of(target).await? == *run && run != "unknown", evicts) {
                (true, false) => continue,
                (true, true) => "may have evicted keys",
                (false, _) => "was started anew since, and may have lost keys",
            };
            progress.note(&format!(
                "note: the server of {target} {why}: what it does not have stays in {}",
                self.forward.source.label()
            ));
            return Ok(false);
        }
        Ok(true)
    }

    /// Removes from the source what was deleted in its target, where that is `sure`; else counts it.
    async fn delete_gone(
        &mut self,
        items: &[Item],
        sure: bool,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut by_target: Vec<Vec<Item>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for (number, item) in items.iter().map(|item| self.there(item)) {
            if let Some(list) = by_target.get_mut(number) {
                list.push(item);
            }
        }
        for (lane, items) in self.lanes.iter_mut().zip(by_target) {
            let gone = lane.gone_from_source(&items).await?;
            if sure {
                self.report.gone += lane.remove_from_targets(&gone).await?;
            }
            progress.advance(items.len() as u64);
        }
        Ok(())
    }
}

/// The way back is a migration too: from places that have their keys to one that keeps them.
async fn refuse_unfit(source: &Place, targets: &[Place]) -> Result<()> {
    for target in targets {
        refuse_stale_replica(target).await?;
    }
    match target_fitness(targets.first(), source, Incoming::default()).await?.refusal {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}
