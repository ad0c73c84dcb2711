//! The ways that keys can go, and which of them a pair of places and a user's rights allow.

mod copy;
mod dump;
mod look;
mod modules;
mod refresh;
mod relocate;
mod remove;
mod size;
mod standing;
mod typed;

use compartment_core::{Error, ErrorKind};
use compartment_redis::{Connection, allowed_name, answer_error, mark};
use redis::{Cmd, Pipeline, Value};
use serde::{Deserialize, Serialize};

use super::{Item, Migration, Outcome, Routes};
use crate::clocks::{ClockShift, told};
use crate::eviction::EvictionWatch;
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

/// What a lane needs to know about the migration.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) source: Place,
    pub(crate) targets: Vec<Place>,
    pub(crate) routes: Routes,
    pub(crate) keep: bool,
    pub(crate) verify: bool,
    /// Whether a key that cannot go as the others do may go another way.
    pub(crate) any_way: bool,
    /// Whether it is stopped when a target evicts keys.
    pub(crate) watches_evictions: bool,
    /// How far the clock of each target is ahead of the source's; see [`Course::compare_clocks`].
    pub(crate) shifts: Vec<ClockShift>,
}

impl Course {
    pub(crate) fn of(migration: &Migration) -> Self {
        Self {
            source: migration.source.clone(),
            targets: migration.targets.clone(),
            routes: migration.routes.clone(),
            keep: migration.options.keep,
            verify: migration.options.verify,
            any_way: migration.options.way.is_none(),
            watches_evictions: !migration.options.accept_eviction,
            shifts: Vec::new(),
        }
    }

    /// Compares the clocks of the targets with the source's; what people should know of them.
    ///
    /// # Errors
    /// Where they cannot be compared.
    pub(crate) async fn compare_clocks(&mut self) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        self.shifts.clear();
        for target in &self.targets {
            let shift = ClockShift::between(&self.source, target).await?;
            notes.extend(told(shift, &self.source, target));
            self.shifts.push(shift);
        }
        Ok(notes)
    }

    /// How far the clock of the numbered target is ahead.
    pub(crate) fn shift(&self, number: usize) -> ClockShift {
        self.shifts.get(number).copied().unwrap_or_default()
    }

    /// How far apart two tellings of one expiry may be.
    pub(crate) fn slack_ms(&self) -> u64 {
        let slacks = self.shifts.iter().map(|shift| shift.slack_ms());
        slacks.max().unwrap_or_else(|| ClockShift::default().slack_ms())
    }

    /// The item's name as it stands on the source's server.
    pub(crate) fn source_name(&self, item: &Item) -> Vec<u8> {
        self.source.on_server(&item.name).into_owned()
    }

    /// The number of the item's target, and its name on that server.
    pub(crate) fn destination(&self, item: &Item) -> (usize, Vec<u8>) {
        let number = self.routes.target(item.rule);
        let name = self.routes.new_name(item.rule, &item.name);
        let name = match self.targets.get(number) {
            Some(place) => place.on_server(&name).into_owned(),
            None => name,
        };
        (number, name)
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
    modules: modules::Modules,
}

