//! Moves by `COPY`: within one server, if `MOVE` is not allowed or the old place keeps its keys.

use redis::{Pipeline, Value};

use super::{Lane, as_int, unexpected};
use crate::Result;
use crate::migrate::{Item, Outcome};
use crate::snapshot::Snapshot;

const COPY_AWAY: &str = include_str!("../../lua/copy_away.lua");
/// Keys per script call: other clients wait for this many keys.
const AT_ONCE: usize = 50;

impl Lane {
    pub(super) async fn copy(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let answers = match self.course.keep {
            true => self.copy_and_keep(items).await?,
            false => self.copy_away(items).await?,
        };
        let mut outcomes: Vec<Outcome> = answers
            .iter()
            .map(|copied| if *copied { Outcome::Done } else { Outcome::Gone })
            .collect();
        let refused: Vec<usize> = (0..items.len()).filter(|at| !answers[*at]).collect();
        self.settle_standing(items, &refused, &mut outcomes).await?;
        Ok(outcomes)
    }

    /// Copies the keys that were read, to be compared before they are removed.
    pub(super) async fn copy_over(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<Outcome>> {
        let copied = self.copy_and_keep(items).await?;
        let outcome = |(copied, snapshot): (bool, &Option<Snapshot>)| match snapshot {
            _ if copied => Outcome::Done,
            Some(_) => Outcome::Conflict,
            None => Outcome::Gone,
        };
        Ok(copied.into_iter().zip(snapshots).map(outcome).collect())
    }

    async fn copy_and_keep(&mut self, items: &[Item]) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        for item in items {
            let (number, new) = self.course.destination(item);
            let index = self.course.targets[number].index();
            pipeline.cmd("COPY").arg(self.course.source_name(item)).arg(new).arg("DB").arg(index);
        }
        let answers = self.source.ask_each("copy", &pipeline).await?;
        answers.iter().map(|answer| Ok(as_int(&self.course, "copy", answer)? == 1)).collect()
    }

    async fn copy_away(&mut self, items: &[Item]) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::new();
        for some in items.chunks(AT_ONCE) {
            let command = pipeline.cmd("EVAL").arg(COPY_AWAY).arg(some.len());
            for item in some {
                command.arg(self.course.source_name(item));
            }
            let ends: Vec<(usize, Vec<u8>)> =
                some.iter().map(|item| self.course.destination(item)).collect();
            for (number, _) in &ends {
                command.arg(self.course.targets[*number].index());
            }
            for (_, new) in ends {
                command.arg(new);
            }
        }
        let answers = self.source.ask_each("copy", &pipeline).await?;
        let mut copied = Vec::with_capacity(items.len());
        for answer in answers {
            let Value::Array(each) = &answer else {
                return Err(unexpected(&self.course, "copy", &answer));
            };
            for one in each {
                copied.push(as_int(&self.course, "copy", one)? == 1);
            }
        }
        Ok(copied)
    }
}
