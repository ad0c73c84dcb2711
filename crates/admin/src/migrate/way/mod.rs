//! The ways of moving keys.

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
mod translate;
mod typed;

use std::collections::HashSet;

use compartment_core::{Error, ErrorKind};
use compartment_redis::{Connection, answer_error};
use redis::{Cmd, Pipeline, Value};
use serde::{Deserialize, Serialize};

pub(crate) use choice::{choose, try_out};
pub(crate) use course::Course;
pub(crate) use dump::Sizing;
use protection::Protection;

use super::patience::Patience;
use super::{Item, Outcome};
use crate::eviction::EvictionWatch;
use crate::snapshot::Snapshot;
use crate::weight::weight_of_payload;
use crate::{AdminError, Place, Result, escape};

/// A way of moving keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// `MOVE`, within one server: takes constant time for any size.
    Move,
    /// `COPY` and removal, within one server: takes twice the memory, and time in proportion to the
    /// size.
    Copy,
    /// `DUMP` and `RESTORE`, between servers.
    Dump,
    /// Writing by commands of each type, for a server that does not know the source's encodings.
    Typed,
}

impl Way {
    /// Whether a key is in both places for a moment.
    pub(crate) fn is_in_steps(self) -> bool {
        self != Self::Move
    }
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

/// The connections of one worker, which moves one page at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    course: Course,
    way: Way,
    source: Connection,
    targets: Vec<Connection>,
    keys_at_once: dump::Sizing,
    watches: Vec<EvictionWatch>,
    /// Keys that the source evicts must not count as deleted.
    source_watch: Option<EvictionWatch>,
    modules: modules::Modules,
    protection: Protection,
    /// Names of the page's keys that their targets had before it.
    had: HashSet<Vec<u8>>,
    /// Whether an earlier attempt or run may have copied keys of the page.
    has_tried: bool,
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
            // Even within a server, a key that also stays takes twice the memory.
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
            had: HashSet::new(),
            has_tried: false,
        })
    }

    /// Begins a page. `had` has the positions of the keys that their targets had before it.
    pub(crate) fn begin_page(&mut self, items: &[Item], had: &HashSet<usize>) {
        let names = had.iter().filter_map(|at| items.get(*at));
        self.had = names.map(|item| item.name.clone()).collect();
        self.has_tried = false;
    }

    /// From now on, keys of the page that their targets had not had may be copies of an earlier attempt or run.
    pub(crate) fn expect_own_copies(&mut self) {
        self.has_tried = true;
    }

    fn may_be_own_copy(&self, item: &Item) -> bool {
        self.has_tried && !self.had.contains(&item.name)
    }

    /// The outcome of a key that its target has with equal value.
    fn equal(&self, item: &Item) -> Outcome {
        if self.may_be_own_copy(item) { Outcome::Done } else { Outcome::Same }
    }

    /// Whether a target evicts keys when it is full, so that its memory has to be checked before
    /// writes.
    pub(crate) fn has_to_watch(&self) -> bool {
        self.watches.iter().any(EvictionWatch::is_needed)
    }

    /// Whether the source keeps its keys.
    pub(crate) fn keeps(&self) -> bool {
        self.course.keep
    }

    /// Whether the run follows the source.
    pub(crate) fn follows(&self) -> bool {
        self.course.copies.is_some()
    }

    /// Takes the number of keys seen of each module type.
    pub(crate) fn take_modules(&mut self) -> std::collections::BTreeMap<String, u64> {
        self.modules.take()
    }

    /// Maximum number of keys per round trip.
    pub(crate) fn capacity(&self) -> usize {
        match self.way {
            Way::Move => 1_000,
            Way::Copy => 200,
            Way::Dump | Way::Typed => self.keys_at_once.keys(),
        }
    }

    /// Approximate number of commands per key.
    pub(crate) fn commands_per_key(&self) -> usize {
        match self.way {
            Way::Move => 1,
            Way::Copy => 2,
            Way::Dump | Way::Typed => 4,
        }
    }

    /// Moves the keys; returns their outcomes.
    pub(crate) async fn carry(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        if self.modules.are_loaded() {
            return self.carry_by_type(items).await;
        }
        self.carry_any(items).await
    }

    /// Moves the items with retries, because a resharding cluster briefly refuses keys that are
    /// moving.
    pub(crate) async fn carry_patiently(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let had_tried = self.has_tried;
        let mut patience = Patience::new();
        let result = loop {
            let error = match self.carry(items).await {
                Ok(outcomes) => break Ok(outcomes),
                Err(error) => error,
            };
            if let Err(error) = patience.after(error).await {
                break Err(error);
            }
            self.expect_own_copies();
        };
        self.has_tried = had_tried;
        result
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

    /// Marks keys missing from the source that are in their target: `SCAN` may return a key twice,
    /// and a program that knows both places brings the keys that it uses.
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
                outcomes[at] = match self.may_be_own_copy(&items[at]) {
                    true => Outcome::Done,
                    // The target had it, and an earlier attempt has removed it from the source.
                    false if self.has_tried && !self.course.keep => Outcome::Same,
                    false => Outcome::There,
                };
            }
        }
        Ok(())
    }

    /// Checks that these values fit into the targets.
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

    /// Whether the source has each key of `items`.
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

    /// Sends the commands to their targets; returns the answers in the order of the commands.
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

/// Reads a numeric answer; otherwise the server's error.
pub(crate) fn as_int(course: &Course, operation: &'static str, answer: &Value) -> Result<i64> {
    match answer {
        Value::Int(number) => Ok(*number),
        Value::Boolean(yes) => Ok(i64::from(*yes)),
        other => Err(unexpected(course, operation, other)),
    }
}

/// The error for an unexpected answer.
pub(crate) fn unexpected(course: &Course, operation: &'static str, answer: &Value) -> AdminError {
    let error = answer_error(operation, answer).unwrap_or_else(|| {
        Error::new(ErrorKind::Protocol, operation, "the answer is not what a Redis server gives")
    });
    error.in_database(course.source.label()).into()
}

/// The error for a key that the server refused.
pub(crate) fn key_error(course: &Course, error: Error, number: usize, name: &[u8]) -> AdminError {
    let label = course.targets.get(number).map_or("", Place::label);
    AdminError::Server(error.in_database(label).at_key(escape(name)))
}
