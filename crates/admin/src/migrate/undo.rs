//! Undoes a migration: keys that moved according to its journal return to their old place.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::expected::mean_bytes;
use super::in_target::InTarget;
use super::journal::{Header, Past, PastPage};
use super::mark::Copied;
use super::report::{GroupReport, MigrationReport};
use super::way::{Course, Lane, choose};
use super::{Item, Migration, Rename, Routes, Way, resume};
use crate::field_lives::FieldLives;
use crate::fitness::{Incoming, refuse_stale_replica, target_fitness};
use crate::{AdminError, Limits, Pace, Place, Progress, Result};

/// The header of a journal; its places have to be opened before it can be undone.
///
/// # Errors
/// When the file cannot be read or is not a journal.
pub fn header_of(journal: &Path) -> Result<Header> {
    Ok(Past::open(journal)?.header)
}

/// Whether `migration` can resume `journal`: it has the same keys and places, is not complete and
/// was not undone.
///
/// # Errors
/// As [`header_of`].
pub fn can_go_on(journal: &Path, migration: &Migration) -> Result<bool> {
    let past = Past::open(journal)?;
    let state = past.state()?;
    let is_over = state.ended || state.undone || state.deletions_done;
    Ok(past.header == Header::of(migration) && !is_over)
}

/// Options of an undo.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UndoOptions {
    /// Limits of the load on the servers.
    pub limits: Limits,
    /// Whether to continue although the old place may evict keys.
    pub accept_eviction: bool,
    /// What becomes of hashes with expiring fields, if the old place knows no such fields.
    pub field_lives: FieldLives,
}

/// Undoes the migration in `journal`. `source` and `targets` are the places of its header, in its
/// order.
///
/// Keys that were kept in the source are removed from the targets if they are still equal. All others
/// move back, and those that existed in the targets before are copied back. If a feed ended after the
/// last write to the source, the targets have the newer values: these are brought back, and keys that
/// were deleted in the targets are removed from the source if their value there is unchanged. A name
/// that the source has again with another value is left in both places and counted as a conflict. An
/// interrupted undo resumes when it is called again.
///
/// # Errors
/// When a server fails or refuses, or the journal cannot be read or is truncated; when it was
/// undone already.
pub async fn undo(
    journal: &Path,
    source: Place,
    targets: Vec<Place>,
    options: UndoOptions,
    progress: Arc<dyn Progress>,
) -> Result<MigrationReport> {
    let past = Past::open(journal)?;
    let _taken = past.take()?;
    let state = past.state()?;
    if state.undone {
        return Err(AdminError::Invalid(format!(
            "the migration in {} has already been undone",
            journal.display()
        )));
    }
    // The whole journal is read before any key moves, so that a damaged one changes nothing.
    let mut burden = Burden::default();
    past.for_each_page(|page| {
        burden.add(&page);
        Ok(())
    })?;
    let followed = match &state.followed {
        Some(lives) if past.header.keep => Some((past.copied()?, lives)),
        _ => None,
    };
    // A journal without marks does not tell which keys may be overwritten.
    let followed = followed.filter(|(copied, _)| !copied.is_empty());
    let places = (source, targets);
    let brings = followed.is_some();
    let mut back =
        Back::prepare(&past.header, places, brings, &burden, options, progress.as_ref()).await?;
    resume::refuse_cut_off(journal, &back.forward).await?;
    match followed {
        Some((copied, lives)) => {
            let copied: Vec<Copied> = copied.into_values().collect();
            if !state.deletions_done {
                progress.begin("deleted", None);
                back.delete_gone(&copied, lives, progress.as_ref()).await?;
                // From here on, a key missing from a target may have been brought back.
                past.mark_deletions_done()?;
            }
            progress.begin("undo", None);
            back.bring_all(&copied, progress.as_ref()).await?;
        }
        None => {
            progress.begin("undo", None);
            let mut pages = pages_of(journal);
            while let Some(page) = pages.next().await? {
                let (moved, same) = back.moved_items(page).await?;
                back.take(&moved, false, progress.as_ref()).await?;
                back.take(&same, true, progress.as_ref()).await?;
            }
        }
    }
    let mut report = back.report;
    report.seconds = back.started.elapsed().as_secs_f64();
    if report.complete() {
        past.mark_undone(&serde_json::to_string(&report).unwrap_or_default())?;
    }
    Ok(report)
}

