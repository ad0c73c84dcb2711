//! What a database's contract and its previous place add to a request.

use bytes::{Bytes, BytesMut};
use compartment_core::FrontContract;

use super::frames::{Counted, Frame, Frames};
use super::life::{Life, life};
use super::state::Session;
use crate::commands::{Access, Command, Flags, Kind};
use crate::database::Database;
use crate::resp::{Arguments, write};
use crate::route::Target;

const WITH_LIFE: &str = include_str!("../lua/with_life.lua");

fn frame(words: &[&[u8]]) -> Bytes {
    let mut frame = BytesMut::new();
    write::request(words.iter().copied(), &mut frame);
    frame.freeze()
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
        if database.needs_life() && command.writes()
            || command.kind == Kind::Script && database.needs_life()
        {
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
                let bytes = frame(&[b"MOVE", name, here.as_bytes()]);
                frames.before.push(Frame { index: previous.index, bytes });
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
                let head = [b"EVAL".as_slice(), WITH_LIFE.as_bytes(), count.as_bytes()];
                let words: Vec<&[u8]> = head
                    .into_iter()
                    .chain(written)
                    .chain([database.name.as_bytes()])
                    .chain(arguments.iter())
                    .collect();
                frames.request = frame(&words);
            }
        }
    }
}
