//! Keys that the source never evicts (`BLESS`) are protected where they arrive, too.

use compartment_redis::answer_error;
use redis::{Pipeline, Value};

use super::{Lane, key_error, unexpected};
use crate::Result;
use crate::bless::{flags_of, is_no_key, is_protected, protect};
use crate::migrate::{Item, Outcome};

impl Lane {
    /// Of each key of `items`, whether the source never evicts it; empty where there are no such keys.
    pub(super) async fn protected_in_source(&mut self, items: &[Item]) -> Result<Vec<bool>> {
        if !self.protection.is_used() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(items.len());
        for item in items {
            pipeline.add_command(flags_of(&self.course.source_name(item)));
        }
        let answers = self.source.ask_each("look for protection", &pipeline).await?;
        let protected = answers.into_iter().map(|answer| match &answer {
            error @ Value::ServerError(_) if !is_no_key(error) => {
                Err(unexpected(&self.course, "look for protection", error))
            }
            _ => Ok(is_protected(answer)),
        });
        protected.collect()
    }

    /// Protects the keys that have arrived and were protected in the source.
    pub(super) async fn protect(
        &mut self,
        items: &[Item],
        outcomes: &[Outcome],
        protected: &[bool],
    ) -> Result<()> {
        let mut commands = Vec::new();
        for ((item, outcome), protected) in items.iter().zip(outcomes).zip(protected) {
            let (number, name) = self.course.destination(item);
            let knows = self.protection.is_known_to(number);
            if *protected && knows && matches!(outcome, Outcome::Done | Outcome::Same) {
                commands.push((number, name));
            }
        }
        let sent = commands.iter().map(|(number, name)| (*number, protect(name))).collect();
        let answers = self.ask_targets("protect", sent).await?;
        for ((number, name), answer) in commands.iter().zip(&answers) {
            // It may have come to its end by now.
            if let Some(error) = answer_error("protect", answer).filter(|_| !is_no_key(answer)) {
                return Err(key_error(&self.course, error, *number, name));
            }
        }
        Ok(())
    }
}
