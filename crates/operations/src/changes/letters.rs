//! Plans changes of dead letters: to process them again, or to remove them.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment::queue::TaskId;
use serde_json::{Value, json};

use super::counted::{Bound, Counted, MAX_NAMES, digest, lines};
use super::{ChangeError, Changes};
use crate::work::DeadLetterQuery;
use crate::{count, counted};

/// Dead letters of one request.
const PAGE: usize = 500;

impl Changes {
    pub(super) async fn count_letters(
        &self,
        verb: &str,
        stage: Option<&str>,
        error: Option<&str>,
        ids: &[u64],
    ) -> Result<Counted, ChangeError> {
        let server = self.batch_server().await?;
        let query = DeadLetterQuery {
            stage: stage.map(str::to_owned),
            error_begins: error.map(str::to_owned),
            ids: ids.to_vec(),
            limit: MAX_NAMES as u64 + 1,
            ..DeadLetterQuery::default()
        };
        let letters = self.operations().dead_letters(&query).await?;
        if letters.len() > MAX_NAMES {
            return Err(ChangeError::Invalid(format!(
                "more than {} dead letters fit: choose a stage or an error",
                count(MAX_NAMES as u64)
            )));
        }
        let mut groups: BTreeMap<String, u64> = BTreeMap::new();
        let mut queues: BTreeMap<String, Vec<TaskId>> = BTreeMap::new();
        for letter in &letters {
            let code = letter.error.split(':').next().unwrap_or_default();
            let group = compartment_admin::printable(&format!(
                "queue {}, stage {}, error {code}",
                letter.queue, letter.stage
            ));
            *groups.entry(group.chars().take(200).collect()).or_default() += 1;
            queues.entry(letter.queue.clone()).or_default().push(letter.id);
        }
        queues.values_mut().for_each(|ids| ids.sort_unstable());
        let names = queues
            .iter()
            .flat_map(|(queue, ids)| ids.iter().map(move |id| format!("{}/{queue}", id.number())));
        let found = letters.len() as u64;
        let refusals = match found {
            0 => vec!["no dead letter fits".to_owned()],
            _ => Vec::new(),
        };
        Ok(Counted {
            summary: format!(
                "{verb} {} of {}",
                counted(found, "dead letter"),
                counted(queues.len() as u64, "queue")
            ),
            touches: lines(groups.into_iter().collect(), "dead letter"),
            count: found,
            digest: digest(names),
            server,
            refusals,
            dry_run: json!({ "dead_letters": found }),
            before: json!({ "dead_letters": found }),
            bound: Bound::DeadLetters(Arc::new(queues.into_iter().collect())),
        })
    }

    /// Processes the very dead letters that were counted again, or removes them.
    pub(super) async fn settle_letters(
        &self,
        queues: &[(String, Vec<TaskId>)],
        replay: bool,
    ) -> Result<(String, u64, Value), ChangeError> {
        let database = self.operations().batch_database().await?;
        let store = database.queue();
        let (mut settled, mut all) = (0, 0);
        for (queue, ids) in queues {
            all += ids.len() as u64;
            for page in ids.chunks(PAGE) {
                settled += match replay {
                    true => store.replay(queue, page).await?,
                    false => store.discard(queue, page).await?,
                };
            }
        }
        let done = if replay { "will be processed again" } else { "were removed" };
        let mut text = format!("{} {done}", counted(settled, "dead letter"));
        if settled < all {
            text += &format!(
                "; {} stay: another task has taken their deduplication key, or another process was faster",
                count(all - settled)
            );
        }
        Ok((text, settled, json!({ "dead_letters": all - settled })))
    }
}
