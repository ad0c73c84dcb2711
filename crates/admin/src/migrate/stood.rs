//! Finds which keys stood in their targets before a page of them moved.

use std::collections::HashSet;

use compartment_redis::{Connection, answer_error};
use redis::{Pipeline, Value};

use super::Item;
use super::way::{Course, key_error};
use crate::{Pace, Result};

/// Names per round trip.
const AT_ONCE: usize = 1_000;

/// The targets of a migration, which are asked before each page.
#[derive(Debug)]
pub(crate) struct Stood {
    course: Course,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Target {
    connection: Connection,
    /// It had no keys when the migration began, so those that it has are the migration's.
    was_empty: bool,
}

impl Stood {
    /// Connects to the targets. Those of a migration that begins are asked whether they are empty.
    pub(crate) async fn start(course: &Course, begins: bool) -> Result<Self> {
        let mut targets = Vec::with_capacity(course.targets.len());
        for place in &course.targets {
            let was_empty = begins && place.known_keys().await == Some(0);
            targets.push(Target { connection: place.open("migrate").await?, was_empty });
        }
        Ok(Self { course: course.clone(), targets })
    }

    /// From now on every target is asked: programs may have written to it.
    pub(crate) fn ask_all(&mut self) {
        self.targets.iter_mut().for_each(|target| target.was_empty = false);
    }

    /// The positions of those items whose name their target has.
    pub(crate) async fn among(
        &mut self,
        items: &[Item],
        pace: Option<&tokio::sync::Mutex<Pace>>,
    ) -> Result<HashSet<usize>> {
        const OPERATION: &str = "look for a key";
        let mut asked: Vec<Vec<(usize, Vec<u8>)>> =
            self.targets.iter().map(|_| Vec::new()).collect();
        for (at, item) in items.iter().enumerate() {
            let (number, name) = self.course.destination(item);
            if self.targets.get(number).is_some_and(|target| !target.was_empty) {
                asked[number].push((at, name));
            }
        }
        let mut stood = HashSet::new();
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
                let mut pipeline = Pipeline::with_capacity(some.len());
                for (_, name) in some {
                    pipeline.cmd("EXISTS").arg(name);
                }
                let answers = target.connection.ask_each(OPERATION, &pipeline).await?;
                for ((at, name), answer) in some.iter().zip(&answers) {
                    if let Some(error) = answer_error(OPERATION, answer) {
                        return Err(key_error(&self.course, error, number, name));
                    }
                    if *answer == Value::Int(1) {
                        stood.insert(*at);
                    }
                }
                from += portion;
            }
        }
        Ok(stood)
    }
}
