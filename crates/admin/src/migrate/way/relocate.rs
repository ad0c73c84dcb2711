//! Moves by `MOVE`: within one server, in constant time for any size.

use redis::{Cmd, Pipeline};

use super::{Lane, as_int};
use crate::Result;
use crate::migrate::{Item, Outcome};

/// Moves and renames in one step, since `MOVE` cannot rename.
const MOVE_RENAMED: &str = include_str!("../../lua/move_renamed.lua");

impl Lane {
    pub(super) async fn relocate(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        for item in items {
            pipeline.add_command(self.move_command(item));
        }
        let answers = self.source.ask_each("move", &pipeline).await?;
        let mut outcomes = Vec::with_capacity(items.len());
        let mut refused = Vec::new();
        for (at, answer) in answers.iter().enumerate() {
            if as_int(&self.course, "move", answer)? == 1 {
                outcomes.push(Outcome::Done);
            } else {
                // The source no longer has it, or the target has a key of that name.
                outcomes.push(Outcome::Gone);
                refused.push(at);
            }
        }
        self.settle_standing(items, &refused, &mut outcomes).await?;
        Ok(outcomes)
    }

    fn move_command(&self, item: &Item) -> Cmd {
        let old = self.course.source_name(item);
        let (number, new) = self.course.destination(item);
        let index = self.course.targets[number].index();
        if old == new {
            let mut command = redis::cmd("MOVE");
            command.arg(old).arg(index);
            return command;
        }
        if index == self.course.source.index() {
            let mut command = redis::cmd("EVAL");
            command.arg(RENAME_IF_FREE).arg(2).arg(old).arg(new);
            return command;
        }
        let mut command = redis::cmd("EVAL");
        command.arg(MOVE_RENAMED).arg(2).arg(old).arg(new).arg(index);
        command
    }
}

/// `RENAMENX` fails for a missing name, so that case is checked first.
const RENAME_IF_FREE: &str = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('RENAMENX', KEYS[1], KEYS[2])";
