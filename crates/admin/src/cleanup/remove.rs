//! Removes the old keys of one database: at a bounded load, and each only if it is still old.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::{DatabaseKind, DatabaseMap};
use compartment_redis::Connection;
use serde::Serialize;
use tokio::task::JoinSet;

use super::age::{Age, AgeBy, Ages, Old};
use super::journal::Journal;
use super::refusals::{contract_of, is_ours, refusals};
use super::script::{self, Answers};
use crate::chosen::Chosen;
use crate::counted::{CountedNames, NameCounter};
use crate::patterns::Learner;
use crate::{AdminError, Limits, Pace, Place, Progress, Result, Walk, escape};

const REMOVE_OLD: &str = include_str!("../lua/remove_old.lua");

/// Patterns that are reported.
const SHOWN: usize = 12;

/// Which keys are removed, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CleanupOptions {
    /// The age from which a key is old; `None` removes keys of any age, which needs `patterns`.
    pub older_than: Option<Duration>,
    /// Redis globs over names, as [`crate::read_glob`] reads them; all keys if empty.
    pub patterns: Vec<String>,
    /// Limits of the load on the server. Without [`Limits::share`] it takes a fifth of the server's time.
    pub limits: Limits,
    /// Whether keys are removed. Otherwise they are counted only.
    pub apply: bool,
    /// A new file for the names of the removed keys.
    pub journal: Option<PathBuf>,
    /// Note the names of old keys, at most this many, in [`CleanupReport::names`].
    pub note_names: Option<usize>,
    /// Look only at keys that were counted before.
    pub only: Option<Arc<CountedNames>>,
}

/// The result of a cleanup.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CleanupReport {
    /// The database.
    pub database: String,
    /// Its kind, if it is in the map.
    pub kind: Option<DatabaseKind>,
    /// Whether old keys were removed.
    pub applied: bool,
    /// Chosen keys that were looked at.
    pub seen: u64,
    /// Old keys.
    pub old: u64,
    /// Of these, keys that are old by the rest of their TTL.
    pub old_by_ttl: u64,
    /// Of these, keys that are old by the time since their last use.
    pub old_by_idle: u64,
    /// Keys that were removed.
    pub removed: u64,
    /// Old keys that were used, renewed or deleted before they could be removed.
    pub spared: u64,
    /// Keys that stay because their age is not known.
    pub age_unknown: u64,
    /// Keys that stay because they are Compartment's own records, batches and queues.
    pub own: u64,
    /// Patterns of the names of old keys with counts, the largest first.
    pub patterns: Vec<(String, u64)>,
    /// Reasons for a refusal; empty if it would run.
    pub refusals: Vec<String>,
    /// Duration in seconds.
    pub seconds: f64,
    /// The names of old keys, with [`CleanupOptions::note_names`]; `None` too if there are more.
    #[serde(skip)]
    pub names: Option<CountedNames>,
}

/// Counts the old keys of `place`, and removes them with [`CleanupOptions::apply`].
///
/// A key is old by its template's TTL less the TTL that is left, else by the time since its last use. A key is
/// removed by a script that checks its age again. No question counts as a use.
///
/// # Errors
/// [`AdminError::Unsafe`] when it is to apply and is refused, with every reason: nothing was removed. The
/// server's and the journal's: some keys may be gone, and the journal has their names.
pub async fn cleanup(
    place: &Place,
    map: &DatabaseMap,
    options: &CleanupOptions,
    progress: &dyn Progress,
) -> Result<CleanupReport> {
    let began = Instant::now();
    if options.older_than.is_none() && options.patterns.is_empty() {
        let what = "a cleanup needs an age (--older-than) or names (--pattern)";
        return Err(AdminError::Invalid(what.to_owned()));
    }
    let refusals = refusals(place, map, &options.patterns).await?;
    if options.apply && !refusals.is_empty() {
        let why = refusals.join("; ");
        return Err(AdminError::Unsafe(format!("{} is not cleaned up: {why}", place.label())));
    }
    let mut run = Run::start(place, map, options).await?;
    run.report.refusals = refusals;
    progress.begin("look at the keys", place.known_keys().await);
    let chosen = Chosen::new(&options.patterns).only(options.only.as_ref());
    let mut walk = Walk::start(place, chosen.glob()).await?;
    let mut next = run.pace.next_page(&mut walk).await?;
    while let Some(mut page) = next {
        let all = page.len() as u64;
        page.retain(|name| chosen.takes(name));
        next = run.page_and_next(page, &mut walk).await?;
        progress.advance(all);
    }
    while !run.under_way.is_empty() {
        run.take_next().await?;
    }
    Ok(run.finish(began.elapsed()))
}

struct Run<'a> {
    place: &'a Place,
    connection: Connection,
    pace: Pace,
    ages: Arc<Ages>,
    under_way: JoinSet<Result<Vec<Age>>>,
    learner: Learner,
    names: Option<NameCounter>,
    apply: bool,
    journal: Option<Journal>,
    report: CleanupReport,
}