impl Lane {
    pub(crate) async fn open(course: &Course, way: Way) -> Result<Self> {
        let source = course.source.open("migrate").await?;
        let mut targets = Vec::with_capacity(course.targets.len());
        for place in &course.targets {
            targets.push(place.open("migrate").await?);
        }
        let mut watches = Vec::new();
        for place in &course.targets {
            if course.watches_evictions && !place.is_on_server_of(&course.source).await? {
                watches.push(EvictionWatch::start(place).await?);
            }
        }
        Ok(Self {
            course: course.clone(),
            way,
            modules: modules::Modules::of(&course.source).await?,
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

    async fn carry_any(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let (verify, keep) = (self.course.verify, self.course.keep);
        let before = match (self.way, verify) {
            (Way::Move | Way::Copy, true) => Some(self.fingerprints_in_source(items).await?),
            _ => None,
        };
        let mut outcomes = match self.way {
            Way::Move => self.relocate(items).await?,
            Way::Copy if keep || !verify => self.copy(items).await?,
            Way::Copy | Way::Dump | Way::Typed => self.dump(items).await?,
        };
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

    /// Whether there is room for values of so many bytes where they go.
    fn room_for(&self, bytes: usize) -> Result<()> {
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

/// The best way that the servers and the user's rights allow.
///
/// # Errors
/// When none does: names each command that was refused, and why.
pub(crate) async fn choose(course: &Course) -> Result<Way> {
    let mut refused = Vec::new();
    for way in [Way::Move, Way::Copy, Way::Dump] {
        match try_out(course, way).await? {
            None => return Ok(way),
            Some(why) => refused.push(why),
        }
    }
    Err(AdminError::Server(Error::new(
        ErrorKind::Permission,
        "find a way for the keys",
        format!(
            "{}; allow MOVE (or COPY, EVALSHA and EVAL; or DUMP, PEXPIRETIME, UNLINK, WATCH, MULTI \
             on the source and RESTORE on the target)",
            refused.join("; ")
        ),
    )))
}

/// Why this way cannot be taken; `None` when it can.
///
/// # Errors
/// The connection's, and those that no other way mends.
pub(crate) async fn try_out(course: &Course, way: Way) -> Result<Option<String>> {
    let cluster = course.source.server().is_cluster();
    let Some(target) = course.targets.first() else {
        return Err(AdminError::Invalid("the migration has no target".into()));
    };
    let mut within = true;
    for place in &course.targets {
        within &= is_within(course, place).await?;
    }
    let mut source = course.source.open("migrate").await?;
    let missing = missing_name(course, &mut source).await?;
    match way {
        Way::Move if course.keep => Ok(Some("MOVE keeps nothing in the old place".into())),
        Way::Move | Way::Copy if !within => Ok(Some(format!("{way} works within one server only"))),
        Way::Move | Way::Copy if cluster => {
            Ok(Some(format!("{way} between databases is not possible in a cluster")))
        }
        Way::Move => {
            let same_index = course.targets.iter().any(|t| t.index() == course.source.index());
            let mut command = redis::cmd(if same_index { "RENAMENX" } else { "MOVE" });
            command.arg(&missing);
            match same_index {
                true => command.arg([missing.as_slice(), b":2"].concat()),
                false => command.arg(target.index()),
            };
            refusal(&mut source, "MOVE", &command).await
        }
        Way::Copy => {
            let mut command = redis::cmd("COPY");
            command.arg(&missing).arg([missing.as_slice(), b":2"].concat());
            command.arg("DB").arg(target.index());
            refusal(&mut source, "COPY", &command).await
        }
        Way::Dump | Way::Typed => {
            let mut command = redis::cmd("DUMP");
            command.arg(&missing);
            if let Some(why) = refusal(&mut source, "DUMP", &command).await? {
                return Ok(Some(why));
            }
            if way == Way::Typed {
                let clusters = course.targets.iter().any(|target| target.server().is_cluster());
                return Ok(clusters.then(|| format!("a {way} into a cluster is not possible")));
            }
            // An empty payload is refused as such by whoever may restore at all.
            let mut command = redis::cmd("RESTORE");
            command.arg(&missing).arg(0).arg("");
            refusal(&mut target.open("migrate").await?, "RESTORE", &command).await
        }
    }
}

/// What the server says against a command, when it is something that another way may get round.
async fn refusal(connection: &mut Connection, name: &str, command: &Cmd) -> Result<Option<String>> {
    match connection.ask::<Value>("find a way for the keys", command).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Permission => {
            Ok(Some(format!("{name} is refused: {}", error.message())))
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Ok(Some(format!("the server has no {name}")))
        }
        // That is about the key, which is not there, or the payload, which is none.
        Err(error) if error.kind() == ErrorKind::Protocol => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A name of no key, by which commands are tried that a user may not be allowed. An ACL may allow
/// names like those of the keys only.
async fn missing_name(course: &Course, source: &mut Connection) -> Result<Vec<u8>> {
    let prefix = course.source.prefix();
    let near: Vec<Vec<u8>> =
        course.routes.beginnings().map(|beginning| [prefix, beginning].concat()).collect();
    let mark = mark("missing");
    let found = allowed_name(&mut [source], &mark, &near).await;
    // Then the ways say themselves that they are refused.
    found.or_else(|error| match error.kind() {
        ErrorKind::Permission => Ok(mark.into_bytes()),
        _ => Err(error.into()),
    })
}

/// Whether the target is on the source's server. Within one database nothing moves, unless the
/// names change.
async fn is_within(course: &Course, target: &Place) -> Result<bool> {
    let source = &course.source;
    let is_within = target.is_on_server_of(source).await?;
    let renames = course.routes.renames() || source.prefix() != target.prefix();
    if is_within && target.index() == source.index() && !renames {
        return Err(AdminError::Invalid(format!(
            "{source} and {target} are the same place: nothing would move",
        )));
    }
    Ok(is_within)
}

/// The error for a key that the server would not take.
pub(crate) fn key_error(course: &Course, error: Error, number: usize, name: &[u8]) -> AdminError {
    let label = course.targets.get(number).map_or("", Place::label);
    AdminError::Server(error.in_database(label).at_key(escape(name)))
}
