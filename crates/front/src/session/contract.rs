//! What a database's contract and its previous place add to a request.

use bytes::Bytes;
use compartment_core::FrontContract;

use super::failed::Failed;
use super::frames::{After, Around, Counted, Frame, Frames};
use super::life::{Life, life};
use super::state::Session;
use crate::commands::{Access, Command, Flags, Kind};
use crate::database::Database;
use crate::resp::Arguments;
use crate::resp::write::frame;
use crate::route::Target;

const WITH_LIFE: &str = include_str!("../lua/with_life.lua");

/// What brings a key from its old place. One that is there still, since the new place has the name too, must not come
/// back after the new one was removed or replaced.
fn brought(name: &[u8], here: &str, old: u32, access: Access) -> impl Iterator<Item = Frame> {
    let moved = Frame { index: old, bytes: frame(&[b"MOVE", name, here.as_bytes()]) };
    let is_gone = matches!(access, Access::Remove | Access::Overwrite);
    let removed = is_gone.then(|| Frame { index: old, bytes: frame(&[b"UNLINK", name]) });
    std::iter::once(moved).chain(removed)
}

impl Session {
    /// The request with what belongs before and after it.
    pub(super) fn frames(
        &mut self,
        command: &Command,
        target: Target,
        arguments: &Arguments<'_>,
        request: &[u8],
    ) -> Frames {
        let config = self.config.clone();
        let database = config.placed(target.database);
        let mut frames = Frames {
            before: Vec::new(),
            request: Bytes::copy_from_slice(request),
            after: Vec::new(),
            counted: Counted::Nothing,
        };
        if command.keys(arguments, &mut self.keys).is_err() {
            return frames;
        }
        self.bring(database, arguments, &mut frames);
        if database.asks_for_life(command) {
            self.give_life(command, target, database, arguments, &mut frames);
        }
        frames
    }

    /// Keys come from the previous place first.
    fn bring(&self, database: &Database, arguments: &Arguments<'_>, frames: &mut Frames) {
        let Some(previous) = &database.previous else { return };
        let here = database.index.to_string();
        for key in &self.keys {
            let name = arguments.get(key.at as usize);
            if previous.concerns(name) {
                frames.before.extend(brought(name, &here, previous.index, key.access));
            }
        }
    }

    /// What belongs before and after a command whose keys, which `self.keys` has, are in these databases: those of
    /// the places that `takes` accepts.
    pub(super) fn around(
        &self,
        command: &Command,
        arguments: &Arguments<'_>,
        targets: &[Target],
        takes: impl Fn(usize) -> bool,
    ) -> Result<Around, Failed> {
        let mut around = Around::default();
        for (at, (key, target)) in self.keys.iter().zip(targets).enumerate() {
            if !takes(at) {
                continue;
            }
            let (name, database) =
                (arguments.get(key.at as usize), self.config.placed(target.database));
            if let Some(previous) = database.previous.as_ref().filter(|it| it.concerns(name)) {
                let here = database.index.to_string();
                around.before.extend(brought(name, &here, previous.index, key.access));
            }
            let is_written = key.access.writes() && key.access != Access::Remove;
            if !is_written || !database.needs_life() {
                continue;
            }
            let life = self.view.life(target.route);
            let (words, counted) = match (self.view.contract(target.route), life) {
                (FrontContract::Repair, Some(life)) => {
                    let life = life.as_millis().to_string();
                    (frame(&[b"PEXPIRE", name, life.as_bytes(), b"NX"]), b":1\r\n".as_slice())
                }
                (FrontContract::Observe, _) => (frame(&[b"PTTL", name]), b":-1\r\n".as_slice()),
                // What MSET writes has no life, whatever there was; other commands keep what there is.
                (FrontContract::Refuse, _) if matches!(command.kind, Kind::Split(_)) => {
                    return Err(Failed::Error(format!(
                        "NOPERM the key \"{}\" would have no life, and the database \"{}\" wants one: give it with the \
                         write, for example SET with EX",
                        name.escape_ascii(),
                        database.name
                    )));
                }
                _ => continue,
            };
            let frame = Frame { index: database.index, bytes: words };
            around.after.push(After { frame, database: target.database, counted });
        }
        Ok(around)
    }

    /// Counts writes without a life by the replies to what came after them.
    pub(super) fn count_lives(&self, around: &Around, replies: &[&[u8]], places: &[usize]) {
        for (after, place) in around.after.iter().zip(places) {
            if replies.get(*place) == Some(&after.counted) {
                self.accounts.without_life(after.database, 1);
            }
        }
    }

    fn give_life(
        &self,
        command: &Command,
        target: Target,
        database: &Database,
        arguments: &Arguments<'_>,
        frames: &mut Frames,
    ) {
        let life = life(command, arguments);
        if life == Life::Given {
            return;
        }
        let written: Vec<&[u8]> = self
            .keys
            .iter()
            .filter(|key| key.access.writes() && key.access != Access::Remove)
            .map(|key| arguments.get(key.at as usize))
            .collect();
        if written.is_empty() {
            return;
        }
        let milliseconds = self.view.life(target.route).map(|life| life.as_millis().to_string());
        let milliseconds = milliseconds.unwrap_or_default();
        match self.view.contract(target.route) {
            // There is a life to give, or the contract would not be to repair; without a route no key is written.
            FrontContract::Repair if milliseconds.is_empty() => {}
            FrontContract::Repair if life == Life::Without => {
                let words: Vec<&[u8]> =
                    arguments.iter().chain([b"PX".as_slice(), milliseconds.as_bytes()]).collect();
                frames.request = frame(&words);
                frames.counted = Counted::This;
            }
            FrontContract::Repair => {
                for key in written {
                    let bytes = frame(&[b"PEXPIRE", key, milliseconds.as_bytes(), b"NX"]);
                    frames.after.push(Frame { index: database.index, bytes });
                }
                frames.counted = Counted::Replies(b":1\r\n");
            }
            FrontContract::Observe if life == Life::Without => frames.counted = Counted::This,
            FrontContract::Observe => {
                for key in written {
                    frames
                        .after
                        .push(Frame { index: database.index, bytes: frame(&[b"PTTL", key]) });
                }
                frames.counted = Counted::Replies(b":-1\r\n");
            }
            FrontContract::Refuse if command.flags.has(Flags::NOSCRIPT) => {}
            _ => {
                let count = written.len().to_string();
                // These leave no life, whatever there was.
                let takes = life == Life::Without || matches!(&*command.name, "mset" | "getset");
                let takes = if takes { b"1".as_slice() } else { b"0" };
                let head = [b"EVAL".as_slice(), WITH_LIFE.as_bytes(), count.as_bytes()];
                let words: Vec<&[u8]> = head
                    .into_iter()
                    .chain(written)
                    .chain([database.name.as_bytes(), takes])
                    .chain(arguments.iter())
                    .collect();
                frames.request = frame(&words);
            }
        }
    }
}