/// The pages of a journal, read on a blocking thread.
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

/// The lanes back from each target.
pub(super) struct Back {
    /// The course of the migration, for settling open pages.
    pub(super) forward: Course,
    pub(super) lanes: Vec<Lane>,
    /// The courses of the lanes.
    courses: Vec<Course>,
    /// Lanes back that keep the target's key, opened for the first key that needs one.
    copying: Vec<Lane>,
    keep: bool,
    pub(super) pace: Pace,
    pub(super) report: MigrationReport,
    started: Instant,
}

impl Back {
    async fn prepare(
        header: &Header,
        (source, targets): (Place, Vec<Place>),
        brings: bool,
        burden: &Burden,
        options: UndoOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let rename = match &header.rename {
            Some((from, to)) => Some(Rename::parse(from, to)?),
            None => None,
        };
        let routes = Routes::of_groups(&header.groups, rename.as_ref());
        let forward = Course {
            keep: header.keep,
            watches_evictions: !options.accept_eviction,
            // A copy without the expiries of its fields is still a copy.
            field_lives: FieldLives::Drop,
            ..Course::new(source.clone(), targets.clone(), routes)
        };
        // Kept keys are in the source already and need no room.
        let bytes = if header.keep { Some(0) } else { burden.bytes(&forward).await? };
        refuse_unfit(&forward, bytes, options, progress).await?;
        let (mut lanes, mut courses) = (Vec::new(), Vec::new());
        let mut way = Way::Move;
        for target in targets {
            let all = vec![("undo".to_owned(), 0); header.groups.len().max(1)];
            let routes = Routes::of_groups(&all, rename.as_ref().map(Rename::inverse).as_ref());
            let mut course = Course {
                watches_evictions: !options.accept_eviction,
                field_lives: options.field_lives,
                ..Course::new(target, vec![source.clone()], routes)
            };
            way = choose(&course).await?;
            if brings {
                // Other ways do not overwrite keys.
                way = Way::Dump;
            }
            for note in course.look_at_servers().await? {
                progress.note(&format!("note: {note}"));
            }
            lanes.push(Lane::open(&course, way).await?);
            courses.push(course);
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
        let pace = Pace::new(options.limits, &source).await?;
        let started = Instant::now();
        let keep = header.keep;
        Ok(Self { forward, lanes, courses, copying: Vec::new(), keep, pace, report, started })
    }

    /// The keys of a page that the migration moved; and those that were identical in the target
    /// before, and that it only removed from the source.
    async fn moved_items(&self, mut page: PastPage) -> Result<(Vec<Item>, Vec<Item>)> {
        let exceptions = match page.exceptions.take() {
            Some(exceptions) => exceptions,
            None => {
                let mut in_target = InTarget::start(&self.forward, false).await?;
                let found = resume::look(&self.forward, &mut in_target, &page, None).await?;
                let words = found.outcomes.iter().enumerate();
                words.filter_map(|(at, one)| Some((at, one.word()?.to_owned()))).collect()
            }
        };
        let (mut left, mut same) = (HashSet::new(), HashSet::new());
        for (at, what) in exceptions {
            match what.as_str() {
                "conflict" | "gone" | "there" | "changed" | "index" | "stays" => left.insert(at),
                // A copy from before the migration is not removed.
                "same" if self.keep => left.insert(at),
                "same" => same.insert(at),
                _ => false,
            };
        }
        let (mut moved, mut copied) = (Vec::new(), Vec::new());
        for (at, item) in page.items.into_iter().enumerate() {
            if same.contains(&at) {
                copied.push(item);
            } else if !left.contains(&at) {
                moved.push(item);
            }
        }
        Ok((moved, copied))
    }

    /// Takes keys back. With `stay` they also stay in their targets, which had them before.
    async fn take(&mut self, items: &[Item], stay: bool, progress: &dyn Progress) -> Result<()> {
        if stay && !items.is_empty() {
            self.open_copying().await?;
        }
        let mut by_target: Vec<Vec<Item>> = self.lanes.iter().map(|_| Vec::new()).collect();
        for (number, item) in items.iter().map(|item| self.there(item)) {
            if let Some(list) = by_target.get_mut(number) {
                list.push(item);
            }
        }
        let lanes = if stay { &mut self.copying } else { &mut self.lanes };
        for (lane, items) in lanes.iter_mut().zip(by_target) {
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

    async fn open_copying(&mut self) -> Result<()> {
        if !self.copying.is_empty() {
            return Ok(());
        }
        for course in &self.courses {
            let course = Course { keep: true, ..course.clone() };
            let way = choose(&course).await?;
            self.copying.push(Lane::open(&course, way).await?);
        }
        Ok(())
    }

    /// The index of a key's target, and the key with its name there.
    pub(super) fn there(&self, item: &Item) -> (usize, Item) {
        let name = self.forward.routes.new_name(item.rule, &item.name);
        (self.forward.routes.target(item.rule), Item { name, rule: item.rule })
    }
}

/// The keys that need room in the old place.
#[derive(Debug, Default)]
struct Burden {
    /// Number of keys by rule.
    counts: HashMap<usize, u64>,
    sample: Vec<Item>,
}

/// Keys chosen for measuring, from a page and in total.
const CHOSEN_OF_PAGE: usize = 30;
const CHOSEN: usize = 3_000;

impl Burden {
    fn add(&mut self, page: &PastPage) {
        for item in &page.items {
            *self.counts.entry(item.rule).or_default() += 1;
        }
        if self.sample.len() < CHOSEN {
            let step = page.items.len().div_ceil(CHOSEN_OF_PAGE).max(1);
            self.sample.extend(page.items.iter().step_by(step).cloned());
        }
    }

    /// Their estimated bytes; `None` if a server does not report sizes.
    async fn bytes(&self, forward: &Course) -> Result<Option<u64>> {
        let mut all = 0.0;
        for (number, target) in forward.targets.iter().enumerate() {
            // Within one server they need no additional memory.
            if target.is_on_server_of(&forward.source).await? {
                continue;
            }
            let goes_there = |rule: usize| forward.routes.target(rule) == number;
            let of_target = self.sample.iter().filter(|item| goes_there(item.rule));
            let named: Vec<Item> = of_target
                .map(|item| {
                    let name = forward.routes.new_name(item.rule, &item.name);
                    Item { name, rule: item.rule }
                })
                .collect();
            if named.is_empty() {
                continue;
            }
            let counts = self.counts.iter().filter(|(rule, _)| goes_there(**rule));
            let keys: u64 = counts.map(|(_, keys)| keys).sum();
            let Some(mean) = mean_bytes(target, &named.iter().collect::<Vec<_>>()).await? else {
                return Ok(None);
            };
            all += mean * keys as f64;
        }
        Ok(Some(all as u64))
    }
}

/// Checks the old place as a target, since an undo is a migration too.
async fn refuse_unfit(
    forward: &Course,
    bytes: Option<u64>,
    options: UndoOptions,
    progress: &dyn Progress,
) -> Result<()> {
    for target in &forward.targets {
        refuse_stale_replica(target).await?;
    }
    let incoming =
        Incoming { bytes, may_be_evicted: options.accept_eviction, ..Incoming::default() };
    let fitness = target_fitness(forward.targets.first(), &forward.source, incoming).await?;
    if let Some(refusal) = fitness.refusal {
        return Err(refusal);
    }
    for warning in fitness.warnings {
        progress.note(&format!("note: {warning}"));
    }
    Ok(())
}
