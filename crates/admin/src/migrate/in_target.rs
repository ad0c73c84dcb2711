//! Finds which keys their targets have before a page of them moves.

use std::collections::HashSet;

use compartment_redis::{Connection, answer_error};
use redis::{Pipeline, Value};
use tokio::sync::Mutex;

use super::Item;
use super::patience::Patience;
use super::way::{Course, key_error, unexpected};
use crate::{Pace, Result};

/// Names per round trip.
const AT_ONCE: usize = 1_000;
const OPERATION: &str = "look for";

/// Connections to the targets of a migration.
#[derive(Debug)]
pub(crate) struct InTarget {
    course: Course,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Target {
    connection: Connection,
    is_cluster: bool,
    /// It had no key when the migration began, so it is not asked.
    was_empty: bool,
}

impl InTarget {
    /// Connects to the targets. If a migration that is not live `begins`, targets without any key are not asked.
    pub(crate) async fn start(course: &Course, begins: bool) -> Result<Self> {
        let mut targets = Vec::with_capacity(course.targets.len());
        for place in &course.targets {
            // Programs may write to the target of a live migration from the start.
            let skips = begins && course.copies.is_none() && !course.both_are_used;
            targets.push(Target {
                connection: place.open("migrate").await?,
                is_cluster: place.server().is_cluster(),
                was_empty: skips && place.known_keys().await == Some(0),
            });
        }
        Ok(Self { course: course.clone(), targets })
    }

    /// The positions of those items whose name their target has.
    ///
    /// # Errors
    /// The server's, with the name that it refuses.
    pub(crate) async fn positions(
        &mut self,
        items: &[Item],
        pace: Option<&Mutex<Pace>>,
    ) -> Result<HashSet<usize>> {
        let mut asked: Vec<Vec<(usize, Vec<u8>)>> =
            self.targets.iter().map(|_| Vec::new()).collect();
        for (at, item) in items.iter().enumerate() {
            let (number, name) = self.course.destination(item);
            if self.targets.get(number).is_some_and(|target| !target.was_empty) {
                asked[number].push((at, name));
            }
        }
        let mut found = HashSet::new();
        for (number, (target, asked)) in self.targets.iter_mut().zip(asked).enumerate() {
            let mut from = 0;
            while from < asked.len() {
                let mut portion = AT_ONCE;
                if let Some(pace) = pace {
                    let mut pace = pace.lock().await;
                    portion = portion.min(pace.batch());
                    pace.admit(portion).await?;
                }
                let some = &asked[from..asked.len().min(from + portion)];
                from += portion;
                if !target.is_cluster && target.has_none(some).await {
                    continue;
                }
                let mut patience = Patience::new();
                let there = loop {
                    match target.has(&self.course, number, some).await {
                        Err(error) => patience.after(error).await?,
                        Ok(there) => break there,
                    }
                };
                let each = some.iter().zip(there).filter(|(_, there)| *there);
                found.extend(each.map(|((at, _), _)| *at));
            }
        }
        Ok(found)
    }
}

impl Target {
    /// Whether the target has none of the names, by one command. An error counts as `false`: asked one by one, the
    /// target tells which name it is about.
    async fn has_none(&mut self, some: &[(usize, Vec<u8>)]) -> bool {
        let mut command = redis::cmd("EXISTS");
        for (_, name) in some {
            command.arg(name);
        }
        let answer = self.connection.ask::<Value>(OPERATION, &command).await;
        answer.is_ok_and(|answer| answer == Value::Int(0))
    }

    /// Which of the names the target has.
    async fn has(
        &mut self,
        course: &Course,
        number: usize,
        some: &[(usize, Vec<u8>)],
    ) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::with_capacity(some.len());
        for (_, name) in some {
            pipeline.cmd("EXISTS").arg(name);
        }
        let answers = self.connection.ask_each(OPERATION, &pipeline).await?;
        let each = some.iter().zip(&answers);
        each.map(|((_, name), answer)| match answer {
            Value::Int(count) => Ok(*count == 1),
            other => Err(match answer_error(OPERATION, other) {
                Some(error) => key_error(course, error, number, name),
                None => unexpected(course, OPERATION, other),
            }),
        })
        .collect()
    }
}
