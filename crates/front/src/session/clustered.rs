//! Databases on a cluster: the node of a key, and requests that find it again when it has gone elsewhere.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::dispatch::{NO_ROUTE, Next, UNSENT, writes};
use super::state::Session;
use crate::accounting::About;
use crate::commands::{Command, Kind};
use crate::resp::{Arguments, write};
use crate::route::{ANY_SLOT, DatabaseId, Target};
use crate::upstream::{Answer, Kept, Line, LineKey};

impl Session {
    /// The number of the server that has a target.
    pub(super) fn server_of(&self, target: Target) -> usize {
        let server = self.config.placed(target.database).server;
        match target.slot {
            None => server,
            Some(slot) => self.front.servers().node_of(server, slot),
        }
    }

    /// A database as the target of a request without keys: on a cluster any node will do.
    pub(super) fn whole(&self, database: DatabaseId) -> Target {
        let slot = self.config.placed(database).is_clustered.then_some(ANY_SLOT);
        Target { database, route: NO_ROUTE, slot }
    }

    /// A target at each server that has keys of a database.
    pub(super) fn each_of(&self, database: DatabaseId) -> Vec<Target> {
        let whole = self.whole(database);
        let server = self.config.placed(database).server;
        match whole.slot {
            None => vec![whole],
            Some(_) => {
                let slots = self.front.servers().slot_of_each(server).into_iter();
                slots.map(|slot| Target { slot: Some(slot), ..whole }).collect()
            }
        }
    }

    /// Whether a database of the program is on a cluster.
    pub(super) fn has_cluster(&self) -> bool {
        self.view.databases().iter().any(|id| self.config.placed(*id).is_clustered)
    }

    /// Waits until the slots of the program's clusters are known.
    pub(super) async fn know_slots(&mut self) -> Result<(), super::failed::Gone> {
        let config = self.config.clone();
        for id in self.view.clone().databases() {
            let placed = config.placed(*id);
            if placed.is_clustered && !self.front.servers().cluster(placed.server).is_read() {
                let servers = self.front.servers();
                self.wait(servers.slots_read(placed.server)).await?;
            }
        }
        Ok(())
    }

    /// Sends a request to the node of its key. Requests of one slot are executed in the order in which the program sends
    /// them; those of several nodes do not wait for each other, as with any client of a cluster.
    pub(super) fn pass_to_node(
        &mut self,
        command: &Command,
        target: Target,
        arguments: &Arguments<'_>,
        frame: &[u8],
    ) -> Next {
        let servers = self.front.servers();
        let instance = self.config.placed(target.database).server;
        if !servers.cluster(instance).is_read() {
            return Next::Slow;
        }
        let newest = self.outbox.newest();
        // After a change, requests on their way may have to go elsewhere: none may overtake them.
        if servers.changes() != self.nodes.changes {
            if let Some(number) = newest {
                return Next::Wait(number);
            }
            self.nodes.changes = servers.changes();
        }
        if let Some(number) = self.nodes.several {
            if !self.outbox.has_answered(number) {
                return Next::Wait(number);
            }
            self.nodes.several = None;
        }
        let is_script = command.kind == Kind::Script;
        let before = self.nodes.lanes.len();
        let lane = match self.known_lane(self.server_of(target), target, is_script) {
            Some(lane) => lane,
            // The one before it may still have requests of the program.
            None if before > self.nodes.lanes.len() && newest.is_some() => {
                return Next::Wait(newest.unwrap_or_default());
            }
            None => self.node_lane(target, is_script),
        };
        let is_elsewhere = |last: &Rc<Line>| last.node().is_none() || last.node() == lane.node();
        let last_write = self.last_write.as_ref().filter(|(line, _)| is_elsewhere(line)).cloned();
        let waits = self
            .waits_for(&self.last_script, &lane)
            .or_else(|| {
                (writes(command) || is_script).then(|| self.waits_for(&last_write, &lane)).flatten()
            })
            .or_else(|| is_script.then(|| self.waits_for(&self.last, &lane)).flatten())
            .or_else(|| newest.filter(|_| lane.unsent() > UNSENT || servers.keeps_much()));
        if let Some(number) = waits {
            return Next::Wait(number);
        }
        let has_keys = !matches!(command.kind, Kind::Server | Kind::Publish | Kind::Channels);
        let has_several = has_keys && !command.first_key_only() && self.keys.len() > 1;
        let number = self.send(command, target, arguments, frame, &lane);
        self.nodes.several = has_several.then_some(number);
        self.remember(command, lane, number);
        Next::Done
    }

    fn known_lane(&mut self, server: usize, target: Target, is_script: bool) -> Option<Rc<Line>> {
        let index = self.config.placed(target.database).index;
        let is_it = |known: &(usize, u32, bool, Rc<Line>)| {
            (known.0, known.1, known.2) == (server, index, is_script)
        };
        let at = self.nodes.lanes.iter().position(is_it)?;
        if self.nodes.lanes.get(at).is_some_and(|(.., lane)| lane.is_usable()) {
            return self.nodes.lanes.get(at).map(|(.., lane)| Rc::clone(lane));
        }
        self.nodes.lanes.swap_remove(at);
        None
    }

    /// The shared connection to the node of a target.
    pub(super) fn node_lane(&mut self, target: Target, is_for_scripts: bool) -> Rc<Line> {
        let server = self.server_of(target);
        if let Some(lane) = self.known_lane(server, target, is_for_scripts) {
            return lane;
        }
        let index = self.config.placed(target.database).index;
        let key = LineKey { is_for_scripts, ..self.key(server, index) };
        let lane = self.front.servers().lane(&key);
        self.nodes.lanes.push((server, index, is_for_scripts, Rc::clone(&lane)));
        lane
    }

    /// Sends a request whose reply is the program's, or goes to a gatherer; on a cluster it is kept until the reply is
    /// known.
    pub(super) fn send_kept(
        &self,
        line: &Line,
        (target, slot): (Target, u16),
        (bytes, replies): (Bytes, usize),
        answer: Answer,
        about: Option<About>,
    ) {
        let placed = self.config.placed(target.database);
        let server = line.node().unwrap_or(placed.server);
        // It goes on by a connection of the kind that it was sent by: so the order of requests is kept.
        let is_it = |lane: &Rc<Line>| std::ptr::eq(Rc::as_ptr(lane), line);
        let is_for_scripts = self.nodes.lanes.iter().any(|(.., of, lane)| *of && is_it(lane));
        let key = LineKey { is_for_scripts, ..self.key(server, placed.index) };
        let (servers, outbox) = (self.front.servers(), self.outbox.clone());
        let place = (placed.server, slot);
        Kept::new(servers, key, place, (bytes, replies), answer, outbox).send(line, about);
    }
}

/// The bytes of a transaction around these commands.
pub(super) fn transaction(commands: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(commands.len() + 40);
    write::request([b"MULTI".as_slice()], &mut bytes);
    bytes.extend_from_slice(commands);
    write::request([b"EXEC".as_slice()], &mut bytes);
    bytes.freeze()
}
