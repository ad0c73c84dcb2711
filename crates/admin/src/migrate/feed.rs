//! Follows a source: copies every key written there again until all programs have switched over.
//!
//! For programs that cannot read both places during the move.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::copies::Copies;
use super::engine::{Run, Work};
use super::journal::Past;
use super::key_positions::KeyPositions;
use super::live::{LiveOptions, LiveReport, clients_of};
use super::mark::Copied;
use super::way::{Course, Lane};
use super::{Item, Migration};
use crate::condition::Life;
use crate::info::Info;
use crate::replication::{Command, Feed, Replica, Wanted};
use crate::{AdminError, Progress, Result, Walk};

/// Changed keys copied together.
const AT_ONCE: usize = 500;
/// Copies looked up in the source together.
const GONE_AT_ONCE: usize = 1_000;
/// How long changes are collected, so that a key that is written often is copied once.
const GATHER: Duration = Duration::from_millis(10);

/// Copies all keys, then each key that the source's replication feed reports as written, until
/// nothing has been written for [`LiveOptions::quiet`]: then every writer has switched over. The
/// source keeps its keys for a roll-back.
///
/// # Errors
/// As [`super::migrate`]; and when the server or the user's rights do not allow replication, as on
/// most managed services: use [`super::migrate_live`] there.
pub async fn follow(
    mut migration: Migration,
    options: LiveOptions,
    progress: Arc<dyn Progress>,
) -> Result<LiveReport> {
    migration.options.keep = true;
    let started = Instant::now();
    let source = migration.source.clone();
    let began = Life::of(&source).await?;
    if began.evicted.is_none() && !migration.options.accept_eviction {
        return Err(AdminError::Unsafe(format!(
            "{source} does not tell whether it evicts keys (INFO: evicted_keys), and what it evicts would \
             be taken for deleted: allow the user INFO, or use --accept-eviction"
        )));
    }
    let mut lives = Vec::new();
    for target in &migration.targets {
        lives.push(Life::of(target).await?);
    }
    let (copies, then) = known_copies(&migration)?;
    // Started before the first copy, so that no write is missed.
    let replica = Replica::start(source.server(), Wanted::CopyAndFeed).await?;
    let positions = KeyPositions::of(source.server()).await?;
    let mut feed = replica.into_feed().await?;
    let mut run = Run::prepare(migration, Arc::clone(&progress)).await?;
    run.follow(copies.clone());
    let mut changes = Changes::new(&run, positions, copies).await?;
    let work = run.start().await?;
    if !work.is_resumed() {
        work.note_source(&began);
    }
    // The feed is read during the first copy, or the server would close it.
    {
        let mut first = std::pin::pin!(work.pass());
        loop {
            tokio::select! {
                done = &mut first => break done?,
                command = feed.next() => drop(changes.note(command?).await?),
            };
        }
    };
    if work.is_resumed() {
        changes.follow_what_has_gone(then.as_ref(), progress.as_ref()).await?;
        work.note_source(&began);
    }
    progress.begin("follow", None);
    let mut quiet_since = Instant::now();
    let quiet = loop {
        let gathered = changes.gather(&mut feed).await?;
        let copied = changes.copy(&work).await?;
        progress.advance(copied);
        if gathered > 0 || copied > 0 {
            // After the copy: while it went on, nothing was read of the feed.
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= options.quiet {
            if changes.has_all_of(&mut feed).await? {
                break true;
            }
            quiet_since = Instant::now();
        }
        if started.elapsed() >= options.at_most {
            break false;
        }
    };
    if quiet {
        work.note_followed(&lives);
    }
    let mut report = work.end(quiet).await?;
    report.field_lives += changes.copies.staying();
    Ok(LiveReport { migration: report, stragglers: clients_of(&source).await?, quiet })
}

/// The copies in the journal of an interrupted run, and the `Life` of the source's server then.
fn known_copies(migration: &Migration) -> Result<(Copies, Option<Life>)> {
    let journal = &migration.options.journal;
    if !journal.is_file() {
        return Ok((Copies::default(), None));
    }
    let past = Past::open(journal)?;
    Ok((Copies::known(past.copied()?), past.state()?.source))
}

/// Keys that were written since they were copied.
struct Changes {
    course: Course,
    lane: Lane,
    positions: KeyPositions,
    copies: Copies,
    names: HashSet<Vec<u8>>,
    /// Names written to the journal because of a change; once is enough.
    written_down: HashSet<Vec<u8>>,
    /// The source was flushed or swapped, so all keys have to be compared.
    all: bool,
}

impl Changes {
    async fn new(run: &Run, positions: KeyPositions, copies: Copies) -> Result<Self> {
        let course = run.course.clone();
        let lane = Lane::open(&course, run.way).await?;
        let (names, written_down) = (HashSet::new(), HashSet::new());
        Ok(Self { course, lane, positions, copies, names, written_down, all: false })
    }

    /// Records the keys that a command has written; `true` if it affects the source.
    async fn note(&mut self, command: Command) -> Result<bool> {
        let verb = command.arguments.first().map_or_else(Vec::new, |v| v.to_ascii_lowercase());
        let ours = command.database == self.course.source.index();
        match verb.as_slice() {
            b"flushall" => self.all = true,
            b"swapdb" if self.swaps_source(&command) => self.all = true,
            b"flushdb" if ours => self.all = true,
            b"swapdb" | b"flushdb" => return Ok(false),
            b"move" | b"copy" => {}
            _ if !ours => return Ok(false),
            _ => {}
        }
        let mut concerns = self.all;
        for name in self.positions.keys(&command).await? {
            let Some(name) = self.course.source.in_place(&name) else { continue };
            if self.course.routes.rule_of(name).is_some() {
                self.names.insert(name.to_vec());
                concerns = true;
            }
        }
        Ok(concerns)
    }

    /// Whether a `SWAPDB` affects the source's index.
    fn swaps_source(&self, command: &Command) -> bool {
        let index = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u32>().ok();
        let mut swapped = command.arguments.iter().skip(1);
        swapped.any(|text| index(text) == Some(self.course.source.index()))
    }

    /// Collects writes for a moment; returns their number.
    async fn gather(&mut self, feed: &mut Feed) -> Result<u64> {
        let until = tokio::time::Instant::now() + GATHER;
        let mut count = 0;
        while self.names.len() < AT_ONCE {
            match tokio::time::timeout_at(until, feed.next()).await {
                Ok(command) => count += u64::from(self.note(command?).await?),
                Err(_) => break,
            }
        }
        Ok(count)
    }

    /// Whether the feed has been read up to the source's last write. A server that was too busy to send its feed is
    /// not quiet.
    async fn has_all_of(&mut self, feed: &mut Feed) -> Result<bool> {
        let mut source = self.course.source.open("migrate").await?;
        let replication = Info::ask(&mut source, &["replication"]).await.unwrap_or_default();
        let Some(offset) = replication.number("master_repl_offset") else { return Ok(true) };
        let until = tokio::time::Instant::now() + GATHER;
        // Pings count too, and are not commands that the feed returns.
        while feed.offset() < offset {
            match tokio::time::timeout_at(until, feed.next()).await {
                Ok(command) => drop(self.note(command?).await?),
                Err(_) => break,
            }
        }
        Ok(feed.offset() >= offset && self.names.is_empty() && !self.all)
    }

    /// Copies the changed keys; returns their number.
    async fn copy(&mut self, work: &Work) -> Result<u64> {
        if std::mem::take(&mut self.all) {
            self.compare_all().await?;
        }
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for name in std::mem::take(&mut self.names) {
            let Some(rule) = self.course.routes.rule_of(&name) else { continue };
            let list = if self.written_down.insert(name.clone()) { &mut new } else { &mut known };
            list.push(Item { name, rule });
        }
        let count = new.len() + known.len();
        // Keys are written to the journal first, so that they can be taken back.
        if !new.is_empty() {
            work.copy_over(new).await?;
        }
        self.lane.refresh(&known).await?;
        Ok(count as u64)
    }

    /// After the source was flushed or swapped: removes copies of keys that it no longer has, and copies
    /// its current keys.
    async fn compare_all(&mut self) -> Result<()> {
        for items in self.copies.all().chunks(GONE_AT_ONCE) {
            let gone = self.gone(items).await?;
            self.lane.refresh(&gone).await?;
        }
        let mut walk = Walk::start(&self.course.source, None).await?;
        while let Some(names) = walk.next_page().await? {
            self.names.extend(names);
        }
        Ok(())
    }

    async fn gone(&mut self, items: &[Item]) -> Result<Vec<Item>> {
        let gone = self.lane.gone_from_source(items).await?;
        Ok(gone.into_iter().map(|at| items[at].clone()).collect())
    }

    /// Follows deletions from the time between two runs. If the source may have lost keys, copies of
    /// missing keys stay and no longer count as copies.
    async fn follow_what_has_gone(
        &mut self,
        then: Option<&Life>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let (mut kept, mut cause) = (0, "");
        for items in self.copies.all().chunks(GONE_AT_ONCE) {
            let gone = self.gone(items).await?;
            if gone.is_empty() {
                continue;
            }
            // Asked after the lookup, so that earlier losses are known.
            let now = Life::of(&self.course.source).await?;
            let why = match then {
                Some(then) => now.may_have_lost_since(then),
                None => Some("was not watched by the run before"),
            };
            let Some(why) = why else {
                self.lane.refresh(&gone).await?;
                continue;
            };
            (kept, cause) = (kept + gone.len(), why);
            let forget = gone.into_iter().map(|item| Copied { item, mark: None });
            self.copies.note(forget.collect());
        }
        if kept > 0 {
            progress.note(&format!(
                "note: the server of {} {cause}: {kept} keys that it no longer has stay in their new place",
                self.course.source
            ));
        }
        Ok(())
    }
}
