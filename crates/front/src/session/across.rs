//! Commands whose keys belong together and are in several databases: one step where one server has them all.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};

use super::failed::Failed;
use super::frames::{Around, Steps};
use super::slow::nowhere;
use super::state::Session;
use crate::commands::{Command, copy_database};
use crate::resp::request::Request;
use crate::resp::scanner::elements;
use crate::resp::{Arguments, Resp, Tree, whole_number, write};
use crate::route::{DatabaseId, Target};
use crate::upstream::Line;

const ACROSS: &str = include_str!("../lua/across.lua");
/// What the names of copies begin with, for the moment that they exist.
const COPY_PREFIX: &str = "compartment:front:copy:";

impl Session {
    /// Executes a command whose keys are in several databases.
    pub(super) async fn across(
        &mut self,
        command: &Command,
        request: &Request,
        targets: &[Target],
    ) -> Result<(), Failed> {
        let (target, frame) = self.across_frame(command, request, targets)?;
        let around = self.around(command, &request.arguments(), targets, |_| true)?;
        self.settle().await?;
        let placed = self.config.placed(target.database);
        let (server, index) = (placed.server, placed.index);
        let watches = self.own.as_ref().is_some_and(|own| own.holds.watches);
        let line = match around.is_empty() {
            // The EXEC around it would end the program's WATCH: this transaction goes another way.
            false if watches => self.lane(target, true),
            _ => self.take_own(server, index).await?,
        };
        let reply = match around.is_empty() {
            true => self.ask_frame(&line, &frame).await?,
            false => self.ask_surrounded(&line, index, &frame, &around).await?,
        };
        let reply = self.named(&reply, &request.arguments());
        self.note_reply(command, target, &frame, &reply);
        self.outbox.answer(&reply);
        Ok(())
    }

    /// The reply to a command at an index, in one transaction with what is around it.
    async fn ask_surrounded(
        &mut self,
        line: &Line,
        index: u32,
        frame: &[u8],
        around: &Around,
    ) -> Result<Bytes, Failed> {
        let mut steps = Steps::at(index);
        let (own, after) = steps.surround(index, frame, around);
        steps.select(index);
        let reply = self.ask_transaction(line, &steps.bytes, steps.count).await?;
        let replies = elements(&reply).unwrap_or_default();
        self.count_lives(around, &replies, &after);
        Ok(replies.get(own).map_or_else(|| reply.clone(), |own| Bytes::copy_from_slice(own)))
    }

    /// What the names of its copies begin with: no other connection has the same, of this front or another one.
    fn copies(&self) -> String {
        static FRONT: OnceLock<u64> = OnceLock::new();
        let front = FRONT.get_or_init(compartment_core::backend::random);
        format!("{COPY_PREFIX}{front:016x}:{}:", self.who.id)
    }

    /// The script that executes it, and the database where it runs: that of the first key.
    pub(super) fn across_frame(
        &self,
        command: &Command,
        request: &Request,
        targets: &[Target],
    ) -> Result<(Target, Bytes), Failed> {
        let arguments = request.arguments();
        let Some(&target) = targets.first() else { return Err(Failed::Gone) };
        let home = self.config.placed(target.database);
        let is_elsewhere = targets.iter().any(|other| {
            other.slot.is_some() || self.config.placed(other.database).server != home.server
        });
        if is_elsewhere || command.kind != crate::commands::Kind::Across {
            return Err(self.apart(command, &arguments, targets));
        }
        let resp = if self.who.resp == Resp::Three { "3" } else { "2" };
        let copies = self.copies();
        let mut words: Vec<Vec<u8>> =
            vec![home.index.to_string().into(), copies.into(), resp.into(), Vec::new()];
        let mut count = 0;
        for (key, other) in self.keys.iter().zip(targets) {
            if other.database == target.database {
                continue;
            }
            count += 1;
            words.push((key.at + 1).to_string().into());
            words.push(self.index_of(*other).to_string().into());
            words.push(if key.access.writes() { b"1".to_vec() } else { b"0".to_vec() });
        }
        if let Some(place) = words.get_mut(3) {
            *place = count.to_string().into();
        }
        let script = [b"EVAL".as_slice(), ACROSS.as_bytes(), b"0"];
        let all: Vec<&[u8]> = script
            .into_iter()
            .chain(words.iter().map(Vec::as_slice))
            .chain(arguments.iter())
            .collect();
        Ok((target, write::frame(&all)))
    }

    /// Gives copies in a reply the names that the program knows.
    fn named(&self, reply: &[u8], arguments: &Arguments<'_>) -> Bytes {
        let prefix = self.copies();
        let has_copy = reply.windows(prefix.len()).any(|window| window == prefix.as_bytes());
        let (true, Ok(Some((tree, _)))) = (has_copy, Tree::parse(reply)) else {
            return Bytes::copy_from_slice(reply);
        };
        let first =
            self.keys.first().and_then(|key| self.view.route(arguments.get(key.at as usize)));
        let foreign: Vec<&[u8]> = self
            .keys
            .iter()
            .map(|key| arguments.get(key.at as usize))
            .filter(|name| {
                self.view.route(name).map(|target| target.database)
                    != first.map(|target| target.database)
            })
            .collect();
        let mut out = BytesMut::new();
        renamed(tree, prefix.as_bytes(), &foreign).write(self.who.resp, &mut out);
        out.freeze()
    }