impl<'a> Run<'a> {
    async fn start(
        place: &'a Place,
        map: &DatabaseMap,
        options: &CleanupOptions,
    ) -> Result<Run<'a>> {
        let journal = options.journal.as_deref().filter(|_| options.apply);
        let pace = Pace::new(options.limits.unnoticed(), place).await?;
        let mut connection = place.open("cleanup").await?;
        pace.measure(&mut connection);
        Ok(Self {
            place,
            connection,
            pace,
            ages: Arc::new(Ages::new(place, map, options.older_than)),
            under_way: JoinSet::new(),
            learner: Learner::default(),
            names: options.note_names.map(NameCounter::new),
            apply: options.apply,
            journal: journal.map(|path| Journal::create(path, place)).transpose()?,
            report: CleanupReport {
                database: place.label().to_owned(),
                kind: contract_of(place, map).map(|contract| contract.kind),
                applied: options.apply,
                ..CleanupReport::default()
            },
        })
    }

    /// Works on a page, and reads the next one: meanwhile, if several round trips may be under way.
    async fn page_and_next(
        &mut self,
        page: Vec<Vec<u8>>,
        walk: &mut Walk,
    ) -> Result<Option<Vec<Vec<u8>>>> {
        if self.pace.in_flight() == 1 {
            self.page(page).await?;
            return Ok(self.pace.next_page(walk).await?);
        }
        self.pace.admit(1).await?;
        let (next, done) = tokio::join!(walk.next_page(), self.page(page));
        done?;
        Ok(next?)
    }

    async fn page(&mut self, mut names: Vec<Vec<u8>>) -> Result<()> {
        let all = names.len();
        names.retain(|name| !is_ours(name));
        self.report.own += (all - names.len()) as u64;
        while !names.is_empty() {
            let rest = names.split_off(self.pace.batch().min(names.len()));
            self.batch(std::mem::replace(&mut names, rest)).await?;
        }
        Ok(())
    }

    /// Asks for the ages of a batch; answers are taken once as many batches are under way as may be.
    async fn batch(&mut self, names: Vec<Vec<u8>>) -> Result<()> {
        self.report.seen += names.len() as u64;
        let commands = Ages::COMMANDS * names.len();
        if self.pace.in_flight() == 1 {
            let asked = self.ages.of(&mut self.connection, self.place, names);
            let ages = self.pace.during(commands, asked).await??;
            return self.take(ages).await;
        }
        self.pace.admit(commands).await?;
        let (ages, place) = (Arc::clone(&self.ages), self.place.clone());
        let mut connection = self.connection.clone();
        let asked = async move { ages.of(&mut connection, &place, names).await };
        self.under_way.spawn(asked);
        match self.under_way.len() >= self.pace.in_flight() {
            true => self.take_next().await,
            false => Ok(()),
        }
    }

    /// Takes the ages of the batch that is answered next.
    async fn take_next(&mut self) -> Result<()> {
        let Some(ages) = self.under_way.join_next().await else { return Ok(()) };
        let ended = |error: tokio::task::JoinError| AdminError::Invalid(error.to_string());
        self.take(ages.map_err(ended)??).await
    }

    async fn take(&mut self, ages: Vec<Age>) -> Result<()> {
        let mut old = Vec::new();
        for age in ages {
            match age {
                Age::Old(key) => old.push(key),
                Age::Young | Age::Gone => {}
                Age::Unknown => self.report.age_unknown += 1,
            }
        }
        self.report.old += old.len() as u64;
        for key in &old {
            self.learner.add(&key.name);
            if let Some(names) = &mut self.names {
                names.add(&key.name);
            }
            match key.by {
                AgeBy::Ttl => self.report.old_by_ttl += 1,
                AgeBy::Idle => self.report.old_by_idle += 1,
                AgeBy::Any => {}
            }
        }
        if self.apply {
            for keys in old.chunks(self.pace.batch()) {
                self.remove(keys).await?;
            }
        }
        Ok(())
    }

    /// Removes those of the keys that are still old.
    async fn remove(&mut self, keys: &[Old]) -> Result<()> {
        let removal = script::run(
            "remove old keys",
            REMOVE_OLD,
            self.place,
            &mut self.connection,
            keys,
            |key| &key.name,
            |command, some| {
                for key in some {
                    command.arg(key.by.word()).arg(key.bound);
                }
            },
        );
        let Answers { each: removed, failed } = self.pace.during(keys.len(), removal).await??;
        let gone = || keys.iter().zip(&removed).filter(|(_, one)| **one == 1).map(|(key, _)| key);
        if let Some(journal) = &mut self.journal {
            journal
                .removed(gone().map(|key| (escape(&key.name), key.by.word(), key.age_seconds)))?;
        }
        let count = gone().count() as u64;
        self.report.removed += count;
        self.report.spared += removed.len() as u64 - count;
        // The journal has what was removed before the error.
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn finish(mut self, took: Duration) -> CleanupReport {
        let learned = self.learner.finish().into_iter();
        let patterns = learned.map(|one| (one.pattern.to_string(), one.keys));
        self.report.patterns = patterns.collect();
        self.report.patterns.sort_by_key(|(_, keys)| std::cmp::Reverse(*keys));
        self.report.patterns.truncate(SHOWN);
        self.report.seconds = took.as_secs_f64();
        self.report.names = self.names.and_then(NameCounter::finish);
        self.report
    }
}
