//! The ways that keys can go, and which of them a pair of places and a user's rights allow.

mod choice;
mod copy;
mod course;
mod dump;
mod look;
mod modules;
mod protect;
mod protection;
mod refresh;
mod relocate;
mod remove;
mod size;
mod standing;
mod typed;

use std::time::Duration;

use compartment_core::{Backoff, Error, ErrorKind};
use compartment_redis::{Connection, answer_error};
use redis::{Cmd, Pipeline, Value};
use serde::{Deserialize, Serialize};

pub(crate) use choice::{choose, try_out};
pub(crate) use course::Course;
use protection::Protection;

use super::{Item, Outcome};
use crate::eviction::EvictionWatch;
use crate::snapshot::Snapshot;
use crate::weight::weight_of_payload;
use crate::{AdminError, Place, Result, escape};

/// How keys go from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// `MOVE`, within one server: at once whatever the size; keeps everything.
    Move,
    /// `COPY` and then removed, within one server: takes memory twice and time by size.
    Copy,
    /// `DUMP` and `RESTORE`, between servers.
    Dump,
    /// Read and written type by type, to a server that does not know the source's encodings.
    Typed,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Move => "MOVE",
            Self::Copy => "COPY",
            Self::Dump => "DUMP/RESTORE",
            Self::Typed => "typed copy",
        })
    }
}

/// Connections of one worker, which carries one page at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    course: Course,
    way: Way,
    source: Connection,
    targets: Vec<Connection>,
    keys_at_once: dump::Sizing,
    watches: Vec<EvictionWatch>,
    /// What the source evicts must not be taken for deleted.
    source_watch: Option<EvictionWatch>,
    modules: modules::Modules,
    protection: Protection,
}

impl Lane {
    pub(crate) async fn open(course: &Course, way: Way) -> Result<Self> {
        let source = course.source.open("migrate").await?;
        let mut targets = Vec::with_capacity(course.targets.len());
        for place in &course.targets {
            targets.push(place.open("migrate").await?);
        }
        let mut watches = Vec::new();
        for (place, elsewhere) in course.targets.iter().zip(&course.elsewhere) {
            // Within a server too a key that stays takes its memory twice.
            if course.watches_evictions && (*elsewhere || course.keep) {
                watches.push(EvictionWatch::start(place).await?);
            }
        }
        let source_watch = match course.copies.is_some() && course.watches_evictions {
            true => Some(EvictionWatch::start(&course.source).await?),
            false => None,
        };
        Ok(Self {
            source_watch,
            course: course.clone(),
            way,
            modules: modules::Modules::of(&course.source).await?,
            protection: Protection::of(&course.source, &course.targets).await?,
            source,
            targets,
            keys_at_once: dump::Sizing::new(),
            watches,
        })
    }

    /// Whether a target evicts keys when it is full: then nothing may be written to it unseen.
    pub(crate) fn has_to_watch(&self) -> bool {
        self.watches.iter().any(EvictionWatch::is_needed)
    }

    /// Whether the targets are kept in step with the source.
    pub(crate) fn follows(&self) -> bool {
        self.course.copies.is_some()
    }

    /// How many keys of each module's type it has met.
    pub(crate) fn take_modules(&mut self) -> std::collections::BTreeMap<String, u64> {
        self.modules.take()
    }

    /// How many keys go in one round trip at most.
    pub(crate) fn capacity(&self) -> usize {
        match self.way {
            Way::Move => 1_000,
            Way::Copy => 200,
            Way::Dump | Way::Typed => self.keys_at_once.keys(),
        }
    }

    /// About how many commands a key costs the servers.
    pub(crate) fn commands_per_key(&self) -> usize {
        match self.way {
            Way::Move => 1,
            Way::Copy => 2,
            Way::Dump | Way::Typed => 4,
        }
    }

    /// Carries the keys; what became of each.
    pub(crate) async fn carry(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        if self.modules.are_loaded() {
            return self.carry_by_type(items).await;
        }
        self.carry_any(items).await
    }

    /// Carries the items and retries: a cluster that reshards answers for a moment that a key is
    /// moving.
    pub(crate) async fn carry_patiently(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        const ATTEMPTS: u32 = 6;
        let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        for attempt in 1..ATTEMPTS {
            match self.carry(items).await {
                Err(AdminError::Server(error)) if error.kind() == ErrorKind::NotReady => {
                    tokio::time::sleep(backoff.after(attempt)).await;
                }
                result => return result,
            }
        }
        self.carry(items).await
    }