    /// Refuses a command whose keys are in databases that cannot be brought together.
    pub(super) fn apart(
        &self,
        command: &Command,
        arguments: &Arguments<'_>,
        targets: &[Target],
    ) -> Failed {
        let key =
            |at: usize| self.keys.get(at).map_or(&b""[..], |key| arguments.get(key.at as usize));
        let is_elsewhere =
            |target: &Target| Some(target.database) != targets.first().map(|first| first.database);
        let Some(other) = targets.iter().position(is_elsewhere) else {
            return self.in_several_slots(command, arguments, targets);
        };
        let (first, second) = (key(0), key(other));
        let name = |at: usize| {
            targets.get(at).map_or("", |target| self.config.placed(target.database).name.as_str())
        };
        let shared: usize = first.iter().zip(second).take_while(|(a, b)| a == b).count();
        // A pattern that takes every key would be no help.
        let pattern = match first[..shared].escape_ascii().to_string() {
            shared if shared.is_empty() => "…".to_owned(),
            shared => format!("\"{shared}*\""),
        };
        let command = command.name.replace('|', " ").to_uppercase();
        Failed::Error(format!(
            "CROSSSLOT the keys of {command} are in several databases: \"{}\" is in \"{}\", \"{}\" is in \"{}\"; a \
             route with together = [{pattern}] keeps them in one",
            first.escape_ascii(),
            name(0),
            second.escape_ascii(),
            name(other),
        ))
    }

    /// Refuses a command whose keys are in several slots of one database.
    fn in_several_slots(
        &self,
        command: &Command,
        arguments: &Arguments<'_>,
        targets: &[Target],
    ) -> Failed {
        let other = targets.iter().position(|target| Some(target) != targets.first());
        let shown = |at: usize| {
            let key = self.keys.get(at).map_or(&b""[..], |key| arguments.get(key.at as usize));
            let target = targets.get(at).copied();
            let slot = target.and_then(|target| target.slot).unwrap_or_default();
            let node = target.map(|target| self.server_of(target)).unwrap_or_default();
            let node = self.front.servers().address(node);
            format!("\"{}\" is in slot {slot} at {node}", key.escape_ascii())
        };
        let command = command.name.replace('|', " ").to_uppercase();
        Failed::Error(format!(
            "CROSSSLOT the keys of {command} are in several slots of the cluster: {}, {}; names with the same part in \
             braces, such as {{tag}}:a and {{tag}}:b, are in one",
            shown(0),
            shown(other.unwrap_or_default()),
        ))
    }

    /// MOVE: to the database that the key has at the other index.
    pub(super) async fn move_key(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        let Some(target) = self.view.route(arguments.get(1)) else {
            return Err(nowhere(arguments.get(1)));
        };
        let index = self.index_at(arguments.get(2), arguments.get(1), target)?;
        self.bring_now(&[arguments.get(1)], &[target]).await?;
        let frame = write::frame(&[b"MOVE", arguments.get(1), index.to_string().as_bytes()]);
        self.pass_on_frame(command, target, &frame).await
    }

    /// COPY with DB: to the database that the new key has at the other index.
    pub(super) async fn copy(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        let Some(at) = copy_database(&arguments) else {
            return self.pass_on(Some(command), self.home(), request).await;
        };
        let Some(target) = self.view.route(arguments.get(1)) else {
            return Err(nowhere(arguments.get(1)));
        };
        let index = self.index_at(arguments.get(at), arguments.get(2), target)?.to_string();
        self.bring_now(&[arguments.get(1)], &[target]).await?;
        let words: Vec<&[u8]> = arguments
            .iter()
            .enumerate()
            .map(|(place, word)| if place == at { index.as_bytes() } else { word })
            .collect();
        let frame = write::frame(&words);
        self.pass_on_frame(command, target, &frame).await
    }

    /// The index of the server at which a key is, if the program has selected `index`.
    fn index_at(&self, index: &[u8], key: &[u8], from: Target) -> Result<u32, Failed> {
        let number = whole_number(index).ok_or_else(|| {
            Failed::Error("ERR value is not an integer or out of range".to_owned())
        })?;
        let select = u32::try_from(number).map_err(|_| super::connection::out_of_range())?;
        let program = crate::route::Program { select, ..self.who.program() };
        let view = self.config.router.view(&program).ok_or_else(super::connection::out_of_range)?;
        let to = view.route(key).ok_or_else(|| nowhere(key))?;
        let (here, there): (&DatabaseId, &DatabaseId) = (&from.database, &to.database);
        let (here, there) = (self.config.placed(*here), self.config.placed(*there));
        if here.server != there.server {
            return Err(Failed::Error(format!(
                "ERR the databases \"{}\" and \"{}\" are on different servers",
                here.name, there.name
            )));
        }
        Ok(there.index)
    }
}

/// The tree with the names of keys instead of those of their copies.
fn renamed(tree: Tree, prefix: &[u8], names: &[&[u8]]) -> Tree {
    let all = |list: Vec<Tree>| list.into_iter().map(|one| renamed(one, prefix, names)).collect();
    match tree {
        Tree::Bulk(text) => {
            let number = text.strip_prefix(prefix).and_then(whole_number);
            let at = number
                .and_then(|number| usize::try_from(number).ok())
                .and_then(|number| number.checked_sub(1));
            match at.and_then(|at| names.get(at)) {
                Some(name) => Tree::bulk(name),
                None => Tree::Bulk(text),
            }
        }
        Tree::Array(list) => Tree::Array(all(list)),
        Tree::Map(pairs) => Tree::Map(
            pairs
                .into_iter()
                .map(|(name, value)| (renamed(name, prefix, names), renamed(value, prefix, names)))
                .collect(),
        ),
        other => other,
    }
}
