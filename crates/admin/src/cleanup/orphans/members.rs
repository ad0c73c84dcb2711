//! The members of lists, sorted sets and sets, a page at a time.

use redis::{Cmd, Pipeline};

use super::work::Work;
use crate::analyze::number;
use crate::{KeyType, Result};

/// Members of a page.
const PAGE: usize = 1_000;
/// Members of lists up to which the server is made to search them: half a millisecond of its time.
pub(super) const LONGEST: u64 = 20_000;

/// The members of one key. One that is there throughout is returned at least once, but for those of a list that others
/// take from meanwhile.
pub(super) struct Members {
    key: Vec<u8>,
    key_type: KeyType,
    position: u64,
    is_done: bool,
}

impl Members {
    pub(super) fn of(key: &[u8], key_type: KeyType) -> Self {
        Self { key: key.to_vec(), key_type, position: 0, is_done: false }
    }

    /// The next members; `None` at the end, and for a key of another type.
    pub(super) async fn next_page(&mut self, work: &mut Work<'_>) -> Result<Option<Vec<Vec<u8>>>> {
        if self.is_done {
            return Ok(None);
        }
        let command = self.command(work);
        if self.key_type == KeyType::List {
            let page: Vec<Vec<u8>> = work.ask_one(&command).await?.unwrap_or_default();
            self.is_done = page.len() < PAGE;
            self.position += PAGE as u64;
            return Ok(Some(page));
        }
        let Some((next, mut page)) = work.ask_one::<(u64, Vec<Vec<u8>>)>(&command).await? else {
            self.is_done = true;
            return Ok(None);
        };
        if self.key_type == KeyType::Zset {
            // Members and scores take turns.
            page = page.into_iter().step_by(2).collect();
        }
        self.position = next;
        self.is_done = next == 0;
        Ok(Some(page))
    }

    fn command(&self, work: &Work<'_>) -> Cmd {
        let key = work.place.on_server(&self.key);
        if self.key_type == KeyType::List {
            let mut command = redis::cmd("LRANGE");
            command.arg(key.as_ref()).arg(self.position).arg(self.position + PAGE as u64 - 1);
            return command;
        }
        let verb = if self.key_type == KeyType::Zset { "ZSCAN" } else { "SSCAN" };
        let mut command = redis::cmd(verb);
        command.arg(key.as_ref()).arg(self.position).arg("COUNT").arg(PAGE);
        command
    }
}

/// The types of keys; `None` for missing ones.
pub(super) async fn types(work: &mut Work<'_>, keys: &[Vec<u8>]) -> Result<Vec<Option<KeyType>>> {
    let mut pipeline = Pipeline::with_capacity(keys.len());
    for key in keys {
        pipeline.cmd("TYPE").arg(work.place.on_server(key).as_ref());
    }
    let answers = work.ask(&pipeline, keys.len()).await?;
    let of = |answer| KeyType::parse(&redis::from_redis_value::<String>(answer).ok()?);
    Ok(answers.into_iter().map(of).collect())
}

/// The number of members of a list; 0 for a key of another type.
pub(super) async fn length(work: &mut Work<'_>, list: &[u8]) -> Result<u64> {
    let mut command = redis::cmd("LLEN");
    command.arg(work.place.on_server(list).as_ref());
    Ok(work.ask_one(&command).await?.unwrap_or(0))
}

/// How many of the keys of each group exist.
pub(super) async fn existing(work: &mut Work<'_>, groups: &[Vec<Vec<u8>>]) -> Result<Vec<u64>> {
    let mut counts = Vec::with_capacity(groups.len());
    for some in groups.chunks(work.pace.batch()) {
        let mut pipeline = Pipeline::with_capacity(some.len());
        for keys in some {
            let command = pipeline.cmd("EXISTS");
            for key in keys {
                command.arg(work.place.on_server(key).as_ref());
            }
        }
        let answers = work.ask(&pipeline, some.len()).await?;
        // What is not known is taken to be there.
        counts.extend(answers.iter().map(|answer| number(answer).unwrap_or(1)));
    }
    Ok(counts)
}
