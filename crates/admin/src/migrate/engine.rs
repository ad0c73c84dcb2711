//! Runs a migration: names are listed, written to the journal, and then moved by several lanes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::copies::Copies;
use super::in_target::InTarget;
use super::journal::{Header, Journal, Outcomes, Page, Writer};
use super::lanes::Shared;
use super::readiness::{ready, refuse_what_cannot_go};
use super::report::{GroupReport, MigrationReport};
use super::way::{Course, Lane};
use super::{Item, Migration, Way, resume};
use crate::condition::{Life, evicted_keys};
use crate::{AdminError, Pace, Place, Progress, Result, Walk};

/// Names per journal page; synchronising it to disk is the expensive part.
const PAGE: usize = 8_000;
/// `COUNT` of a scan while the work is limited.
const WALK_GENTLY: usize = 200;
/// Number of concurrent lanes, so that the server works while a lane reads answers.
const LANES: usize = 3;

/// Moves the keys. A failure leaves each key in one of its places, and the journal records which
/// have moved; the same call resumes.
///
/// # Errors
/// When a server fails or refuses, naming the key, or the journal cannot be written. Keys that the
/// target already has are not an error: the report counts them.
pub async fn migrate(migration: Migration, progress: Arc<dyn Progress>) -> Result<MigrationReport> {
    let run = Run::prepare(migration, progress).await?;
    run.all().await
}

/// One migration under way.
pub(crate) struct Run {
    pub(crate) migration: Migration,
    pub(crate) course: Course,
    pub(crate) way: Way,
    journal: Journal,
    progress: Arc<dyn Progress>,
    report: MigrationReport,
    /// Number of keys that the source's server had evicted before the run.
    evicted: u64,
    started: Instant,
}

impl Run {
    pub(crate) async fn prepare(migration: Migration, progress: Arc<dyn Progress>) -> Result<Self> {
        let migration = migration.without_keys_of_targets().await?;
        let (course, way) = ready(&migration, progress.as_ref()).await?;
        let options = &migration.options;
        if options.journal.is_file() {
            resume::refuse_cut_off(&options.journal, &course).await?;
        }
        refuse_what_cannot_go(&course, options.limits, progress.as_ref()).await?;
        let evicted = evicted_keys(&migration.source).await;
        let journal =
            Journal::open(&options.journal, &Header::of(&migration), &options.instructions)?;
        let groups = migration.routes.groups().into_iter().map(|(group, target)| GroupReport {
            group,
            database: migration.targets.get(target).map_or("", Place::label).to_owned(),
            ..GroupReport::default()
        });
        let formats = course.other_formats().iter().map(ToString::to_string).collect();
        let report = MigrationReport {
            way: Some(way),
            formats,
            groups: groups.collect(),
            ..MigrationReport::default()
        };
        let started = Instant::now();
        Ok(Self { migration, course, way, journal, progress, report, evicted, started })
    }

    /// Prepares for following the source: copies are recorded in `copies`, and keys move by dumps, which
    /// can be compared.
    pub(crate) fn follow(&mut self, copies: Copies) {
        if matches!(self.way, Way::Move | Way::Copy) {
            self.way = Way::Dump;
        }
        self.report.way = Some(self.way);
        self.course.copies = Some(copies);
    }

    /// Settles the keys of an interrupted run, then makes one pass over all keys.
    async fn all(self) -> Result<MigrationReport> {
        let work = self.start().await?;
        work.pass().await?;
        work.finish().await
    }