    async fn carry_any(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let (verify, keep) = (self.course.verify, self.course.keep);
        let before = match (self.way, verify) {
            (Way::Move | Way::Copy, true) => Some(self.fingerprints_in_source(items).await?),
            _ => None,
        };
        let protected = match self.way {
            // After these the source has them no more.
            Way::Move | Way::Copy => self.protected_in_source(items).await?,
            Way::Dump | Way::Typed => Vec::new(),
        };
        let mut outcomes = match self.way {
            Way::Move => self.relocate(items).await?,
            Way::Copy if keep || !verify => self.copy(items).await?,
            Way::Copy | Way::Dump | Way::Typed => self.dump(items).await?,
        };
        self.protect(items, &outcomes, &protected).await?;
        if let Some(before) = before {
            self.compare_arrived(items, &mut outcomes, &before).await?;
        }
        self.tell_those_there(items, &mut outcomes).await?;
        Ok(outcomes)
    }

    /// A key that the source has no more may be in its target: `SCAN` may name a key twice, and a
    /// program that knows both places brings what it asks for.
    async fn tell_those_there(&mut self, items: &[Item], outcomes: &mut [Outcome]) -> Result<()> {
        let gone: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Gone).collect();
        let commands = gone.iter().map(|at| {
            let (number, name) = self.course.destination(&items[*at]);
            let mut command = redis::cmd("EXISTS");
            command.arg(name);
            (number, command)
        });
        let commands = commands.collect();
        let answers = self.ask_targets("look for a key", commands).await?;
        for (at, answer) in gone.into_iter().zip(&answers) {
            if as_int(&self.course, "look for a key", answer)? == 1 {
                outcomes[at] = Outcome::There;
            }
        }
        Ok(())
    }

    /// Whether there is room for these values where they go.
    fn room_for(&self, snapshots: &[Option<Snapshot>]) -> Result<()> {
        if !self.has_to_watch() {
            return Ok(());
        }
        let bytes = snapshots.iter().flatten().map(|one| weight_of_payload(&one.payload)).sum();
        self.watches.iter().try_for_each(|watch| watch.room_for(bytes))
    }

    async fn look_for_evictions(&mut self) -> Result<()> {
        for watch in &mut self.watches {
            watch.look().await?;
        }
        Ok(())
    }

    /// Of each key of `items`, whether the source has it.
    async fn in_source(&mut self, items: &[&Item]) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        for item in items {
            pipeline.cmd("EXISTS").arg(self.course.source_name(item));
        }
        let answers = self.source.ask_each("look for a key", &pipeline).await?;
        answers
            .iter()
            .map(|answer| Ok(as_int(&self.course, "look for a key", answer)? == 1))
            .collect()
    }

    /// Sends a command for each of some items to their targets; the answers in the items' order.
    async fn ask_targets(
        &mut self,
        operation: &'static str,
        commands: Vec<(usize, Cmd)>,
    ) -> Result<Vec<Value>> {
        let mut by_target: Vec<(Pipeline, Vec<usize>)> =
            self.targets.iter().map(|_| (Pipeline::new(), Vec::new())).collect();
        let count = commands.len();
        for (at, (number, command)) in commands.into_iter().enumerate() {
            if let Some((pipeline, places)) = by_target.get_mut(number) {
                pipeline.add_command(command);
                places.push(at);
            }
        }
        let mut answers = vec![Value::Nil; count];
        for (connection, (pipeline, places)) in self.targets.iter_mut().zip(by_target) {
            for (at, answer) in
                places.into_iter().zip(connection.ask_each(operation, &pipeline).await?)
            {
                answers[at] = answer;
            }
        }
        Ok(answers)
    }
}

/// An answer that has to be a number; the server's error otherwise.
pub(crate) fn as_int(course: &Course, operation: &'static str, answer: &Value) -> Result<i64> {
    match answer {
        Value::Int(number) => Ok(*number),
        Value::Boolean(yes) => Ok(i64::from(*yes)),
        other => Err(unexpected(course, operation, other)),
    }
}

/// The error that an answer is, when it is none of those expected.
pub(crate) fn unexpected(course: &Course, operation: &'static str, answer: &Value) -> AdminError {
    let error = answer_error(operation, answer).unwrap_or_else(|| {
        Error::new(ErrorKind::Protocol, operation, "the answer is not what a Redis server gives")
    });
    error.in_database(course.source.label()).into()
}

/// The error for a key that the server would not take.
pub(crate) fn key_error(course: &Course, error: Error, number: usize, name: &[u8]) -> AdminError {
    let label = course.targets.get(number).map_or("", Place::label);
    AdminError::Server(error.in_database(label).at_key(escape(name)))
}
