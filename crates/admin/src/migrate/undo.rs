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
    Ok(past.header == header(migration) && !past.ended()? && !past.undone()?)
}

/// Takes back the migration in `journal`. `source` and `targets` are the places of its header, in
/// its order. Keys that were kept in the source are removed from the targets where they are still
/// the same; all others move back. A name that stands in the source again is left in the target and
/// counted as a conflict. Interrupted, it goes on when it is called again.
///
/// # Errors
/// When a server fails or refuses, or the journal cannot be read; when it was taken back already.
pub async fn undo(
    journal: &Path,
    source: Place,
    targets: Vec<Place>,
    limits: Limits,
    progress: Arc<dyn Progress>,
) -> Result<MigrationReport> {
    let past = Past::open(journal)?;
    if past.undone()? {
        return Err(AdminError::Invalid(format!(
            "the migration in {} was taken back already",
            journal.display()
        )));
    }
    let header = past.header.clone();
    let mut back = Back::prepare(&header, source, targets, limits).await?;
    progress.begin("undo", None);
    let (send, mut pages) = mpsc::channel::<PastPage>(2);
    let path = journal.to_owned();
    let reader = tokio::task::spawn_blocking(move || {
        Past::open(&path)?.for_each_page(|page| {
            send.blocking_send(page).map_err(|_| AdminError::Invalid("undo has stopped".into()))
        })
    });
    while let Some(page) = pages.recv().await {
        let items = back.moved_items(page).await?;
        back.take(&items, progress.as_ref()).await?;
    }
    reader.await.map_err(|error| AdminError::Invalid(error.to_string()))??;
    let mut report = back.report;
    report.seconds = back.started.elapsed().as_secs_f64();
    if report.complete() {
        past.mark_undone(&serde_json::to_string(&report).unwrap_or_default())?;
    }
    Ok(report)
}

/// The way back from each target.
struct Back {
    /// As it was done, to see what an open page has become.
    forward: Course,
    lanes: Vec<Lane>,
    keep: bool,
    pace: Pace,
    report: MigrationReport,
    started: Instant,
}

impl Back {
    async fn prepare(
        header: &Header,
        source: Place,
        targets: Vec<Place>,
        limits: Limits,
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
        };
        let mut lanes = Vec::with_capacity(targets.len());
        let mut way = Way::Move;
        for target in targets {
            let all = vec![("undo".to_owned(), 0); header.groups.len().max(1)];
            let course = Course {
                source: target,
                targets: vec![source.clone()],
                routes: Routes::of_groups(&all, rename.as_ref().map(Rename::inverse).as_ref()),
                keep: false,
                verify: false,
                any_way: true,
            };
            way = choose(&course).await?;
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
        Ok(Self { forward, lanes, keep: header.keep, pace, report, started: Instant::now() })
    }

    /// The keys of a page that are in the target because of the migration.
    async fn moved_items(&self, page: PastPage) -> Result<Vec<Item>> {
        let left: Vec<usize> = match page.exceptions {
            Some(exceptions) => exceptions
                .into_iter()
                .filter(|(_, what)| match what.as_str() {
                    "conflict" | "gone" | "changed" => true,
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
        for item in items {
            let number = self.forward.routes.target(item.rule);
            let name = self.forward.routes.new_name(item.rule, &item.name);
            if let Some(list) = by_target.get_mut(number) {
                list.push(Item { name, rule: item.rule });
            }
        }
        for (lane, items) in self.lanes.iter_mut().zip(by_target) {
            let mut at = 0;
            while at < items.len() {
                let portion = lane.capacity().min(self.pace.batch());
                self.pace.admit(portion * lane.commands_per_key()).await?;
                let some = &items[at..items.len().min(at + portion)];
                let outcomes = match self.keep {
                    false => lane.carry(some).await?,
                    true => lane.compare_standing(some).await?,
                };
                self.report.count(some, &outcomes);
                progress.advance(some.len() as u64);
                at += some.len();
            }
        }
        Ok(())
    }
}