    /// Starts the journal's thread, finishes what an interrupted run had under way, and starts the lanes.
    pub(crate) async fn start(mut self) -> Result<Work> {
        if self.journal.resumed {
            self.progress.note(&format!(
                "resuming the migration in {}",
                self.migration.options.journal.display()
            ));
        }
        let mut in_target = InTarget::start(&self.course, !self.journal.resumed).await?;
        let limits = self.migration.options.limits;
        let pace = match limits.is_none() {
            true => None,
            false => Some(Pace::new(limits, &self.course.source).await?),
        };
        let (next_page, resumed) = (self.journal.next_page, self.journal.resumed);
        let (pages, pages_in) = mpsc::channel(2);
        let (written, written_out) = mpsc::channel(2);
        let writer = Writer::start(self.journal, pages_in, written);
        let outcomes = writer.outcomes();
        if let Some(copies) = &self.course.copies {
            copies.write_to(outcomes.clone());
        }
        self.report.passes = 0;
        let progress = Arc::clone(&self.progress);
        let shared = Arc::new(Shared::new(written_out, self.report, progress, pace));
        if resumed {
            let journal = &self.migration.options.journal;
            resume::settle(journal, &self.course, &mut in_target, self.way, &shared, &outcomes)
                .await?;
        }
        let mut lanes = JoinSet::new();
        for number in 0..LANES {
            let lane = Lane::open(&self.course, self.way).await?;
            // A single lane can keep the limits.
            let alone = shared.pace.is_some() || lane.has_to_watch();
            if alone && number > 0 {
                break;
            }
            let (shared, outcomes) = (Arc::clone(&shared), outcomes.clone());
            lanes.spawn(async move { shared.carry_all(lane, outcomes).await });
        }
        Ok(Work {
            migration: self.migration,
            copies: self.course.copies,
            resumed,
            evicted: self.evicted,
            shared,
            in_target: Mutex::new(in_target),
            is_in_steps: self.way.is_in_steps(),
            pages: Some(pages),
            lanes: Mutex::new(lanes),
            writer,
            outcomes,
            next_page: std::sync::atomic::AtomicU64::new(next_page),
            started: self.started,
        })
    }
}

/// A running migration with open lanes.
pub(crate) struct Work {
    pub(crate) migration: Migration,
    copies: Option<Copies>,
    shared: Arc<Shared>,
    in_target: Mutex<InTarget>,
    is_in_steps: bool,
    pages: Option<mpsc::Sender<Page>>,
    lanes: Mutex<JoinSet<Result<()>>>,
    writer: Writer,
    outcomes: Outcomes,
    next_page: std::sync::atomic::AtomicU64,
    resumed: bool,
    evicted: u64,
    started: Instant,
}

impl Work {
    /// Makes one pass over all names of the source and waits until they have moved. Returns how
    /// many keys were to move.
    pub(crate) async fn pass(&self) -> Result<u64> {
        let source = &self.migration.source;
        let total = source.known_keys().await;
        let passes = {
            let mut report = self.shared.report();
            report.passes += 1;
            report.passes
        };
        let what = if passes == 1 { "migrate".to_owned() } else { format!("pass {passes}") };
        self.shared.progress.begin(&what, total);
        let mut walk = Walk::start(source, self.migration.routes.only_pattern()).await?;
        if self.shared.pace.is_some() {
            walk = walk.page_size(WALK_GENTLY);
        }
        let mut items = Vec::with_capacity(PAGE);
        let mut found = 0;
        while let Some(names) = walk.next_page().await? {
            let mut stay = 0;
            for name in names {
                match self.migration.routes.rule_of(&name) {
                    Some(rule) => items.push(Item { name, rule }),
                    None => stay += 1,
                }
            }
            self.shared.progress.advance(stay);
            if items.len() >= PAGE {
                found += items.len() as u64;
                self.begin(std::mem::replace(&mut items, Vec::with_capacity(PAGE))).await?;
            }
        }
        found += items.len() as u64;
        if !items.is_empty() {
            self.begin(items).await?;
        }
        self.wait_for_lanes().await?;
        Ok(found)
    }

    /// Writes the keys to the journal and copies them over the targets' values.
    pub(crate) async fn copy_over(&self, items: Vec<Item>) -> Result<()> {
        self.send(items, None).await?;
        self.wait_for_lanes().await
    }

    /// Resets the counts of keys that earlier passes left, since the next pass counts them again.
    pub(crate) fn begin_pass(&self) {
        let mut report = self.shared.report();
        (report.conflicts, report.changed, report.damaged) = (0, 0, 0);
        (report.of_indexes, report.field_lives) = (0, 0);
        report.examples.clear();
        for group in &mut report.groups {
            group.left = 0;
        }
    }

    /// Sends a page of keys that are to move.
    async fn begin(&self, mut items: Vec<Item>) -> Result<()> {
        if self.is_in_steps {
            let mut names = HashSet::with_capacity(items.len());
            items.retain(|item| names.insert(item.name.clone()));
            while !self.shared.under_way.add(&items) {
                self.wait_for_lanes().await?;
            }
        }
        if self.shared.pace.is_some() {
            // The pace measures one kind of work at a time.
            self.wait_for_lanes().await?;
        }
        let pace = self.shared.pace.as_ref();
        let had = self.in_target.lock().await.positions(&items, pace).await?;
        self.send(items, Some(had)).await
    }

