//! The short way of a request: one place, one shared connection, one reply.

use std::rc::Rc;

use super::places::Places;
use super::slow::names_database;
use super::state::Session;
use crate::accounting::{About, Subject};
use crate::commands::{Command, Kind};
use crate::resp::Arguments;
use crate::route::{RouteId, Target};
use crate::upstream::{Line, LineKey};

/// Requests without keys come by no route.
pub(super) const NO_ROUTE: RouteId = RouteId::new(u16::MAX);

/// Bytes of requests that a server has not taken, before a program's next one waits for its last one.
pub(super) const UNSENT: usize = 4 << 20;

pub(super) fn writes(command: &Command) -> bool {
    command.writes() || command.kind == Kind::Publish
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Its reply is on its way.
    Done,
    /// It has to wait for the reply of this number: writes of a program take effect in its order.
    Wait(u64),
    /// It takes more than one step.
    Slow,
}

impl Session {
    /// Sends a request on its short way, if it has one.
    pub(super) fn dispatch(&mut self, frame: &[u8], arguments: &Arguments<'_>) -> Next {
        if self.own.is_some() || self.transaction.is_some() || self.who.must_log_in {
            return Next::Slow;
        }
        let config = self.config.clone();
        let Some(command) = config.table.find(arguments) else { return Next::Slow };
        if !command.takes(arguments.len()) {
            return Next::Slow;
        }
        let target = match command.kind {
            Kind::Plain if command.first_key_only() => self.view.route(arguments.get(1)),
            Kind::Blocking if command.blocks(arguments) => return Next::Slow,
            Kind::Across if names_database(command, arguments) => return Next::Slow,
            Kind::Plain | Kind::Across | Kind::Split(_) | Kind::Script | Kind::Blocking => {
                match self.places(command, arguments) {
                    Places::One(target) => Some(target),
                    _ => return Next::Slow,
                }
            }
            Kind::Publish => Some(self.published(command, arguments)),
            Kind::Server | Kind::Channels => Some(self.home()),
            _ => return Next::Slow,
        };
        let Some(target) = target else { return Next::Slow };
        self.pass(command, target, arguments, frame)
    }

    /// In the dry mode: counts what the routes would do.
    pub(super) fn observe(&mut self, arguments: &Arguments<'_>) {
        if self.config.observer.is_none() {
            return;
        }
        let config = self.config.clone();
        let Some(observer) = &config.observer else { return };
        if let Some(command) = config.table.find(arguments) {
            let view = observer.view(&self.who.program());
            observer.note(view.as_deref(), command, arguments, &mut self.keys);
        }
    }

    /// The place of requests without keys.
    pub(super) fn home(&self) -> Target {
        self.whole(self.view.home())
    }

    /// The place of a message. On a cluster a channel of a shard is where its slot is.
    pub(super) fn published(&self, command: &Command, arguments: &Arguments<'_>) -> Target {
        match &*command.name {
            "spublish" => self.home().of_key(arguments.get(1)),
            _ => self.home(),
        }
    }

    /// Sends a request to its place as it is.
    fn pass(
        &mut self,
        command: &Command,
        target: Target,
        arguments: &Arguments<'_>,
        frame: &[u8],
    ) -> Next {
        if target.slot.is_some() {
            return self.pass_to_node(command, target, arguments, frame);
        }
        let is_script = command.kind == Kind::Script;
        let lane = self.lane(target, is_script);
        let writes = writes(command) || is_script;
        let waits = self
            .waits_for(&self.last_script, &lane)
            .or_else(|| writes.then(|| self.waits_for(&self.last_write, &lane)).flatten())
            .or_else(|| is_script.then(|| self.waits_for(&self.last, &lane)).flatten());
        // A server that takes nothing is not sent more and more.
        let is_stalled = || lane.unsent() > UNSENT;
        let waits = waits.or_else(|| {
            let (line, number) = self.last.as_ref().filter(|_| is_stalled())?;
            (Rc::ptr_eq(line, &lane) && !self.outbox.has_answered(*number)).then_some(*number)
        });
        if let Some(number) = waits {
            return Next::Wait(number);
        }
        let number = self.send(command, target, arguments, frame, &lane);
        self.remember(command, lane, number);
        Next::Done
    }

    /// Notes which way a request went, for those that have to come after it.
    pub(super) fn remember(&mut self, command: &Command, line: Rc<Line>, number: u64) {
        let is_script = matches!(command.kind, Kind::Script | Kind::Scripts);
        if is_script || writes(command) {
            self.last_write = Some((Rc::clone(&line), number));
        }
        if is_script {
            self.last_script = Some((Rc::clone(&line), number));
        }
        self.last = Some((line, number));
    }

    /// The number of a request that went another way and is not answered.
    pub(super) fn waits_for(&self, last: &Option<(Rc<Line>, u64)>, lane: &Rc<Line>) -> Option<u64> {
        let (line, number) = last.as_ref()?;
        (!Rc::ptr_eq(line, lane) && !self.outbox.has_answered(*number)).then_some(*number)
    }

    pub(super) fn about(&self, command: &Command, target: Target, bytes: usize) -> About {
        let subject =
            Subject { command: command.id, database: target.database, route: target.route };
        About {
            subject,
            accounts: self.accounts.clone(),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            since: self.read_at,
        }
    }

    /// The shared connection to a database.
    pub(super) fn lane(&mut self, target: Target, is_for_scripts: bool) -> Rc<Line> {
        if target.slot.is_some() {
            return self.node_lane(target, is_for_scripts);
        }
        let at = target.database.position() * 2 + usize::from(is_for_scripts);
        if let Some(Some(lane)) = self.lanes.get(at)
            && lane.is_usable()
        {
            return Rc::clone(lane);
        }
        let placed = self.config.placed(target.database);
        let key = LineKey { is_for_scripts, ..self.key(placed.server, placed.index) };
        let lane = self.front.servers().lane(&key);
        if self.lanes.len() <= at {
            self.lanes.resize(at + 1, None);
        }
        self.lanes[at] = Some(Rc::clone(&lane));
        lane
    }
}
