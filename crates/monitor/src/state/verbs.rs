//! The changes that can be asked for, by screen and key.

use compartment_operations::changes::Change;

use super::State;
use crate::action::Verb;
use crate::screens::Screen;

impl State {
    /// The change that a key asks for on this screen, and what it is for in a few words.
    pub(super) fn change(&self, verb: Verb) -> Result<(Change, String), String> {
        match self.screen {
            Screen::Batches => self.change_of_batch(verb),
            Screen::DeadLetters => self.change_of_letters(verb),
            _ => Err("batches (2) and dead letters (5) can be changed here".to_owned()),
        }
    }

    fn change_of_batch(&self, verb: Verb) -> Result<(Change, String), String> {
        let batch = self.subject().ok_or("there is no batch to change")?;
        let shown = crate::figures::shown(&batch);
        Ok(match verb {
            Verb::Retry => {
                let what = format!("retry the failed documents of {shown}");
                (Change::RetryFailed { batch, stage: None, error: None }, what)
            }
            Verb::Pause => (Change::PauseBatch { batch }, format!("pause {shown}")),
            Verb::Resume => (Change::ResumeBatch { batch }, format!("resume {shown}")),
            Verb::Remove => (Change::CancelBatch { batch }, format!("cancel {shown}")),
        })
    }

    /// Numbers of dead letters are those of a stage's queue, so that one change is of one stage.
    fn change_of_letters(&self, verb: Verb) -> Result<(Change, String), String> {
        let meant = match &self.open {
            Some(open) => vec![open.id.clone()],
            None => self.list().meant(&self.table),
        };
        let letters = self.facts.letters.iter().flatten().flatten();
        let letters: Vec<_> = letters.filter(|letter| meant.contains(&letter.id())).collect();
        let Some(first) = letters.first() else {
            return Err("there is no dead letter to change".to_owned());
        };
        if letters.iter().any(|letter| letter.stage != first.stage) {
            return Err("the marked dead letters are of several stages: filter one (/)".to_owned());
        }
        let stage = Some(first.stage.clone());
        let ids: Vec<u64> = letters.iter().map(|letter| letter.number).collect();
        let many = compartment_operations::counted(ids.len() as u64, "dead letter");
        match verb {
            Verb::Retry => {
                let change = Change::ReplayDeadLetters { stage, error: None, ids };
                Ok((change, format!("replay {many}")))
            }
            Verb::Remove => {
                let change = Change::PurgeDeadLetters { stage, error: None, ids };
                Ok((change, format!("remove {many}")))
            }
            Verb::Pause | Verb::Resume => {
                Err("dead letters are replayed (R) or removed (X)".to_owned())
            }
        }
    }
}
