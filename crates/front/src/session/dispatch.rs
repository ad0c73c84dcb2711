//! The short way of a request: one place, one shared connection, one reply.

use std::rc::Rc;

use super::Session;
use super::places::Places;
use super::slow::names_database;
use crate::commands::{Command, Kind};
use crate::resp::Arguments;
use crate::route::{RouteId, Target};
use crate::upstream::{About, Line, LineKey};

/// Requests without keys come by no route.
pub(super) const NO_ROUTE: RouteId = RouteId::new(u16::MAX);

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
        if self.own.is_some() || self.who.must_log_in {
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
            Kind::Server | Kind::Publish | Kind::Channels => Some(self.home()),
            _ => return Next::Slow,
        };
        let Some(target) = target else { return Next::Slow };
        self.pass(command, target, arguments, frame)
    }

    /// In the dry mode: counts what the routes would do.
    pub(super) fn observe(&mut self, arguments: &Arguments<'_>) {
        let config = self.config.clone();
        let Some(observer) = &config.observer else { return };
        if let Some(command) = config.table.find(arguments) {
            let view = observer.view(&self.who.program());
            observer.note(view.as_deref(), command, arguments, &mut self.keys);
        }
    }

    /// The place of requests without keys.
    pub(super) fn home(&self) -> Target {
        Target { database: self.view.home(), route: NO_ROUTE }
    }

    /// Sends a request to its place as it is.
    fn pass(
        &mut self,
        command: &Command,
        target: Target,
        arguments: &Arguments<'_>,
        frame: &[u8],
    ) -> Next {
        let is_script = command.kind == Kind::Script;
        if is_script != self.has_scripted {
            // Scripts have connections of their own: what came before takes effect first.
            if let Some(number) = self.outbox.last() {
                return Next::Wait(number);
            }
            self.has_scripted = is_script;
        }
        let lane = if is_script { self.script_lane(target) } else { self.lane(target) };
        let writes =
            command.writes() || command.kind == Kind::Publish || command.kind == Kind::Script;
        if writes
            && let Some((last, number)) = &self.last_write
            && !Rc::ptr_eq(last, &lane)
            && !self.outbox.has_answered(*number)
        {
            return Next::Wait(*number);
        }
        let number = self.send(command, target, arguments, frame, &lane);
        if writes {
            self.last_write = Some((lane, number));
        }
        Next::Done
    }

    pub(super) fn about(&self, command: &Command, target: Target, bytes: usize) -> About {
        About {
            command: command.id,
            database: target.database,
            route: target.route,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            since: self.read_at,
        }
    }

    /// The shared connection to a database for scripts. It is looked up each time, since scripts are few.
    pub(super) fn script_lane(&self, target: Target) -> Rc<Line> {
        let placed = self.config.placed(target.database);
        let key = self.key(placed.server, placed.index);
        self.front.servers().lane(&LineKey { runs_scripts: true, ..key })
    }

    /// The shared connection to a database.
    pub(super) fn lane(&mut self, target: Target) -> Rc<Line> {
        let at = target.database.position();
        if let Some(Some(lane)) = self.lanes.get(at)
            && lane.is_usable()
        {
            return Rc::clone(lane);
        }
        let placed = self.config.placed(target.database);
        let key = self.key(placed.server, placed.index);
        let lane = self.front.servers().lane(&key);
        if self.lanes.len() <= at {
            self.lanes.resize(at + 1, None);
        }
        self.lanes[at] = Some(Rc::clone(&lane));
        lane
    }
}
