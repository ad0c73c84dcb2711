//! The work of the lanes: page after page, in portions that the pace allows.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::{Mutex, Notify, mpsc};

use super::journal::{Outcomes, Page};
use super::report::MigrationReport;
use super::under_way::UnderWay;
use super::way::Lane;
use super::{Item, Outcome};
use crate::{Pace, Progress, Result};

/// State shared by the lanes.
pub(super) struct Shared {
    /// Pages that are in the journal.
    written: Mutex<mpsc::Receiver<Page>>,
    report: std::sync::Mutex<MigrationReport>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) pace: Option<Mutex<Pace>>,
    pub(super) under_way: UnderWay,
    /// Notified after each page.
    pub(super) page_done: Notify,
    /// Number of pages that were sent and are not done.
    pub(super) in_flight: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        written: mpsc::Receiver<Page>,
        report: MigrationReport,
        progress: Arc<dyn Progress>,
        pace: Option<Pace>,
    ) -> Self {
        Self {
            written: Mutex::new(written),
            report: std::sync::Mutex::new(report),
            progress,
            pace: pace.map(Mutex::new),
            under_way: UnderWay::default(),
            page_done: Notify::new(),
            in_flight: AtomicU64::new(0),
        }
    }

    pub(super) fn report(&self) -> MutexGuard<'_, MigrationReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries the pages that are written, until there are no more.
    pub(super) async fn carry_all(&self, mut lane: Lane, outcomes: Outcomes) -> Result<()> {
        loop {
            let page = self.written.lock().await.recv().await;
            let Some(page) = page else { return Ok(()) };
            let became = match &page.had {
                None => lane.refresh(&page.items).await?,
                Some(had) => {
                    lane.begin_page(&page.items, had);
                    let count = |lane: &Lane, some: &[Item], outcomes: &[Outcome]| {
                        self.report().count(some, &counted(lane, outcomes));
                        self.progress.advance(some.len() as u64);
                    };
                    self.carry(&mut lane, &page.items, count).await?
                }
            };
            outcomes.done(page.number, became);
            self.under_way.remove(&page.items);
            self.in_flight.fetch_sub(1, SeqCst);
            self.page_done.notify_waiters();
        }
    }

    /// Carries keys of one page, and passes the outcomes of each portion to `count`.
    async fn carry(
        &self,
        lane: &mut Lane,
        items: &[Item],
        count: impl Fn(&Lane, &[Item], &[Outcome]),
    ) -> Result<Vec<Outcome>> {
        let mut became = Vec::with_capacity(items.len());
        while became.len() < items.len() {
            let mut portion = lane.capacity();
            if let Some(pace) = &self.pace {
                let mut pace = pace.lock().await;
                portion = portion.min(pace.batch());
                pace.admit(portion * lane.commands_per_key()).await?;
            }
            let from = became.len();
            let some = &items[from..items.len().min(from + portion)];
            let result = lane.carry_patiently(some).await?;
            self.report().count_modules(lane.take_modules());
            count(lane, some, &result);
            became.extend(result);
        }
        Ok(became)
    }

    /// Finishes keys that an interrupted run had copied.
    pub(super) async fn finish(&self, lane: &mut Lane, items: &[Item]) -> Result<Vec<Outcome>> {
        lane.begin_page(items, &HashSet::new());
        lane.expect_own_copies();
        self.carry(lane, items, |lane, some, outcomes| {
            // The next pass finds all others again.
            let moved = some.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Outcome::Done);
            let moved: Vec<Item> = moved.map(|(item, _)| item.clone()).collect();
            if !lane.keeps() {
                self.report().count(&moved, &vec![Outcome::Done; moved.len()]);
            }
        })
        .await
    }
}

/// The outcomes to count now; with a feed, conflicts are only known at the end.
fn counted<'a>(lane: &Lane, outcomes: &'a [Outcome]) -> Cow<'a, [Outcome]> {
    use Outcome::{Conflict, There};
    if !lane.follows() {
        return Cow::Borrowed(outcomes);
    }
    let each = outcomes.iter().cloned();
    each.map(|outcome| if outcome == Conflict { There } else { outcome }).collect()
}