    /// Sends a page to the journal and from there to the lanes. `had` is as in [`Page`].
    async fn send(&self, items: Vec<Item>, had: Option<HashSet<usize>>) -> Result<()> {
        let number = self.next_page.fetch_add(1, SeqCst);
        self.shared.in_flight.fetch_add(1, SeqCst);
        let Some(pages) = &self.pages else { return Ok(()) };
        if pages.send(Page { number, items, had }).await.is_err() {
            // The journal's thread or every lane has ended; one of them has the error.
            return self.first_failure().await;
        }
        Ok(())
    }

    async fn wait_for_lanes(&self) -> Result<()> {
        loop {
            let done = self.shared.page_done.notified();
            if self.shared.in_flight.load(SeqCst) == 0 {
                return Ok(());
            }
            let mut lanes = self.lanes.lock().await;
            tokio::select! {
                () = done => {}
                ended = lanes.join_next() => match ended {
                    Some(Ok(Err(error))) => return Err(error),
                    Some(Err(error)) => return Err(broken(&error.to_string())),
                    Some(Ok(Ok(()))) | None => {
                        let cause = self.writer.failure();
                        return Err(cause.unwrap_or_else(|| broken("its workers have ended")));
                    }
                },
            }
        }
    }

    async fn first_failure(&self) -> Result<()> {
        let mut lanes = self.lanes.lock().await;
        while let Some(ended) = lanes.join_next().await {
            ended.map_err(|error| broken(&error.to_string()))??;
        }
        // No lane failed, so the journal did.
        Err(self.writer.failure().unwrap_or_else(|| broken("the journal cannot be written")))
    }

    pub(crate) fn report(&self) -> MigrationReport {
        self.shared.report().clone()
    }

    pub(crate) fn progress(&self) -> &Arc<dyn Progress> {
        &self.shared.progress
    }

    /// Records that the feed ended after the last write to the source, with the earlier `Life` of the
    /// targets' servers.
    pub(crate) fn note_followed(&self, lives: &[Life]) {
        self.outcomes.followed(lives.iter().map(Life::word).collect());
    }

    /// Records the `Life` of the source's server, by which deletions are distinguished from losses.
    pub(crate) fn note_source(&self, life: &Life) {
        self.outcomes.source(life.word());
    }

    /// Whether this run resumes a journal.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Ends the lanes and the journal, and returns the report.
    pub(crate) async fn finish(self) -> Result<MigrationReport> {
        self.end(true).await
    }

    /// Ends the lanes and the journal, and returns the report. Without `is_done` the work will be
    /// resumed.
    pub(crate) async fn end(mut self, is_done: bool) -> Result<MigrationReport> {
        self.pages = None;
        let lanes = self.lanes.get_mut();
        while let Some(ended) = lanes.join_next().await {
            ended.map_err(|error| broken(&error.to_string()))??;
        }
        let mut report = self.shared.report().clone();
        report.seconds = self.started.elapsed().as_secs_f64();
        if let Some(copies) = &self.copies {
            let left = copies.end();
            report.count(&left, &vec![super::Outcome::Conflict; left.len()]);
        }
        if report.gone > 0 {
            let evicted = evicted_keys(&self.migration.source).await.saturating_sub(self.evicted);
            report.evicted = evicted.min(report.gone);
        }
        // A migration that left keys is not complete and can be resumed.
        if is_done && report.complete() {
            self.outcomes.end(serde_json::to_string(&report).unwrap_or_default());
        }
        drop(self.outcomes);
        self.writer.finish().await?;
        let journal = &self.migration.options.journal;
        let is_empty = self.next_page.load(SeqCst) == 1;
        if is_empty && !self.resumed && std::fs::remove_file(journal).is_err() {
            self.shared.progress.note("the journal of this run holds no key and can be removed");
        }
        Ok(report)
    }
}

fn broken(why: &str) -> AdminError {
    AdminError::Invalid(format!("the migration stopped: {why}; run the same command again"))
}
