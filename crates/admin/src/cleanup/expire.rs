//! Shortens the TTL of the keys of one database: no TTL becomes longer.

use std::time::{Duration, Instant};

use compartment_core::{DatabaseKind, DatabaseMap};
use compartment_redis::{Connection, read_answer};
use redis::Pipeline;
use serde::Serialize;

use super::refusals::{contract_of, is_ours, refusals};
use super::script::{self, Answers};
use crate::chosen::Chosen;
use crate::{AdminError, Limits, Pace, Place, Progress, Result, Walk};

const SHORTEN_TTL: &str = include_str!("../lua/shorten_ttl.lua");

/// Which keys are given a shorter TTL.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExpireOptions {
    /// The longest TTL that a key may have afterwards.
    pub at_most: Duration,
    /// Redis globs over names, as [`crate::read_glob`] reads them; all keys if empty.
    pub patterns: Vec<String>,
    /// Limits of the load on the server.
    pub limits: Limits,
    /// Whether TTLs are changed. Otherwise keys are counted only.
    pub apply: bool,
}

impl ExpireOptions {
    /// For every key, unlimited, counting only.
    #[must_use]
    pub fn new(at_most: Duration) -> Self {
        Self { at_most, patterns: Vec::new(), limits: Limits::default(), apply: false }
    }
}

/// The result of shortening TTLs.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ExpireReport {
    /// The database.
    pub database: String,
    /// Whether TTLs were changed.
    pub applied: bool,
    /// Chosen keys that were looked at.
    pub seen: u64,
    /// Keys with a longer TTL.
    pub longer: u64,
    /// Keys without a TTL. In a database whose kind requires one they are given it.
    pub without: u64,
    /// Keys whose TTL was changed.
    pub changed: u64,
    /// Reasons for a refusal; empty if it would run.
    pub refusals: Vec<String>,
    /// Duration in seconds.
    pub seconds: f64,
}

/// Counts the keys of `place` whose TTL is longer than [`ExpireOptions::at_most`], and shortens it with
/// [`ExpireOptions::apply`].
///
/// # Errors
/// [`AdminError::Invalid`] for a time of zero. [`AdminError::Unsafe`] when it is to apply and is refused, with every
/// reason. The server's: some keys may have their new TTL.
pub async fn expire(
    place: &Place,
    map: &DatabaseMap,
    options: &ExpireOptions,
    progress: &dyn Progress,
) -> Result<ExpireReport> {
    let began = Instant::now();
    let bound = u64::try_from(options.at_most.as_millis()).unwrap_or(u64::MAX);
    if bound == 0 {
        return Err(AdminError::Invalid("a TTL must be at least a millisecond".to_owned()));
    }
    let kind = contract_of(place, map).map(|contract| contract.kind);
    let mut refusals = refusals(place, map, &options.patterns).await?;
    if kind == Some(DatabaseKind::Durable) && !options.patterns.is_empty() {
        refusals.push(format!(
            "{} is durable: by its contract its keys have no TTL unless their writer gives one",
            place.label()
        ));
    }
    if options.apply && !refusals.is_empty() {
        let why = refusals.join("; ");
        return Err(AdminError::Unsafe(format!("no TTL of {} is changed: {why}", place.label())));
    }
    let mut run = Run {
        place,
        connection: place.open("expire").await?,
        bound,
        gives: kind.is_some_and(DatabaseKind::requires_ttl),
        apply: options.apply,
        report: ExpireReport {
            database: place.label().to_owned(),
            applied: options.apply,
            refusals,
            ..ExpireReport::default()
        },
    };
    let chosen = Chosen::new(&options.patterns);
    let mut pace = Pace::new(options.limits, place).await?;
    let mut walk = Walk::start(place, chosen.glob()).await?;
    progress.begin("look at the TTLs", place.known_keys().await);
    loop {
        let Some(mut page) = pace.next_page(&mut walk).await? else { break };
        let all = page.len() as u64;
        page.retain(|name| chosen.takes(name) && !is_ours(name));
        for names in page.chunks(pace.batch()) {
            pace.admit(names.len()).await?;
            run.batch(names).await?;
        }
        progress.advance(all);
    }
    run.report.seconds = began.elapsed().as_secs_f64();
    Ok(run.report)
}

struct Run<'a> {
    place: &'a Place,
    connection: Connection,
    /// In milliseconds.
    bound: u64,
    /// Whether keys without a TTL are given one.
    gives: bool,
    apply: bool,
    report: ExpireReport,
}

impl Run<'_> {
    async fn batch(&mut self, names: &[Vec<u8>]) -> Result<()> {
        const ASK: &str = "ask for TTLs";
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in names {
            pipeline.cmd("PTTL").arg(self.place.on_server(name).as_ref());
        }
        let mut meant = Vec::new();
        for (name, answer) in names.iter().zip(self.connection.ask_each(ASK, &pipeline).await?) {
            let left: i64 = read_answer(ASK, answer)?;
            self.report.seen += 1;
            match u64::try_from(left) {
                Ok(left) if left > self.bound => self.report.longer += 1,
                Err(_) if left == -1 => {
                    self.report.without += 1;
                    if !self.gives {
                        continue;
                    }
                }
                _ => continue,
            }
            meant.push(name);
        }
        if self.apply && !meant.is_empty() { self.shorten(&meant).await } else { Ok(()) }
    }

    async fn shorten(&mut self, names: &[&Vec<u8>]) -> Result<()> {
        let Answers { each: changed, failed } = script::run(
            "shorten TTLs",
            SHORTEN_TTL,
            self.place,
            &mut self.connection,
            names,
            |name| name.as_slice(),
            |command, _| {
                command.arg(self.bound).arg(u8::from(self.gives));
            },
        )
        .await?;
        self.report.changed += changed.iter().sum::<u64>();
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}
